//! The metrics of workers and of the intake.

use ferry_types::domain::submission::{ReasonCode, State, StepKind};

use crate::metrics::{
    Counter, Gauge, Histogram, Label, Labels, REQUEST_SECONDS, Sets, label, metrics,
};

const LIFE_SECONDS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0,
    86400.0,
];
const LAG_SECONDS: &[f64] =
    &[0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const POLLS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0, 128.0, 512.0];

metrics! {
    /// The metrics of the workers of a process.
    pub struct WorkerMetrics {
        /// State changes of submissions that this process made.
        transitions: Counter<Change> = "ferry_transitions_total";
        /// Submissions that this process brought to a final state.
        finished: Counter<FinalState> = "ferry_submissions_finished_total";
        /// Time from the acceptance of a submission to its final state, in seconds.
        lives: Histogram<FinalState> = "ferry_submission_duration_seconds" in LIFE_SECONDS;
        /// Time from the claim of a step to its commit, in seconds.
        durations: Histogram<StepKind> = "ferry_step_duration_seconds" in REQUEST_SECONDS;
        /// Runs of steps in this process, by reason code, `ok` if there is none.
        runs: Counter<(StepKind, StepResult)> = "ferry_step_runs_total";
        /// Time from due to claimed, in seconds, by kind of step.
        lag: Histogram<StepKind> = "ferry_step_lag_seconds" in LAG_SECONDS;
        /// Polls of a submission whose request was sent, counted when it is final.
        polls: Histogram = "ferry_polls_per_submission" in POLLS;
        /// Polls that returned a status word that is not configured.
        unknown_status: Counter = "ferry_unknown_status_total";
        /// Steps that this process may run at once.
        slots: Gauge<StepKind> = "ferry_worker_slots";
        /// Steps that this process runs now.
        busy: Gauge<StepKind> = "ferry_worker_busy_slots";
        /// Steps that this process rescued because their lease expired.
        rescued: Counter = "ferry_leases_rescued_total";
        /// Stale commits: another worker owned the step by then.
        commit_conflicts: Counter = "ferry_commit_conflicts_total";
    }
}

impl WorkerMetrics {
    /// Counts a change of state, if it is one.
    pub fn transition(&self, from: State, to: State) {
        if from != to {
            self.transitions.inc(Change { from, to });
            if to.is_final() {
                self.finished.inc(FinalState(to));
            }
        }
    }
}

/// A legal change of state.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    from: State,
    to: State,
}

impl Labels for Change {
    const NAMES: &'static [&'static str] = &["from", "to"];

    fn combinations(_: &Sets) -> Vec<Vec<&str>> {
        let pair = |from: State| State::ALL.into_iter().map(move |to| (from, to));
        let pairs = State::ALL.into_iter().flat_map(pair);
        let legal = pairs.filter(|(from, to)| from != to && from.may_become(*to));
        legal.map(|(from, to)| vec![from.as_str(), to.as_str()]).collect()
    }

    fn values<'a>(&self, _: &'a Sets) -> Option<Vec<&'a str>> {
        Some(vec![self.from.as_str(), self.to.as_str()])
    }
}

/// A final state.
#[derive(Debug, Clone, Copy)]
pub struct FinalState(pub State);

impl Label for FinalState {
    const NAME: &'static str = "outcome";

    fn all(_: &Sets) -> Vec<&str> {
        State::ALL.into_iter().filter(|state| state.is_final()).map(State::as_str).collect()
    }

    fn value<'a>(&self, _: &'a Sets) -> Option<&'a str> {
        Some(self.0.as_str())
    }
}

/// The reason that a step left, if any.
#[derive(Debug, Clone, Copy)]
pub struct StepResult(pub Option<ReasonCode>);

impl Label for StepResult {
    const NAME: &'static str = "result";

    fn all(_: &Sets) -> Vec<&str> {
        ["ok"].into_iter().chain(ReasonCode::ALL.map(ReasonCode::as_str)).collect()
    }

    fn value<'a>(&self, _: &'a Sets) -> Option<&'a str> {
        Some(self.0.map_or("ok", ReasonCode::as_str))
    }
}

metrics! {
    /// The metrics of the intake.
    pub struct IntakeMetrics {
        /// Submission requests received, by source and result.
        received: Counter<(Source, IntakeResult)> = "ferry_submissions_received_total";
    }
}

label! {
    /// The origin of a submission.
    pub enum Source: "source" {
        /// The command line, from CSV files.
        Cli = "cli",
        /// The command line, from NDJSON.
        Ndjson = "ndjson",
        /// The HTTP API.
        Api = "api",
        /// Other Rust services, with apalis-redis.
        Apalis = "apalis",
    }
}

label! {
    /// The result of a request to submit.
    pub enum IntakeResult: "result" {
        /// It is stored.
        Accepted = "accepted",
        /// It was accepted before, under its idempotency key.
        Duplicate = "duplicate",
        /// Its idempotency key belongs to other content.
        Conflict = "conflict",
        /// It is invalid.
        Invalid = "invalid",
        /// The store did not accept it.
        Failed = "failed",
    }
}
