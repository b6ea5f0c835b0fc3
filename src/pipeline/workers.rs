//! Polls the workers of a process: one apalis worker for each kind of step, and the tasks beside them.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{Monitor, ParallelizeExt, WorkerBuilder};
use parking_lot::Mutex;
use tracing::error;

use super::backend::StepBackend;
use super::claimer::LeasedStep;
use super::executor::Executor;
use super::metrics::WorkerMetrics;
use super::parts::{WorkerParts, Workers};
use crate::shutdown::Shutdown;
use ferry_types::clock::MonotonicClock;
use ferry_types::domain::submission::StepKind;

/// Shortest time for the last outcomes of a process that was asked to end at once.
const LAST_OUTCOMES: Duration = Duration::from_millis(500);

/// Part of the shutdown timeout that is left for the last outcomes: one in so many.
const LAST_PART: u32 = 10;

/// The workers ended in a way that was not asked for.
#[derive(Debug, thiserror::Error)]
#[error("the workers ended: {0}")]
pub struct WorkersError(String);

impl Workers {
    /// Runs steps until the shutdown drains: then what is claimed and not begun is released, and what
    /// runs has the policy's shutdown timeout to end.
    pub async fn run(self) -> Result<(), WorkersError> {
        let (metrics, kinds) = (self.metrics.of::<WorkerMetrics>(), self.kinds.clone());
        let ended = self.run_until_stopped().await;
        for kind in kinds {
            metrics.slots.set(kind, 0.0);
        }
        ended
    }

    async fn run_until_stopped(self) -> Result<(), WorkersError> {
        let (shutdown, timeout) = (self.shutdown.clone(), self.policy.shutdown_timeout);
        let (store, monotonic) = (self.store.clone(), self.monotonic.clone());
        // Both together take no longer than the timeout, after which a supervisor may kill the process.
        let last = LAST_OUTCOMES.max(timeout / LAST_PART);
        let WorkerParts { executor, queues, committer, renewal, housekeeping, intake } =
            self.parts();
        let committer = tokio::spawn(committer);
        let mut monitor = Monitor::new();
        for queue in queues {
            let kind = queue.kind;
            let backend = StepBackend::spawn(store.clone(), monotonic.clone(), queue);
            monitor = register(monitor, kind, backend, executor.clone());
        }
        drop(executor);
        let signal = {
            let shutdown = shutdown.clone();
            async move {
                shutdown.draining().await;
                Ok(())
            }
        };
        let background = async {
            let intake = async {
                match intake {
                    Some(intake) => intake.await,
                    None => std::future::pending().await,
                }
            };
            let abort = abort_late(&shutdown, monotonic.as_ref(), timeout.saturating_sub(last));
            tokio::join!(renewal, housekeeping, intake, abort)
        };
        let run = async {
            let ended = monitor.run_with_signal(signal).await;
            // Every step has its outcome with the committer; the last of them are committed too.
            (ended, committer.await)
        };
        let (ended, committed) = tokio::select! {
            ended = run => ended,
            _ = background => unreachable!("the renewal of leases never ends"),
            () = too_late(&shutdown, monotonic.as_ref(), last) => {
                error!("ended with outcomes that the store did not commit: their leases expire");
                return Ok(());
            }
        };
        ended.map_err(|error| WorkersError(error.to_string()))?;
        committed.map_err(|error| WorkersError(error.to_string()))
    }
}

fn register(
    monitor: Monitor,
    kind: StepKind,
    backend: StepBackend,
    executor: Arc<Executor>,
) -> Monitor {
    // apalis asks a factory for a worker, once: its backend never fails, so it is never restarted.
    let parts = Mutex::new(Some((backend, executor)));
    monitor.register(move |_| {
        let mut parts = parts.lock();
        let (backend, executor) =
            parts.take().expect("a worker whose backend never fails runs once");
        WorkerBuilder::new(kind.as_str()).backend(backend).parallelize(tokio::spawn).build(
            move |step: LeasedStep| {
                let executor = executor.clone();
                async move { executor.run(step).await }
            },
        )
    })
}

/// A store that does not come back must not keep a stopped process from ending.
async fn too_late(shutdown: &Shutdown, monotonic: &dyn MonotonicClock, last: Duration) {
    shutdown.aborting().await;
    monotonic.sleep(last).await;
}

async fn abort_late(shutdown: &Shutdown, monotonic: &dyn MonotonicClock, timeout: Duration) {
    shutdown.draining().await;
    monotonic.sleep(timeout).await;
    shutdown.abort();
}
