//! Rescues the steps of lost workers, and removes what is older than the retention.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, warn};

use super::metrics::WorkerMetrics;
use super::policy::Policy;
use ferry_store::{Rescued, Store, StoreError};
use ferry_types::clock::MonotonicClock;

/// Longest time between two looks where the store notices at once that a process ended.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Repeats that without end, three times per lease.
pub(super) async fn keep_house(
    store: Arc<dyn Store>,
    policy: Policy,
    metrics: Arc<WorkerMetrics>,
    monotonic: Arc<dyn MonotonicClock>,
) {
    // Elsewhere nothing can be found sooner, and an idle worker leaves its server alone.
    let longest = if store.notices_ended_processes() { LONGEST_DELAY } else { Duration::MAX };
    let delay = (policy.lease / 3).clamp(Duration::from_millis(10), longest);
    loop {
        if let Err(error) = keep_house_once(store.as_ref(), policy.retention, &metrics).await {
            debug!(%error, "housekeeping failed, retrying");
        }
        monotonic.sleep(delay).await;
    }
}

async fn keep_house_once(
    store: &dyn Store,
    retention: Duration,
    metrics: &WorkerMetrics,
) -> Result<(), StoreError> {
    let rescued = rescue_all(store).await?;
    metrics.rescued.add((), rescued.due);
    if rescued.due > 0 {
        let (count, s) = (rescued.due, if rescued.due == 1 { "" } else { "s" });
        warn!(count, "a worker was lost: its {count} step{s} will run again");
    }
    if rescued.held > 0 {
        let (count, s) = (rescued.held, if rescued.held == 1 { "" } else { "s" });
        error!(count, "held {count} submission{s} whose step crashed its worker again and again");
    }
    let mut removed = 0;
    loop {
        let swept = store.sweep(retention).await?;
        removed += swept;
        if swept == 0 {
            break;
        }
    }
    if removed > 0 {
        debug!(submissions = removed, "removed {removed} submissions past their retention");
    }
    Ok(())
}

/// A call of the store rescues a few hundred at most; a lost worker may have had more.
async fn rescue_all(store: &dyn Store) -> Result<Rescued, StoreError> {
    let mut all = Rescued::default();
    loop {
        let rescued = store.rescue().await?;
        all.due += rescued.due;
        all.held += rescued.held;
        all.cancelled += rescued.cancelled;
        if rescued == Rescued::default() {
            return Ok(all);
        }
    }
}
