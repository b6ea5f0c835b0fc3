//! Counts, traces and logs the steps of a process; nothing else of a step does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::{debug, error, info, warn};

use super::metrics::{FinalState, StepResult, WorkerMetrics};
use crate::traces::{StepTrace, Traces};
use crate::webhook::Attempt;
use ferry_store::{Claim, Committed};
use ferry_types::domain::outcome::{PlatformError, Status};
use ferry_types::domain::submission::{Reason, State, Submission, Transition, shown_origin};
use ferry_types::domain::{Timestamp, until};
use ferry_types::recurring::Recurring;

/// Maximum number of different texts of the Platform that the log shows of each kind, and of receivers that
/// fail at once.
const MAX_SHOWN: usize = 100;

/// Observes the steps of a process.
#[derive(Debug)]
pub(super) struct StepObserver {
    metrics: Arc<WorkerMetrics>,
    traces: Traces,
    /// Unknown statuses that were logged.
    unknown_statuses: Mutex<HashSet<String>>,
    /// Unreadable responses that were logged.
    unreadable: Mutex<HashSet<String>>,
    /// Receivers of webhooks that fail at present.
    failing_receivers: Mutex<HashMap<String, Recurring>>,
}

/// A step whose outcome the store has, or does not want.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) committed: Committed,
    pub(super) reason: Option<Reason>,
    pub(super) polled: bool,
    /// The store's time.
    pub(super) now: Timestamp,
    /// From the claim until the commit.
    pub(super) duration: Duration,
}

impl StepObserver {
    pub(super) fn new(metrics: Arc<WorkerMetrics>, traces: Traces) -> Self {
        Self {
            metrics,
            traces,
            unknown_statuses: Mutex::default(),
            unreadable: Mutex::default(),
            failing_receivers: Mutex::default(),
        }
    }

    /// A step begins; returns its trace.
    pub(super) fn begun(&self, claim: &Claim) -> StepTrace {
        self.metrics.lag.observe(claim.kind, claim.lag.as_secs_f64());
        self.traces.step(&claim.submission, claim.kind)
    }

    /// A status was requested.
    pub(super) fn status(&self, response: &Result<Status, PlatformError>) {
        match response {
            Ok(Status::Pending { status, known: false, .. }) => {
                self.metrics.unknown_status.inc(());
                if is_new(&self.unknown_statuses, status) {
                    warn!("the Platform's status `{status}` is not configured: taken as pending");
                }
            }
            Ok(_) => {}
            Err(error) => self.failed_request(error),
        }
    }

    /// A request failed. A response that cannot be read is logged, each once.
    pub(super) fn failed_request(&self, error: &PlatformError) {
        let (PlatformError::Unreadable(what) | PlatformError::NotYet { what, .. }) = error else {
            return;
        };
        if is_new(&self.unreadable, what) {
            warn!(error = %what, "unexpected response of the Platform");
        }
    }

    /// A webhook was attempted. A receiver that fails is logged when that begins, and when it ends.
    pub(super) fn attempted(&self, url: &str, attempt: &Attempt) {
        let (receiver, mut failing) = (shown_origin(url), self.failing_receivers.lock());
        if attempt.is_acknowledged() {
            if let Some(failures) = failing.remove(&receiver) {
                failures.worked(|failures| info!(failures, "webhooks reach `{receiver}` again"));
            }
        } else if failing.len() < MAX_SHOWN || failing.contains_key(&receiver) {
            let failures = failing.entry(receiver.clone()).or_default();
            failures.failed(|| warn!("webhooks do not reach `{receiver}`: {attempt}"));
        }
    }

    /// A webhook is not attempted again.
    pub(super) fn abandoned(submission: &Submission, last: &Attempt) {
        warn!(
            submission.id = %submission.id,
            "webhook delivery of `{}` abandoned: {last}; `ferry webhooks redeliver {}` begins again",
            submission.name, submission.id
        );
    }

    /// A step was decided.
    pub(super) fn decided(&self, claim: &Claim, transition: &Transition) {
        let result = StepResult(transition.reason.as_ref().map(|reason| reason.code));
        self.metrics.runs.inc((claim.kind, result));
    }

    /// The store has the outcome of a step, or does not want it.
    pub(super) fn recorded(&self, claim: &Claim, trace: &StepTrace, recorded: Recorded) {
        let Recorded { committed, reason, polled, now, duration } = recorded;
        match committed {
            Committed::Done(from, to) => {
                self.metrics.transition(from, to);
                trace.set_state(to, reason.as_ref().map(|reason| reason.code));
                let seconds = duration.as_secs_f64();
                self.metrics.durations.observe_with(claim.kind, seconds, trace.exemplar(now));
                if to.is_final() && from != to {
                    self.finished(&claim.submission, to, polled, now);
                }
                log_transition(claim, from, to, reason);
            }
            Committed::Stale => {
                trace.set_outcome("stale");
                self.metrics.commit_conflicts.inc(());
                warn!(
                    submission.id = %claim.lease.id,
                    "stale commit of `{}`, another worker owns the step, or it ended", claim.kind
                );
            }
            Committed::Illegal(illegal) => {
                trace.set_outcome("illegal");
                self.metrics.commit_conflicts.inc(());
                error!(
                    submission.id = %claim.lease.id, error = %illegal,
                    "cannot commit `{}`", claim.kind
                );
            }
        }
    }

    /// A step was not begun, or interrupted at no cost.
    pub(super) fn released(trace: &StepTrace) {
        trace.set_outcome("released");
    }

    /// The lease of an upload expired while its request was in flight.
    pub(super) fn lost(claim: &Claim, trace: &StepTrace) {
        trace.set_outcome("lost");
        warn!(
            submission.id = %claim.lease.id,
            "lease of `{}` expired, its request was aborted and may have arrived", claim.kind
        );
    }

    fn finished(&self, submission: &Submission, outcome: State, polled: bool, now: Timestamp) {
        let life = until(submission.created_at, now);
        let polls = submission.polls + u32::from(polled);
        self.metrics.lives.observe(FinalState(outcome), life.as_secs_f64());
        if submission.processing_token.is_some() {
            self.metrics.polls.observe((), f64::from(polls));
        }
    }
}

/// True the first time for each text. The Platform may invent them without end, and the log is bounded.
fn is_new(known: &Mutex<HashSet<String>>, text: &str) -> bool {
    let mut known = known.lock();
    known.len() < MAX_SHOWN && known.insert(text.to_owned())
}

/// One line for each change of state. A person is needed for one that is held, and perhaps for one that failed.
fn log_transition(claim: &Claim, from: State, to: State, reason: Option<Reason>) {
    let (submission, kind) = (&claim.submission, claim.kind);
    let why = reason.map(|reason| format!(": {}", reason.text)).unwrap_or_default();
    macro_rules! log {
        ($level:ident) => {
            $level!(
                submission.id = %submission.id,
                account = submission.account,
                "`{}` is {to}, was {from}{why}",
                submission.name
            )
        };
    }
    match to {
        _ if from == to => {
            debug!(submission.id = %submission.id, "`{}` stays {to} after {kind}{why}", submission.name);
        }
        State::Held => log!(error),
        State::Failed => log!(warn),
        _ => log!(info),
    }
}
