//! What a submission consists of.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Priority, Reason, State, StepKind, Webhook};
use crate::domain::{SubmissionId, Timestamp, TraceParent};

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

/// All that a submission consists of, but for the dataset itself: plain data, with which stores make a
/// [`Submission`] and take one apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct SubmissionParts {
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
    pub upload_attempts: u32,
    /// Status checks answered.
    pub polls: u32,
    /// Troubles of the current step in a row.
    pub failures: u32,
    /// Whether an upload was begun whose outcome is not known.
    pub upload_ambiguous: bool,
    /// The step that is due, or, of a held or failed submission, the one to go on with.
    pub step: Option<StepKind>,
    /// Of a failed submission whose outcome is being told, the step to go on with.
    pub resume_step: Option<StepKind>,
    /// When the step is due; none where nothing is.
    pub due_at: Option<Timestamp>,
    /// Until when a worker holds the step.
    pub leased_until: Option<Timestamp>,
    /// Whether it is to be cancelled as soon as its running step ends.
    pub cancel_requested: bool,
    /// What was fetched and can be read.
    pub results: Vec<StoredContent>,
    /// Who is to be told of the outcome.
    pub webhook: Option<Webhook>,
    /// Claims in a row that ended without a commit, because their worker was lost.
    pub uncommitted_claims: u32,
    /// Whether an earlier submission of the account and Name has to end first.
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
            upload_ambiguous: false,
            step: Some(StepKind::Upload),
            resume_step: None,
            due_at: Some(now),
            leased_until: None,
            cancel_requested: false,
            results: Vec::new(),
            webhook: None,
            uncommitted_claims: 0,
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
    /// How often a step of this kind asks the Platform, if nothing goes wrong.
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
