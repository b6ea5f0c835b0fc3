//! The leases of the steps that this process runs: one call renews them all.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tracing::debug;

use ferry_store::{Lease, Store};
use ferry_types::clock::{MonotonicClock, MonotonicTime};

/// Longest time until an expired lease is noticed where timers stand still while the machine is
/// suspended.
const NOTICED: Duration = Duration::from_secs(1);

/// Part of a lease in which an upload that was sent arrives, if it ever does: one in so many. Renewals leave
/// twice as much.
const TRAVEL: u32 = 3;

/// The leases that this process owns.
#[derive(Debug, Clone)]
pub(super) struct Leases {
    /// The end of each, as far as this process can know.
    owned: Arc<Mutex<BTreeMap<Lease, MonotonicTime>>>,
    /// A renewal has changed ends.
    renewed: Arc<Notify>,
    duration: Duration,
    monotonic: Arc<dyn MonotonicClock>,
}

/// A lease that is renewed until this is dropped.
#[derive(Debug)]
pub(super) struct LeaseGuard {
    lease: Lease,
    leases: Leases,
}

impl Leases {
    pub(super) fn new(duration: Duration, monotonic: Arc<dyn MonotonicClock>) -> Self {
        Self { owned: Arc::default(), renewed: Arc::default(), duration, monotonic }
    }

    /// Renews a lease that was claimed, or requested, at `since`.
    pub(super) fn keep(&self, lease: Lease, since: MonotonicTime) -> LeaseGuard {
        self.owned().insert(lease, since + self.duration);
        LeaseGuard { lease, leases: self.clone() }
    }

    /// Renews all leases three times per lease, until dropped.
    pub(super) async fn renew_forever(&self, store: &dyn Store) {
        loop {
            self.monotonic.sleep(self.duration / 3).await;
            let leases: Vec<Lease> = self.owned().keys().copied().collect();
            if leases.is_empty() {
                continue;
            }
            let requested_at = self.monotonic.now();
            match store.renew(leases.clone(), self.duration).await {
                Ok(renewed) => self.extend(&leases, &renewed, requested_at),
                Err(error) => debug!(owned = leases.len(), %error, "cannot renew leases, retrying"),
            }
        }
    }

    /// A lease that the store does not know any more ends at once.
    fn extend(&self, leases: &[Lease], renewed: &[bool], requested_at: MonotonicTime) {
        let mut owned = self.owned();
        for (lease, renewed) in leases.iter().zip(renewed) {
            if let Some(until) = owned.get_mut(lease) {
                *until = if *renewed { requested_at + self.duration } else { requested_at };
            }
        }
        drop(owned);
        self.renewed.notify_waiters();
    }

    fn owned(&self) -> MutexGuard<'_, BTreeMap<Lease, MonotonicTime>> {
        // Every critical section is a single map operation: a poisoned map is still whole.
        self.owned.lock()
    }
}

impl LeaseGuard {
    /// True as long as no other worker can have claimed the step. Checked before anything is sent: a
    /// process that was suspended must not act on a lease that expired meanwhile.
    pub(super) fn is_owned(&self) -> bool {
        self.left().is_some()
    }

    /// True as long as so much of the lease is left that what is sent now arrives before its end, or never.
    pub(super) fn is_owned_for_long(&self) -> bool {
        self.left().is_some_and(|left| left >= self.leases.duration / TRAVEL)
    }

    /// Runs `work` to its end, unless the lease expires or is lost before.
    pub(super) async fn while_owned<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut expired) = (pin!(work), pin!(self.expired()));
        poll_fn(|cx| {
            // First, so that what was suspended sends nothing more.
            if !self.is_owned() || expired.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }

    async fn expired(&self) {
        loop {
            let renewed = self.leases.renewed.notified();
            let Some(left) = self.left() else { return };
            tokio::select! {
                biased;
                () = renewed => {}
                () = self.leases.monotonic.sleep(left.min(NOTICED)) => {}
            }
        }
    }

    fn left(&self) -> Option<Duration> {
        let until = self.leases.owned().get(&self.lease).copied()?;
        let left = until.since(self.leases.monotonic.now());
        (!left.is_zero()).then_some(left)
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.leases.owned().remove(&self.lease);
    }
}
