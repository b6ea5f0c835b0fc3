//! Watches the store of a process for lost data: logs each loss once, counts it, reports it in the
//! store for `ferry doctor`, and follows it until an operator acknowledges it or the data is back.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, info};

use crate::metrics::Metrics;
use ferry_store::Store;

/// Time between two comparisons: half of the second within which a loss must be noticed.
const DELAY: Duration = Duration::from_millis(500);

/// Watches the store for as long as it is polled.
pub async fn watch(store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    let continuity = store.continuity();
    let mut logged = 0;
    loop {
        if let Err(error) = store.look().await {
            // Claims, commits and requests log it.
            debug!("the store could not be compared: {error}");
        }
        match continuity.loss() {
            Some(loss) if loss.ordinal > logged => {
                error!(
                    store.before = %loss.before,
                    store.after = %loss.after,
                    "{loss}; compare it with a backup, then run `ferry doctor --acknowledge`"
                );
                metrics.store_lost_data(loss.ordinal - logged);
                logged = loss.ordinal;
                if let Err(error) = store.report_loss(&loss).await {
                    debug!("the loss could not be reported in the store: {error}");
                }
            }
            None if metrics.has_unacknowledged_loss() => {
                info!("the store is ready again: the loss was acknowledged, or the data is back");
                metrics.loss_settled();
            }
            _ => {}
        }
        tokio::select! {
            () = tokio::time::sleep(DELAY) => {}
            () = continuity.changed() => {}
        }
    }
}
