//! A decision of a worker, as plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Delivery, LastRequest, Lasting, Processing, Reason, State, StepKind};
use crate::domain::account::Signal;
use crate::domain::outcome::Content;
use crate::domain::{SubmissionId, Timestamp};

/// A step that is to come, counted from the time of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NextStep {
    /// The kind of step.
    pub kind: StepKind,
    /// The delay. A duration and not a time, so that only the store's clock matters.
    pub after: Duration,
}

/// A final state that a worker may decide for. Cancellations are requested by operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The results are stored.
    Completed,
    /// The Platform rejected the data.
    Rejected,
    /// Ferry gave up.
    Failed,
}

impl Outcome {
    /// The final state.
    pub const fn state(self) -> State {
        match self {
            Self::Completed => State::Completed,
            Self::Rejected => State::Rejected,
            Self::Failed => State::Failed,
        }
    }
}

/// Everything that may follow a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Next {
    /// Another step, or the same one again; the submission waits in the state of that step.
    Step(NextStep),
    /// An operator must decide.
    Held,
    /// The submission ends.
    End(Outcome),
    /// The submission has ended before, and its outcome was, or was not, delivered.
    Delivery {
        /// The attempt that was made.
        delivery: Delivery,
        /// The delay before the next attempt; none if this was the last one.
        again: Option<Duration>,
    },
}

impl Next {
    /// A step of `kind` after a delay.
    pub const fn step(kind: StepKind, after: Duration) -> Self {
        Self::Step(NextStep { kind, after })
    }

    /// The state that follows; none where it stays as it is.
    pub const fn state(&self) -> Option<State> {
        match self {
            Self::Step(next) => next.kind.waiting_state(),
            Self::Held => Some(State::Held),
            Self::End(outcome) => Some(outcome.state()),
            Self::Delivery { .. } => None,
        }
    }

    /// The delay before the step that follows; none if none does.
    pub const fn delay(&self) -> Option<Duration> {
        match self {
            Self::Step(next) => Some(next.after),
            Self::Delivery { again, .. } => *again,
            Self::Held | Self::End(_) => None,
        }
    }
}

/// A decision about a step: the only way in which a worker changes a submission.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transition {
    /// The state or step that follows.
    pub next: Next,
    /// Reason of the next state, if it needs one; none clears an older reason.
    pub reason: Option<Reason>,
    /// True if the upload that was claimed counts as an attempt: its request was sent.
    pub attempt_spent: bool,
    /// True if the request of a poll was sent.
    pub polled: bool,
    /// Failures in a row, after this step.
    pub failures: u32,
    /// Responses that end the step if they last, after this step.
    pub lasting: Lasting,
    /// True if an upload may have arrived, after this step.
    pub upload_ambiguous: bool,
    /// The processing token, if the upload was accepted.
    pub processing_token: Option<String>,
    /// The word with which the Platform decided against the dataset, if it just did.
    pub rejection: Option<String>,
    /// Durations of the processing, if this step showed any.
    pub processing: Option<Processing>,
    /// Request to the Platform that this step sent last, if it sent any.
    pub last_request: Option<LastRequest>,
    /// A later deadline, if the upload was accepted so late that too little time is left for polls; of a
    /// commit, by the store's own time.
    pub deadline: Option<Timestamp>,
    /// Fetched contents, by key.
    pub contents: Vec<(String, Content)>,
    /// The effect of this step on the account's health.
    pub signal: Signal,
}

impl Transition {
    /// To `next`, and nothing else is known.
    pub const fn to(next: Next) -> Self {
        Self {
            next,
            reason: None,
            attempt_spent: true,
            polled: false,
            failures: 0,
            lasting: Lasting { weight: 0, waited_ms: 0 },
            upload_ambiguous: false,
            processing_token: None,
            rejection: None,
            processing: None,
            last_request: None,
            deadline: None,
            contents: Vec::new(),
            signal: Signal::None,
        }
    }

    /// The state that follows; none where it stays as it is.
    pub const fn state(&self) -> Option<State> {
        self.next.state()
    }

    /// The delay before the step that follows; none if none does.
    pub const fn delay(&self) -> Option<Duration> {
        self.next.delay()
    }
}

/// A line of a submission's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TimelineEntry {
    /// Time of the change.
    pub at: Timestamp,
    /// The state from then on.
    pub state: State,
    /// Description of what happened, and the reason.
    pub message: String,
}

/// The transition is not in the table, or contradicts the step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("submission {id} may not go from `{from}` to `{to}`")]
pub struct IllegalTransitionError {
    /// The submission.
    pub id: SubmissionId,
    /// Its state.
    pub from: State,
    /// The state that was asked for.
    pub to: State,
}

/// Result of a rule: the line that belongs in the timeline, if more than a counter changed.
pub type Ruled<E> = Result<Option<TimelineEntry>, E>;
