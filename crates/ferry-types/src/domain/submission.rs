//! A submission, its states, the one table of legal transitions, and the one way to apply one.

mod callback;
mod reason;
mod words;

pub use callback::{Callback, Delivery, DeliveryResult, shown_url};
pub use reason::{Reason, ReasonCode};
pub use words::UnknownWord;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::Signal;
use super::outcome::Content;
use super::{SubmissionId, Timestamp, TraceParent, later};
use words::words;

/// Where a submission is on its way.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for its upload, or for the next try of it.
    Queued,
    /// A worker uploads it.
    Uploading,
    /// The Platform has it; its status is asked for from time to time.
    Processing,
    /// The Platform has decided; results or feedback are being fetched.
    Collecting,
    /// Results are stored. Final.
    Completed,
    /// The Platform refused the data; its feedback is stored. Final.
    Rejected,
    /// Ferry gave up; the reason is stored. Final, though an operator may retry.
    Failed,
    /// A person called it off. Final.
    Cancelled,
    /// A person must decide.
    Held,
}

impl State {
    /// Every state, in the order of a submission's life.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Uploading,
        Self::Processing,
        Self::Collecting,
        Self::Completed,
        Self::Rejected,
        Self::Failed,
        Self::Cancelled,
        Self::Held,
    ];

    /// Whether nothing more happens by itself and the Name is free again.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Failed | Self::Cancelled)
    }

    /// The table of legal transitions. Staying in a state that is not final is always legal.
    pub const fn may_become(self, next: Self) -> bool {
        use State::{
            Cancelled, Collecting, Completed, Failed, Held, Processing, Queued, Rejected, Uploading,
        };
        match self {
            Queued => matches!(next, Queued | Uploading | Failed | Cancelled | Held),
            Uploading => {
                matches!(
                    next,
                    Uploading | Queued | Processing | Rejected | Failed | Cancelled | Held
                )
            }
            Processing => matches!(next, Processing | Collecting | Failed | Cancelled | Held),
            Collecting => {
                matches!(next, Collecting | Completed | Rejected | Failed | Cancelled | Held)
            }
            Held => matches!(next, Held | Queued | Processing | Collecting | Failed | Cancelled),
            // An operator's retry.
            Failed => matches!(next, Queued | Processing | Collecting),
            Completed | Rejected | Cancelled => false,
        }
    }

    /// The word for it, in every store, API and metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Uploading => "uploading",
            Self::Processing => "processing",
            Self::Collecting => "collecting",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
        }
    }
}

/// What kind of work is due.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Hand the dataset to the Platform.
    Upload,
    /// Ask for the status.
    Poll,
    /// Fetch the results or the feedback.
    Collect,
    /// Tell the outcome to whoever wants to hear it.
    Notify,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Upload, Self::Poll, Self::Collect, Self::Notify];

    /// Those that carry a submission, in their order.
    pub const CARRYING: [Self; 3] = [Self::Upload, Self::Poll, Self::Collect];

    /// The word for it, in every store, API and metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Poll => "poll",
            Self::Collect => "collect",
            Self::Notify => "notify",
        }
    }

    /// How often such a step of `submission` asks the Platform, if nothing goes wrong.
    pub fn requests(self, submission: &Submission) -> usize {
        match self {
            Self::Collect if submission.rejection.is_none() => submission.result_keys.len(),
            Self::Upload | Self::Poll | Self::Collect => 1,
            Self::Notify => 0,
        }
    }

    /// Whether such a step asks the Platform; whatever stops an account does not stop the others.
    pub fn asks_platform(self) -> bool {
        self != Self::Notify
    }

    /// The state of a submission that waits for this step. That to tell comes after the end, for which
    /// one stands here.
    pub const fn waiting_state(self) -> State {
        match self {
            Self::Upload => State::Queued,
            Self::Poll => State::Processing,
            Self::Collect => State::Collecting,
            Self::Notify => State::Completed,
        }
    }
}

/// Which of the steps of one account go first.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    High,
    /// The default.
    #[default]
    Normal,
    /// When nothing else of the account is due.
    Low,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

words!(State, "state");
words!(StepKind, "step");
words!(Priority, "priority");
words!(ReasonCode, "reason");

/// The key under which the feedback is stored among the results.
pub const FEEDBACK_KEY: &str = "feedback";

/// What is known of a stored result or feedback without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoredContent {
    /// The result key, or [`FEEDBACK_KEY`].
    pub key: String,
    /// The `Content-Type` that the Platform sent.
    pub content_type: Option<String>,
    /// The size of the body.
    pub bytes: u64,
}

/// One dataset on its way; everything but the dataset itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its id.
    pub id: SubmissionId,
    /// The Platform's `Name` of the dataset.
    pub name: String,
    /// The short name of the account that carries it.
    pub account: String,
    /// Where it is.
    pub state: State,
    /// Why it is there, where that needs saying.
    pub reason: Option<Reason>,
    /// Its place among the account's steps.
    pub priority: Priority,
    /// Whether a dataset of the same Name may be overwritten.
    pub overwrite: bool,
    /// What to fetch once it is completed.
    pub result_keys: Vec<String>,
    /// The producer's own marks.
    pub labels: BTreeMap<String, String>,
    /// Size of the dataset's CSV texts together.
    pub payload_bytes: u64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// When to give up.
    pub deadline: Timestamp,
    /// The submission that this one corrects.
    pub revision_of: Option<SubmissionId>,
    /// The producer's span that it belongs to.
    pub traceparent: Option<TraceParent>,
    /// What the Platform answered to the upload.
    pub processing_token: Option<String>,
    /// The word with which the Platform decided against the dataset, once it has.
    pub rejection: Option<String>,
    /// Uploads begun, less those that did not count.
    pub attempts: u32,
    /// Status checks answered.
    pub polls: u32,
    /// Troubles of the current step in a row.
    pub failures: u32,
    /// Whether an upload was begun whose outcome is not known.
    pub in_doubt: bool,
    /// The step that is due, or, of a held or failed submission, the one to go on with.
    pub step: Option<StepKind>,
    /// Of a failed submission whose outcome is being told, the step to go on with.
    pub resume: Option<StepKind>,
    /// When the step is due; none where nothing is.
    pub due_at: Option<Timestamp>,
    /// Until when a worker holds the step.
    pub leased_until: Option<Timestamp>,
    /// Whether it is to be cancelled as soon as its running step ends.
    pub cancel_requested: bool,
    /// What was fetched and can be read.
    pub results: Vec<StoredContent>,
    /// Who is to be told of the outcome.
    pub callback: Option<Callback>,
}

/// A step that is to come, counted from the moment of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextStep {
    /// What to do.
    pub kind: StepKind,
    /// How long to wait. A span and not a time, so that only the store's clock matters.
    pub after: Duration,
}

/// What a step decided: the only way in which a worker changes a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state that follows.
    pub to: State,
    /// Why, where that needs saying; none clears an older reason.
    pub reason: Option<Reason>,
    /// The step to schedule: some exactly if `to` is neither final nor held.
    pub next: Option<NextStep>,
    /// Whether the upload that was begun counts as an attempt.
    pub attempt_spent: bool,
    /// Whether a status check was answered.
    pub polled: bool,
    /// Troubles in a row, after this step.
    pub failures: u32,
    /// Whether an upload is in doubt, after this step.
    pub in_doubt: bool,
    /// The processing token, if the upload was accepted.
    pub processing_token: Option<String>,
    /// The word with which the Platform decided against the dataset, if it just did.
    pub rejection: Option<String>,
    /// What was fetched, by key.
    pub contents: Vec<(String, Content)>,
    /// What this step tells about the account.
    pub signal: Signal,
    /// What became of a try to tell the outcome.
    pub delivery: Option<Delivery>,
}

/// A line of a submission's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// The state from then on.
    pub state: State,
    /// Why, or what happened.
    pub why: String,
}

/// The transition is not in the table, or contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("submission {id} may not go from `{from}` to `{to}`")]
pub struct IllegalTransition {
    /// Which submission.
    pub id: SubmissionId,
    /// Its state.
    pub from: State,
    /// The state that was asked for.
    pub to: State,
}

impl Submission {
    /// Applies what a step decided at `now`, and gives the line that belongs in the timeline, if
    /// the step changed more than a counter. A requested cancellation wins over any outcome that is
    /// not final.
    pub fn apply(
        &mut self,
        transition: &Transition,
        now: Timestamp,
    ) -> Result<Option<TimelineEntry>, IllegalTransition> {
        if self.step == Some(StepKind::Notify) {
            return self.apply_delivery(transition, now);
        }
        let cancelled = self.cancel_requested && !transition.to.is_final();
        let to = if cancelled { State::Cancelled } else { transition.to };
        let needs_step = !transition.to.is_final() && transition.to != State::Held;
        let fits = match transition.next {
            Some(next) => needs_step && next.kind.waiting_state() == transition.to,
            None => !needs_step,
        };
        if !self.state.may_become(to) || !fits {
            return Err(IllegalTransition { id: self.id, from: self.state, to });
        }
        let reason = if cancelled {
            Some(Reason::new(ReasonCode::Operator, "cancelled while a step was running"))
        } else {
            transition.reason.clone()
        };
        let entry = self.entry_for(to, reason.as_ref(), now);
        self.state = to;
        self.reason = reason;
        self.updated_at = now;
        self.finished_at = to.is_final().then_some(now);
        self.attempts -= u32::from(!transition.attempt_spent && self.attempts > 0);
        self.polls += u32::from(transition.polled);
        self.failures = transition.failures;
        self.in_doubt = transition.in_doubt;
        if transition.processing_token.is_some() {
            self.processing_token.clone_from(&transition.processing_token);
        }
        if transition.rejection.is_some() {
            self.rejection.clone_from(&transition.rejection);
        }
        self.due_at = None;
        self.leased_until = None;
        if let Some(next) = transition.next.filter(|_| !cancelled) {
            self.step = Some(next.kind);
            self.due_at = Some(later(now, next.after));
        } else if to.is_final() {
            self.close(now);
        }
        for (key, content) in &transition.contents {
            self.results.retain(|stored| stored.key != *key);
            self.results.push(StoredContent {
                key: key.clone(),
                content_type: content.content_type.clone(),
                bytes: content.bytes.len() as u64,
            });
        }
        Ok(entry)
    }

    /// A repeated reason in the same state only counts; it does not lengthen the timeline.
    fn entry_for(
        &self,
        to: State,
        reason: Option<&Reason>,
        now: Timestamp,
    ) -> Option<TimelineEntry> {
        let same_state = self.state == to || (self.state, to) == (State::Uploading, State::Queued);
        let same_reason = self.reason.as_ref().map(|r| r.code) == reason.map(|r| r.code);
        if same_state && same_reason {
            return None;
        }
        let why = reason.map_or_else(String::new, |reason| reason.text.clone());
        Some(TimelineEntry { at: now, state: to, why })
    }
}

#[cfg(test)]
mod tests;
