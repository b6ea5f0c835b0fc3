//! Commits what steps decided, many in one store call, and never gives up while the process lives.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use ferry_store::store_backoff;
use ferry_store::{Commit, Committed, Store, StoreError};
use ferry_types::clock::MonotonicClock;

/// The most that one store call commits.
const BATCH: usize = 256;

/// The committer is gone, or the store rejected the commit for good.
#[derive(Debug, thiserror::Error)]
#[error("the outcome of a step could not be committed")]
pub struct CommitError;

struct Request {
    commit: Commit,
    response: oneshot::Sender<Committed>,
}

/// Sends commits to the future that batches them.
#[derive(Debug, Clone)]
pub(super) struct Committer {
    requests: mpsc::Sender<Request>,
}

impl Committer {
    /// A committer, and the future that commits; it ends when every clone of the committer is gone and
    /// all is committed.
    pub(super) fn new(
        store: Arc<dyn Store>,
        monotonic: Arc<dyn MonotonicClock>,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (requests, incoming) = mpsc::channel(BATCH);
        (Self { requests }, run(store, monotonic, incoming))
    }

    /// Commits one transition, together with all others that wait.
    pub(super) async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let (response, committed) = oneshot::channel();
        self.requests.send(Request { commit, response }).await.map_err(|_| CommitError)?;
        committed.await.map_err(|_| CommitError)
    }
}

async fn run(
    store: Arc<dyn Store>,
    monotonic: Arc<dyn MonotonicClock>,
    mut incoming: mpsc::Receiver<Request>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while incoming.recv_many(&mut batch, BATCH).await > 0 {
        let (commits, responses): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|request| (request.commit, request.response)).unzip();
        match record(store.as_ref(), monotonic.as_ref(), commits).await {
            Ok(outcomes) => {
                for (response, committed) in responses.into_iter().zip(outcomes) {
                    // A step that was aborted no longer listens; its outcome is recorded all the same.
                    let _ = response.send(committed);
                }
            }
            // The responses are dropped: the steps see that nothing was recorded, and their leases
            // expire.
            Err(error) => error!(%error, "cannot commit {} steps", responses.len()),
        }
    }
}

/// A store that is away for a while must not cost an outcome: the commit is repeated until it responds.
async fn record(
    store: &dyn Store,
    monotonic: &dyn MonotonicClock,
    commits: Vec<Commit>,
) -> Result<Vec<Committed>, StoreError> {
    let mut delays = store_backoff();
    loop {
        match store.commit(commits.clone()).await {
            Err(error) if error.is_temporary() => {
                debug!(steps = commits.len(), %error, "cannot commit steps, retrying");
                monotonic.sleep(delays.next().unwrap_or_default()).await;
            }
            committed_or_failed => return committed_or_failed,
        }
    }
}
