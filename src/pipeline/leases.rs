//! Keeps the leases of the steps that this process holds alive: one call renews them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use ferry_store::{Lease, Store};

/// The leases that this process holds.
#[derive(Debug, Clone)]
pub(crate) struct Leases {
    /// Until when each is ours, as far as this process can tell.
    owned: Arc<Mutex<HashMap<Lease, Instant>>>,
    duration: Duration,
}

/// A lease that is kept alive until this is dropped.
#[derive(Debug)]
pub(crate) struct LeaseGuard {
    lease: Lease,
    leases: Leases,
}

impl Leases {
    pub(crate) fn new(duration: Duration) -> Self {
        Self { owned: Arc::default(), duration }
    }

    /// Keeps a lease that was claimed, or asked for, at `since`.
    pub(crate) fn keep(&self, lease: Lease, since: Instant) -> LeaseGuard {
        self.lock().insert(lease, since + self.duration);
        LeaseGuard { lease, leases: self.clone() }
    }

    /// Renews all leases three times per span, until dropped.
    pub(crate) async fn renew_forever(&self, store: &dyn Store) {
        let mut failing = false;
        loop {
            tokio::time::sleep(self.duration / 3).await;
            let leases: Vec<Lease> = self.lock().keys().copied().collect();
            if leases.is_empty() {
                continue;
            }
            let requested_at = Instant::now();
            match store.renew(leases.clone(), self.duration).await {
                Ok(renewed) => {
                    failing = false;
                    self.extend(&leases, &renewed, requested_at);
                }
                Err(error) if !failing => {
                    failing = true;
                    warn!(owned = leases.len(), "cannot renew leases, retrying: {error}");
                }
                Err(_) => {}
            }
        }
    }

    /// A lease that was lost stays as it is and runs out: its holder finds out at the commit.
    fn extend(&self, leases: &[Lease], renewed: &[bool], requested_at: Instant) {
        let mut owned = self.lock();
        for (lease, _) in leases.iter().zip(renewed).filter(|(_, renewed)| **renewed) {
            if let Some(until) = owned.get_mut(lease) {
                *until = requested_at + self.duration;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Lease, Instant>> {
        // Every critical section is a single map operation: a poisoned map is still whole.
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseGuard {
    /// Whether nobody else can have claimed the step yet. To be asked before anything is sent: a
    /// process that was suspended must not act on a lease that ran out meanwhile.
    pub(crate) fn is_owned(&self) -> bool {
        self.leases.lock().get(&self.lease).is_some_and(|until| Instant::now() < *until)
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.lease);
    }
}
