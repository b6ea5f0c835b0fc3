//! Limit for the unfinished submissions of an account: the store's count, read about once a second,
//! and the submissions that this process accepted since then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::error::ApiError;
use ferry_store::{Store, StoreError};
use ferry_types::contract::ProblemKind;
use ferry_types::domain::submission::State;

/// A count is good for so long.
const FRESH: Duration = Duration::from_secs(1);

/// When the account is full, the count is looked up again after so long.
const FRESH_WHEN_FULL: Duration = Duration::from_millis(100);

/// Delay before another attempt.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Capacity {
    most: u64,
    counted: Mutex<Counts>,
    lookup: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Counts {
    at: Option<Instant>,
    /// By account: in the store, accepted since then included.
    stored: BTreeMap<String, u64>,
    /// By account: on the way into the store.
    in_flight: BTreeMap<String, u64>,
}

/// Room for one submission, given back when it is dropped, unless it was used.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    capacity: &'a Capacity,
    account: Option<String>,
}

impl Capacity {
    pub(super) fn new(most: u64) -> Self {
        Self { most, counted: Mutex::default(), lookup: tokio::sync::Mutex::default() }
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
            self.refresh(store, fresh).await?;
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
        let of = |counts: &BTreeMap<String, u64>| counts.get(account).copied().unwrap_or_default();
        if of(&counted.stored) + of(&counted.in_flight) >= self.most {
            return None;
        }
        *counted.in_flight.entry(account.to_owned()).or_default() += 1;
        Some(Reservation { capacity: self, account: Some(account.to_owned()) })
    }

    /// Looks the counts up, unless they are younger than `fresh`. What is on its way meanwhile is
    /// counted twice rather than not at all.
    async fn refresh(&self, store: &dyn Store, fresh: Duration) -> Result<(), StoreError> {
        let is_fresh = || self.counted().at.is_some_and(|at| at.elapsed() < fresh);
        if is_fresh() {
            return Ok(());
        }
        let _one_at_a_time = self.lookup.lock().await;
        if is_fresh() {
            return Ok(());
        }
        let before: BTreeMap<String, u64> = self.counted().stored.clone();
        let stats = store.stats().await?;
        let mut counted = self.counted();
        let mut stored = BTreeMap::new();
        for account in stats.accounts {
            let waiting = |(state, count): (&State, &u64)| {
                if state.is_final() || *state == State::Held { 0 } else { *count }
            };
            let in_store: u64 = account.states.iter().map(waiting).sum();
            // Accepted while the store counted: it may have seen them or not.
            let name = account.account;
            let now = counted.stored.get(&name).copied().unwrap_or_default();
            let since = now.saturating_sub(before.get(&name).copied().unwrap_or_default());
            stored.insert(name, in_store + since);
        }
        counted.stored = stored;
        counted.at = Some(Instant::now());
        Ok(())
    }

    fn counted(&self) -> MutexGuard<'_, Counts> {
        self.counted.lock()
    }
}

impl Reservation<'_> {
    /// The submission is stored.
    pub(super) fn used(mut self) {
        if let Some(account) = self.give_back() {
            *self.capacity.counted().stored.entry(account).or_default() += 1;
        }
    }

    fn give_back(&mut self) -> Option<String> {
        let account = self.account.take()?;
        let mut counted = self.capacity.counted();
        if let Some(in_flight) = counted.in_flight.get_mut(&account) {
            *in_flight = in_flight.saturating_sub(1);
        }
        Some(account)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
