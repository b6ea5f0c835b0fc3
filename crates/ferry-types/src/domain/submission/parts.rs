//! The parts of a submission.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Priority, Reason, State, StepKind, Webhook};
use crate::domain::{SubmissionId, Timestamp, TraceParent};

/// The key under which the feedback is stored among the results.
pub const FEEDBACK_KEY: &str = "feedback";

/// Description of a stored result or feedback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoredContent {
    /// The result key, or [`FEEDBACK_KEY`].
    pub key: String,
    /// The `Content-Type` that the Platform sent.
    pub content_type: Option<String>,
    /// The size of the body.
    pub bytes: u64,
}

/// Durations of the processing, in milliseconds: a clock that is set does not change them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Processing {
    /// From acceptance to the upload that the Platform accepted.
    pub uploaded_ms: Option<u64>,
    /// From that upload to the last poll that found the dataset pending.
    pub pending_ms: Option<u64>,
    /// Usual processing time when the next poll was scheduled, if it was estimated.
    pub usual_ms: Option<u64>,
}

/// Responses that end a step if they last, whatever other ones come between: only what follows such a response
/// counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lasting {
    /// Number of responses, each with the weight that its kind has.
    pub weight: u32,
    /// Delays after the responses, in milliseconds.
    pub waited_ms: u64,
}

impl Lasting {
    /// With a further response, after which there is a delay.
    #[must_use]
    pub fn with(self, weight: u32, delay: Duration) -> Self {
        // A delay below a millisecond counts, too, or the step might never end.
        let delay_ms = (delay.as_millis() as u64).max(1);
        Self {
            weight: self.weight.saturating_add(weight),
            waited_ms: self.waited_ms.saturating_add(delay_ms),
        }
    }

    /// After a delay in which the Platform was at work: an eighth of it makes up for earlier responses, so that
    /// rare ones never end the step.
    #[must_use]
    pub fn eased(self, delay: Duration) -> Self {
        let made_up_ms = delay.as_millis() as u64 / 8;
        Self { waited_ms: self.waited_ms.saturating_sub(made_up_ms), ..self }
    }

    /// Delays after the responses, together.
    pub const fn waited(self) -> Duration {
        Duration::from_millis(self.waited_ms)
    }
}

/// The last request to the Platform's Upload API for a submission.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LastRequest {
    /// Time of the response, or of its failure.
    pub at: Timestamp,
    /// Step that sent it.
    pub step: StepKind,
    /// Response in the Platform's words, or the error, shortened.
    pub response: String,
}

impl LastRequest {
    /// Longest response, because each submission stores one.
    const MAX_CHARS: usize = 64;

    /// With the beginning of a response.
    pub fn new(at: Timestamp, step: StepKind, response: &str) -> Self {
        let mut chars = response.chars();
        let mut response: String = chars.by_ref().take(Self::MAX_CHARS).collect();
        if chars.next().is_some() {
            response.pop();
            response.push('…');
        }
        Self { at, step, response }
    }
}

/// The parts of a submission, without the dataset: plain data, with which stores make a [`Submission`]
/// and take one apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct SubmissionParts {
    /// Its id.
    pub id: SubmissionId,
    /// Dataset name.
    pub name: String,
    /// The short name of its account.
    pub account: String,
    /// Its state.
    pub state: State,
    /// Reason of the state, if it needs one.
    pub reason: Option<Reason>,
    /// Its place among the account's steps.
    pub priority: Priority,
    /// True if a dataset of the same name may be overwritten.
    pub overwrite: bool,
    /// Result keys to fetch once it is completed.
    pub result_keys: Vec<String>,
    /// Labels of the producer.
    pub labels: BTreeMap<String, String>,
    /// Size of the dataset's CSV texts together.
    pub payload_bytes: u64,
    /// Time of acceptance.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Time at which it became final.
    pub finished_at: Option<Timestamp>,
    /// Time to give up at.
    pub deadline: Timestamp,
    /// The submission that this one corrects.
    pub revision_of: Option<SubmissionId>,
    /// The producer's span that it belongs to.
    pub traceparent: Option<TraceParent>,
    /// The processing token of the accepted upload.
    pub processing_token: Option<String>,
    /// The word with which the Platform decided against the dataset, once it has.
    pub rejection: Option<String>,
    /// Uploads of which the request was sent, but for those that the Platform did not process.
    pub upload_attempts: u32,
    /// Polls whose request was sent.
    pub polls: u32,
    /// Failures of the current step in a row.
    pub failures: u32,
    /// Responses since the step last succeeded that end it if they last.
    pub lasting: Lasting,
    /// True if an upload of it may have arrived whose outcome is not known.
    pub upload_ambiguous: bool,
    /// The step that is due, or, of a held or failed submission, the one to resume with.
    pub step: Option<StepKind>,
    /// Of a failed submission whose outcome is being delivered, the step to resume with.
    pub resume_step: Option<StepKind>,
    /// Due time of the step; none if nothing is due.
    pub due_at: Option<Timestamp>,
    /// End of the lease, if a worker owns the step.
    pub leased_until: Option<Timestamp>,
    /// True if it is cancelled as soon as its running step ends.
    pub cancel_requested: bool,
    /// Stored results, or feedback.
    pub results: Vec<StoredContent>,
    /// Receiver of the outcome.
    pub webhook: Option<Webhook>,
    /// Claims in a row that ended without a commit, because their worker was lost.
    pub uncommitted_claims: u32,
    /// Durations of the processing at the Platform.
    pub processing: Processing,
    /// Last request to the Platform, if one was sent.
    pub last_request: Option<LastRequest>,
    /// True if it has a predecessor: an earlier unfinished submission of the account and name.
    pub has_predecessor: bool,
}

impl SubmissionParts {
    /// A submission that was just accepted, and of which nothing else is known.
    pub fn accepted(id: SubmissionId, account: &str, name: &str, now: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            account: account.to_owned(),
            state: State::Queued,
            reason: None,
            priority: Priority::default(),
            overwrite: false,
            result_keys: Vec::new(),
            labels: BTreeMap::new(),
            payload_bytes: 0,
            created_at: now,
            updated_at: now,
            finished_at: None,
            deadline: now,
            revision_of: None,
            traceparent: None,
            processing_token: None,
            rejection: None,
            upload_attempts: 0,
            polls: 0,
            failures: 0,
            lasting: Lasting::default(),
            upload_ambiguous: false,
            step: Some(StepKind::Upload),
            resume_step: None,
            due_at: Some(now),
            leased_until: None,
            cancel_requested: false,
            results: Vec::new(),
            webhook: None,
            uncommitted_claims: 0,
            processing: Processing::default(),
            last_request: None,
            has_predecessor: false,
        }
    }
}

/// One dataset on its way. Its parts can be read as fields, and are changed only by the rules of this
/// module, each of which is one method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission(pub(super) SubmissionParts);

impl From<SubmissionParts> for Submission {
    fn from(parts: SubmissionParts) -> Self {
        Self(parts)
    }
}

/// Reading alone: there is no way to change a part from outside.
impl Deref for Submission {
    type Target = SubmissionParts;

    fn deref(&self) -> &SubmissionParts {
        &self.0
    }
}

impl Submission {
    /// Number of requests of a step of this kind, if nothing goes wrong.
    pub fn requests(&self, kind: StepKind) -> usize {
        match kind {
            StepKind::Collect if self.rejection.is_none() => self.result_keys.len(),
            StepKind::Upload | StepKind::Poll | StepKind::Collect => 1,
            StepKind::Deliver => 0,
        }
    }

    /// Takes the submission apart.
    pub fn into_parts(self) -> SubmissionParts {
        self.0
    }
}
