//! Watches the store of a process. Logs each outage once, when it begins and when it ends, for all
//! parts of the process together. Logs each loss of data once, counts it, reports it in the store for
//! `ferry doctor`, and follows it until an operator acknowledges it or the data is back.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::metrics::{Counter, Gauge, Metrics, metrics};
use crate::store_failures::StoreFailures;
use ferry_store::Store;

/// Time between two comparisons: half of the second within which a loss must be noticed.
const DELAY: Duration = Duration::from_millis(500);

/// An operation that has not failed for so long is not being retried: after a restart of the store no
/// producer may submit for hours. Longer than the delay between two retries.
const OLD: Duration = Duration::from_secs(5);

metrics! {
    /// The metrics of the watch.
    pub struct DataLossMetrics {
        /// Losses of data that this process detected in its store.
        losses: Counter = "ferry_store_data_loss_total";
        /// 1 from the detection of a loss until an operator acknowledges it or the data is back.
        unacknowledged: Gauge = "ferry_store_data_loss_unacknowledged";
    }
}

/// Watches the store for as long as it is polled.
pub async fn watch(store: Arc<dyn Store>, failures: StoreFailures, metrics: &Metrics) {
    let (continuity, metrics) = (store.continuity(), metrics.of::<DataLossMetrics>());
    let (mut logged, mut is_open, mut is_out) = (0, false, false);
    loop {
        if let Err(error) = store.look().await {
            debug!(%error, "the store could not be compared");
        }
        match continuity.loss() {
            Some(loss) if loss.ordinal > logged => {
                error!(
                    store.before = %loss.before,
                    store.after = %loss.after,
                    "{loss}; compare it with a backup; after a restore run `ferry doctor --after-restore --acknowledge`, otherwise `ferry doctor --acknowledge`"
                );
                metrics.losses.add((), loss.ordinal - logged);
                metrics.unacknowledged.set((), 1.0);
                (logged, is_open) = (loss.ordinal, true);
                // Not again later: it may have been acknowledged meanwhile.
                if let Err(error) = store.report_loss(&loss).await {
                    debug!(%error, "the loss could not be reported in the store");
                }
            }
            None if is_open => {
                info!("the store is ready again: the loss was acknowledged, or the data is back");
                metrics.unacknowledged.set((), 0.0);
                is_open = false;
            }
            _ => {}
        }
        is_out = log_outage(store.as_ref(), &failures, is_out).await;
        tokio::select! {
            () = tokio::time::sleep(DELAY) => {}
            () = continuity.changed() => {}
        }
    }
}

/// Logs the begin and the end of an outage. Returns true from its line until its end.
async fn log_outage(store: &dyn Store, failures: &StoreFailures, was_logged: bool) -> bool {
    let Some(outage) = failures.outage() else { return false };
    // A loss makes operations fail, too, and has a line of its own.
    let is_new = !was_logged && store.continuity().loss().is_none();
    if is_new {
        let hint = outage.error.hint().unwrap_or("check it: `ferry doctor`");
        warn!(error = %outage.error, "the store fails, retrying; {hint}");
    }
    if failures.are_old(OLD) && store.probe_write().await.is_ok() {
        failures.forget(OLD);
    }
    let is_logged = was_logged || is_new;
    let Some(outage) = failures.take_ended() else { return is_logged };
    if is_logged {
        let lasted = Duration::from_secs(outage.since.elapsed().as_secs_f64().ceil() as u64);
        let (lasted, failures) = (humantime::format_duration(lasted), outage.failures);
        info!(failures, "the store works again after {lasted}");
    }
    false
}
