//! Receives from other processes, and from this one, which steps will be due.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use tracing::{debug, info, warn};

use super::connection::RedisConnection;
use crate::backoff::store_backoff;
use crate::{StoreError, Wakeups};
use ferry_types::domain::submission::StepKind;
use ferry_types::domain::timestamp;
use ferry_types::recurring::Recurring;

/// Name of the channel, after the namespace. Up to layout 3 it was `wake`: who listens there is an older version.
const CHANNEL: &str = "due_times";

/// Time without a message after which a ping shows if the server is still there.
const QUIET: Duration = Duration::from_secs(20);

/// Delay between two looks for due steps where the server's user may not subscribe.
const LOOK: Duration = Duration::from_secs(1);

/// Time limit of the response to a ping.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Wakes workers for as long as the process lives.
pub(super) async fn listen(link: Arc<RedisConnection>, location: String, wakeups: Arc<Wakeups>) {
    let channel = format!("{}{CHANNEL}", link.base());
    let (failures, mut delays) = (Recurring::default(), store_backoff());
    loop {
        match link.listen(&channel).await {
            Ok(connection) => {
                failures.worked(|failures| {
                    info!(failures, "store notifications are available again");
                });
                delays = store_backoff();
                // Messages of the meantime were lost.
                wakeups.all();
                receive(connection, &wakeups).await;
                debug!("the subscription to store notifications ended, subscribing again");
            }
            Err(error) => {
                let error = error.with_location(&location);
                let mut delay = delays.next().unwrap_or_default();
                if matches!(error, StoreError::Unavailable { .. }) {
                    debug!(%error, "cannot subscribe to store notifications, retrying");
                } else {
                    failures.failed(|| {
                        warn!(%error, "cannot subscribe to store notifications, retrying");
                    });
                    // No message wakes a worker.
                    wakeups.all();
                    delay = delay.min(LOOK);
                }
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// Passes messages on until the connection is lost.
async fn receive(connection: PubSub, wakeups: &Wakeups) {
    let (mut sink, mut messages) = connection.split();
    loop {
        match tokio::time::timeout(QUIET, messages.next()).await {
            Ok(Some(message)) => pass_on(message.get_payload_bytes(), wakeups),
            Ok(None) => return,
            Err(_) => {
                let ponged = tokio::time::timeout(TIMEOUT, sink.ping::<redis::Value>()).await;
                if !matches!(ponged, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

/// A message is `all`, or pairs of a kind and its earliest due time.
pub(super) fn pass_on(message: &[u8], wakeups: &Wakeups) {
    let due = |pair: &str| {
        let (kind, due) = pair.split_once(':')?;
        Some((kind.parse::<StepKind>().ok()?, timestamp(due.parse().ok()?)))
    };
    let text = String::from_utf8_lossy(message);
    match text.split(' ').map(due).collect::<Option<Vec<_>>>() {
        Some(pairs) => pairs.into_iter().for_each(|(kind, due)| wakeups.scheduled(kind, due)),
        // Whatever a newer Ferry may say.
        None => wakeups.all(),
    }
}
