//! Rescues the steps of lost workers, and removes what is older than the retention.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, warn};

use super::contact::Contact;
use super::metrics::WorkerMetrics;
use super::policy::Policy;
use ferry_store::{Rescued, Store, StoreError};
use ferry_types::clock::MonotonicClock;
use ferry_types::domain::submission::MAX_UNCOMMITTED_CLAIMS;

/// Longest time between two looks for lost workers, and where the store notices that a process has ended.
/// Each look also compares the clocks of a store that is a server.
const LONGEST_DELAY: Duration = Duration::from_secs(3);
const LONGEST_DELAY_OF_ENDED: Duration = Duration::from_secs(1);

/// Time between two removals of what is older than the retention.
const SWEEP_INTERVAL: Duration = Duration::from_secs(15);

/// Keeps a store in order for one process.
#[derive(Debug)]
pub(super) struct Housekeeping {
    pub(super) store: Arc<dyn Store>,
    pub(super) policy: Policy,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) monotonic: Arc<dyn MonotonicClock>,
}

impl Housekeeping {
    /// Repeats that without end, five times per lease or more.
    pub(super) async fn run(self) {
        let notices = self.store.notices_ended_processes();
        let longest = if notices { LONGEST_DELAY_OF_ENDED } else { LONGEST_DELAY };
        let delay = (self.policy.lease / 5).clamp(Duration::from_millis(10), longest);
        let mut contact = Contact::new(self.policy.lease);
        let mut swept = None;
        loop {
            let now = self.monotonic.now();
            let sweeps = swept.is_none_or(|swept| now.since(swept) >= SWEEP_INTERVAL);
            match self.run_once(&mut contact, sweeps).await {
                Ok(()) if sweeps => swept = Some(now),
                Ok(()) => {}
                Err(error) => {
                    contact.lost();
                    debug!(%error, "housekeeping failed, retrying");
                }
            }
            self.monotonic.sleep(delay).await;
        }
    }

    async fn run_once(&self, contact: &mut Contact, sweeps: bool) -> Result<(), StoreError> {
        self.rescue(contact).await?;
        if sweeps { self.sweep(contact).await } else { Ok(()) }
    }

    async fn rescue(&self, contact: &mut Contact) -> Result<(), StoreError> {
        let rescued = self.rescue_all(contact).await?;
        self.metrics.rescued.add((), rescued.due);
        if rescued.due > 0 {
            let (count, s) = (rescued.due, if rescued.due == 1 { "" } else { "s" });
            warn!(count, "a worker was lost: its {count} step{s} will run again");
        }
        if rescued.held > 0 {
            let (count, s) = (rescued.held, if rescued.held == 1 { "" } else { "s" });
            error!(
                count,
                "held {count} submission{s} whose step crashed its worker \
                 {MAX_UNCOMMITTED_CLAIMS} times"
            );
        }
        Ok(())
    }

    async fn sweep(&self, contact: &mut Contact) -> Result<(), StoreError> {
        let mut removed = 0;
        loop {
            let swept = self.store.sweep(self.policy.retention).await?;
            contact.responded(self.monotonic.now());
            removed += swept;
            if swept == 0 {
                break;
            }
        }
        if removed > 0 {
            debug!(count = removed, "removed {removed} submissions past their retention");
        }
        Ok(())
    }

    /// A call of the store rescues a few hundred at most; a lost worker may have had more.
    async fn rescue_all(&self, contact: &mut Contact) -> Result<Rescued, StoreError> {
        let mut all = Rescued::default();
        loop {
            let rescued = if contact.lasts(self.monotonic.now()) {
                self.store.rescue().await?
            } else {
                self.store.rescue_ended().await?
            };
            contact.responded(self.monotonic.now());
            all.due += rescued.due;
            all.held += rescued.held;
            all.cancelled += rescued.cancelled;
            if rescued == Rescued::default() {
                return Ok(all);
            }
        }
    }
}
