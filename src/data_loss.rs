//! Watches the store of a process for lost data: logs each loss once, counts it, reports it in the
//! store for `ferry doctor`, and follows it until an operator acknowledges it or the data is back.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, info};

use crate::metrics::{Counter, Gauge, Metrics, metrics};
use ferry_store::Store;

/// Time between two comparisons: half of the second within which a loss must be noticed.
const DELAY: Duration = Duration::from_millis(500);

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
pub async fn watch(store: Arc<dyn Store>, metrics: &Metrics) {
    let (continuity, metrics) = (store.continuity(), metrics.of::<DataLossMetrics>());
    let (mut logged, mut is_open) = (0, false);
    loop {
        if let Err(error) = store.look().await {
            // Claims, commits and requests log it.
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
        tokio::select! {
            () = tokio::time::sleep(DELAY) => {}
            () = continuity.changed() => {}
        }
    }
}
