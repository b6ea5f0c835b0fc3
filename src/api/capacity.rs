//! Limit for the unfinished submissions of an account: the store's count, read about once a second,
//! and the submissions that this process accepted since then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::error::ApiError;
use ferry_store::{Store, StoreError};
use ferry_types::contract::ProblemKind;

/// A count is good for so long.
const FRESH: Duration = Duration::from_secs(1);

/// When the account is full, the count is looked up again after so long.
const FRESH_WHEN_FULL: Duration = Duration::from_millis(100);

/// Delay before another attempt.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Capacity {
    most: u64,
    /// By account: what one account has costs no other one time.
    counted: Mutex<BTreeMap<String, Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    at: Option<Instant>,
    /// In the store, accepted since then included.
    stored: u64,
    /// On the way into the store.
    in_flight: u64,
    lookup: Arc<tokio::sync::Mutex<()>>,
}

/// Room for one submission, released when it is dropped, unless it was used.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    capacity: &'a Capacity,
    account: Option<String>,
}

impl Capacity {
    pub(super) fn new(most: u64) -> Self {
        Self { most, counted: Mutex::default() }
    }

    /// Room for one submission more.
    pub(super) async fn room(
        &self,
        store: &dyn Store,
        account: &str,
    ) -> Result<Reservation<'_>, ApiError> {
        if self.most == 0 {
            return Ok(Reservation { capacity: self, account: None });
        }
        for fresh in [FRESH, FRESH_WHEN_FULL] {
            self.refresh(store, account, fresh).await?;
            if let Some(room) = self.take(account) {
                return Ok(room);
            }
        }
        let what = format!(
            "account `{account}` has {} unfinished submissions, as many as `max_unfinished` allows; \
             nothing was stored",
            self.most
        );
        Err(ApiError::new(ProblemKind::TooManyUnfinished, what).retry_after(RETRY_AFTER))
    }

    fn take(&self, account: &str) -> Option<Reservation<'_>> {
        let mut counted = self.counted();
        let counts = counted.entry(account.to_owned()).or_default();
        if counts.stored + counts.in_flight >= self.most {
            return None;
        }
        counts.in_flight += 1;
        Some(Reservation { capacity: self, account: Some(account.to_owned()) })
    }

    /// Looks the count of an account up, unless it is younger than `fresh`. What is on its way meanwhile is
    /// counted twice rather than not at all.
    async fn refresh(
        &self,
        store: &dyn Store,
        account: &str,
        fresh: Duration,
    ) -> Result<(), StoreError> {
        let is_fresh = |counts: &Counts| counts.at.is_some_and(|at| at.elapsed() < fresh);
        let lookup = {
            let mut counted = self.counted();
            let counts = counted.entry(account.to_owned()).or_default();
            if is_fresh(counts) {
                return Ok(());
            }
            counts.lookup.clone()
        };
        let _one_at_a_time = lookup.lock().await;
        let before = {
            let mut counted = self.counted();
            let counts = counted.entry(account.to_owned()).or_default();
            if is_fresh(counts) {
                return Ok(());
            }
            counts.stored
        };
        let in_store = store.stats_of(account).await?.unfinished();
        let mut counted = self.counted();
        let counts = counted.entry(account.to_owned()).or_default();
        // Accepted while the store counted: it may have seen them or not.
        counts.stored = in_store + counts.stored.saturating_sub(before);
        counts.at = Some(Instant::now());
        Ok(())
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<String, Counts>> {
        self.counted.lock()
    }
}

impl Reservation<'_> {
    /// The submission is stored.
    pub(super) fn used(mut self) {
        if let Some(account) = self.give_back() {
            self.capacity.counted().entry(account).or_default().stored += 1;
        }
    }

    fn give_back(&mut self) -> Option<String> {
        let account = self.account.take()?;
        if let Some(counts) = self.capacity.counted().get_mut(&account) {
            counts.in_flight = counts.in_flight.saturating_sub(1);
        }
        Some(account)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
