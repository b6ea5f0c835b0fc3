//! Accepts the requests that other Rust services push with apalis-redis, each task once, even if a
//! process is killed in between: a task is removed only when the store has its submission, under the
//! task's id.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::intake::{Intake, IntakeError, SourceLabels};
use crate::shutdown::Shutdown;
use ferry_store::redis::{DeadLetter, PushedRequests, Task};
use ferry_store::{Accepted, NewSubmission, StoreError};
use ferry_types::clock::{Clock, MonotonicClock};
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::bounded_json::{MAX_REQUEST_VALUES, from_json_within};
use ferry_types::recurring::Recurring;

/// Delay between two looks at an empty queue: a push wakes no process.
const DELAY: Duration = Duration::from_secs(1);

/// The most problems of a dataset that a dead letter names.
const NAMED: usize = 5;

/// The intake queue, and the intake that its requests go through.
#[derive(Debug)]
pub struct PushedIntake {
    /// The queue.
    pub requests: Arc<PushedRequests>,
    /// Checks and accepts them.
    pub intake: Intake,
    /// For the time of a dead letter.
    pub clock: Arc<dyn Clock>,
}

impl PushedIntake {
    /// Accepts requests until nothing new may begin.
    pub(super) async fn run(&self, shutdown: &Shutdown, monotonic: &dyn MonotonicClock) {
        let failures = Recurring::default();
        while !shutdown.is_draining() {
            match self.take().await {
                Ok(taken) => {
                    failures
                        .worked(|failures| info!(failures, "pushed requests are accepted again"));
                    if taken > 0 {
                        continue;
                    }
                }
                Err(error @ StoreError::Unavailable { .. }) => {
                    debug!(%error, "cannot accept pushed requests, retrying");
                }
                // The queue's own: another user right, for instance.
                Err(error) => {
                    failures.failed(|| warn!(%error, "cannot accept pushed requests, retrying"));
                }
            }
            tokio::select! {
                biased;
                () = monotonic.sleep(DELAY) => {}
                () = shutdown.draining() => {}
            }
        }
        // The others need not wait for the end of the turn to be sure.
        std::future::pending::<()>().await;
    }

    /// Accepts what is due, at most a few hundred. Returns how many tasks there were.
    async fn take(&self) -> Result<usize, StoreError> {
        let tasks = self.requests.peek(self.intake.largest_json()).await?;
        let count = tasks.len();
        let (mut ids, mut batch, mut letters) = (Vec::new(), Vec::new(), Vec::new());
        for task in tasks {
            match self.prepare(&task) {
                Ok(new) => {
                    ids.push(task.id);
                    batch.push(new);
                }
                Err(reason) => letters.push((task.id, self.error(reason))),
            }
        }
        let mut kept = Vec::with_capacity(ids.len());
        for (id, accepted) in ids.into_iter().zip(self.intake.accept(batch).await?) {
            match accepted {
                Accepted::New(_) | Accepted::Duplicate(_) => kept.push(id),
                Accepted::Conflict(other) => {
                    let reason =
                        format!("its idempotency key belongs to {other}, which has other content");
                    letters.push((id, self.error(reason)));
                }
            }
        }
        if !letters.is_empty() {
            warn!(
                requests = letters.len(),
                "{} pushed requests are invalid; `ferry intake list` shows them",
                letters.len()
            );
        }
        self.requests.add_dead_letters(&letters).await?;
        self.requests.remove(&kept).await?;
        if !kept.is_empty() {
            info!(requests = kept.len(), "accepted {} pushed requests", kept.len());
        }
        Ok(count)
    }

    fn prepare(&self, task: &Task) -> Result<NewSubmission, String> {
        let largest = self.intake.largest_json();
        let args = task.args.as_ref().map_err(|bytes| {
            format!("the request has {bytes} bytes, more than {largest} (`max_dataset_bytes`)")
        })?;
        let mut request: SubmissionRequest = from_json_within(args, MAX_REQUEST_VALUES)
            // The parser's own words may quote a row.
            .map_err(|error| {
                format!(
                    "not a submission request: {:?} error at column {}",
                    error.classify(),
                    error.column()
                )
            })?;
        request.idempotency_key.get_or_insert_with(|| format!("apalis:{}", task.id));
        let prepared = self.intake.prepare(request, &SourceLabels::default());
        prepared.map(|prepared| prepared.new).map_err(|error| explain(&error))
    }

    fn error(&self, reason: String) -> DeadLetter {
        DeadLetter { at: self.clock.now(), reason }
    }
}

fn explain(error: &IntakeError) -> String {
    let IntakeError::Dataset(reports) = error else { return error.to_string() };
    let problems = reports
        .iter()
        .flat_map(|report| report.errors().map(|problem| format!("{}: {problem}", report.file)));
    let named: Vec<String> = problems.take(NAMED).collect();
    let all: usize = reports.iter().map(|report| report.errors().count()).sum();
    let more = all.saturating_sub(named.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{error}: {}{more}", named.join("; "))
}
