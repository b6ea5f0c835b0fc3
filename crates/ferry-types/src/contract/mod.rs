//! The bodies of Ferry's own interfaces: what a producer hands over and what it reads back. The same
//! everywhere: NDJSON, the command line's `--json`, the HTTP API, and whatever else takes submissions in.

mod event_id;
mod events;
mod problem;
mod reading;
mod responses;

pub use event_id::{EventId, InvalidEventIdError};
pub use events::{EventEnvelope, StateChange, StateEvent};
pub use problem::{Problem, ProblemKind, RowProblem};
pub use responses::{
    AccountView, BulkResponse, DamagedSubmission, PauseRequest, PauseView, ResolveRequest,
    ResubmitRequest, StatsView, StepView, SubmissionPage, SubmissionResponse, WebhookView,
};

pub use crate::domain::submission::{Resolution, WaitingFor};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::submission::{
    FEEDBACK_KEY, Priority, ReasonCode, State, StoredContent, Submission,
};
use crate::domain::{SubmissionId, Timestamp, TraceParent};

/// A dataset that a producer hands over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionRequest {
    /// The Platform's `Name` of the dataset.
    pub name: String,
    /// The dataset, as CSV text.
    pub data: String,
    /// The events that belong to it, as CSV text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_data: Option<String>,
    /// The account that carries it; the only configured one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether a dataset of the same Name may be overwritten.
    #[serde(default)]
    pub overwrite: bool,
    /// What to fetch once it is completed; `tableofresultids` if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub result_keys: Vec<String>,
    /// Its place among the account's steps.
    #[serde(default)]
    pub priority: Priority,
    /// Not to be uploaded before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When to give up; the configured deadline after acceptance if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The same key with the same content is accepted once, however often it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The producer's own marks, to filter by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The producer's own span, to which the traces of its steps are linked; as the header of this name
    /// has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
    /// Where its outcome is to be told, by a signed webhook; where its account says if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

/// A submission as people and programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SubmissionView {
    /// Its id.
    pub id: SubmissionId,
    /// The Platform's `Name` of the dataset.
    pub name: String,
    /// The account that carries it.
    pub account: String,
    /// Where it is.
    pub state: State,
    /// Why, for people; null where nothing needs saying.
    pub reason: Option<String>,
    /// Why, for programs.
    pub reason_code: Option<ReasonCode>,
    /// Uploads begun.
    pub upload_attempts: u32,
    /// Status checks answered.
    pub polls: u32,
    /// Its place among the account's steps.
    pub priority: Priority,
    /// Whether it may overwrite.
    pub overwrite: bool,
    /// What is fetched once it is completed.
    pub result_keys: Vec<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When Ferry gives up.
    pub deadline: Timestamp,
    /// True while results or feedback of a final submission are fetched again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refetching: bool,
    /// Why it does not move right now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// The submission that it corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_of: Option<SubmissionId>,
    /// The Platform's name for the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_token: Option<String>,
    /// The producer's own marks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The stored feedback, if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<StoredContent>,
    /// The stored results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<StoredContent>,
}

impl SubmissionView {
    /// The view of `submission`, which waits for `waiting_for`.
    pub fn new(submission: Submission, waiting_for: Option<WaitingFor>) -> Self {
        let refetching = submission.is_refetching();
        let submission = submission.into_parts();
        let (feedback, results): (Vec<_>, Vec<_>) =
            submission.results.into_iter().partition(|stored| stored.key == FEEDBACK_KEY);
        Self {
            id: submission.id,
            name: submission.name,
            account: submission.account,
            state: submission.state,
            reason_code: submission.reason.as_ref().map(|reason| reason.code),
            reason: submission.reason.map(|reason| reason.text),
            upload_attempts: submission.upload_attempts,
            polls: submission.polls,
            priority: submission.priority,
            overwrite: submission.overwrite,
            result_keys: submission.result_keys,
            created_at: submission.created_at,
            updated_at: submission.updated_at,
            finished_at: submission.finished_at,
            deadline: submission.deadline,
            refetching,
            waiting_for,
            revision_of: submission.revision_of,
            processing_token: submission.processing_token,
            labels: submission.labels,
            feedback: feedback.into_iter().next(),
            results,
        }
    }
}
