//! The checks of a store that could lose data: at the start and every few minutes, for log, metric and
//! findings.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::{error, info, warn};

use crate::metrics::{Gauge, Metrics, metrics};
use ferry_store::{CheckResult, Store, StoreError};

/// Delay after a check that said nothing.
const DELAY: Duration = Duration::from_secs(2);

/// A look at everything that could endanger the data may read all of it, and is taken less often.
const CHECK_DELAY: Duration = Duration::from_mins(5);

/// Checking takes at most one part in so many of the time, however long it takes.
const SHARE: u32 = 20;

metrics! {
    /// The metric of the durability check.
    pub struct DurabilityMetrics {
        /// 1 if the durability check passed; 0 also before the first check.
        durable: Gauge = "ferry_store_durable";
    }
}

/// Findings of the last check of the store of a process. Clones have the same.
#[derive(Debug, Clone, Default)]
pub struct Durability(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    checks: Vec<CheckResult>,
    at: Option<Instant>,
}

impl Durability {
    /// The checks that failed.
    pub(crate) fn failed(&self) -> Vec<CheckResult> {
        self.0.lock().checks.iter().filter(|found| !found.ok).cloned().collect()
    }

    /// Checks, unless the last check is young. An error says nothing about durability: other reads have it.
    pub(crate) async fn refresh(&self, store: &dyn Store) {
        if self.0.lock().at.is_none_or(|at| at.elapsed() >= CHECK_DELAY) {
            drop(self.check(store).await);
        }
    }

    async fn check(&self, store: &dyn Store) -> Result<(), StoreError> {
        let checks = store.check().await?;
        *self.0.lock() = Found { checks, at: Some(Instant::now()) };
        Ok(())
    }

    /// Checks the durability of the store at start and every few minutes, for as long as it is polled.
    /// Logs each problem once, and once more if it comes back.
    pub async fn watch(self, store: Arc<dyn Store>, metrics: Arc<Metrics>) {
        let metrics = metrics.of::<DurabilityMetrics>();
        loop {
            let (started, logged) = (Instant::now(), self.0.lock().checks.clone());
            let checked = self.check(store.as_ref()).await;
            let (is_durable, was_durable) = (self.failed().is_empty(), is_durable(&logged));
            metrics.durable.set_if((), checked.is_ok() && is_durable);
            // An error says nothing about durability: the store may be starting, so ask again soon.
            let delay = if checked.is_ok() { CHECK_DELAY } else { DELAY };
            let found = self.0.lock().checks.clone();
            found.iter().filter(|finding| !logged.contains(finding)).for_each(log);
            if is_durable && !was_durable {
                info!("the store is durable again");
            }
            tokio::time::sleep(delay.max(started.elapsed() * SHARE)).await;
        }
    }
}

fn is_durable(findings: &[CheckResult]) -> bool {
    findings.iter().all(|finding| finding.ok)
}

fn log(finding: &CheckResult) {
    let Some(hint) = &finding.hint else { return };
    if finding.ok {
        warn!(hint, "durability of the store: {}", finding.text);
    } else {
        error!(hint, "the store is not durable: {}", finding.text);
    }
}
