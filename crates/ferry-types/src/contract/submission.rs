//! Submissions: as a producer submits one, and as people and programs read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::submission::{
    FEEDBACK_KEY, LastRequest, Priority, ReasonCode, State, StoredContent, Submission, WaitingFor,
};
use crate::domain::{SubmissionId, Timestamp, TraceParent};

/// A dataset that a producer submits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionRequest {
    /// Dataset name.
    pub name: String,
    /// The dataset, as CSV text.
    pub data: String,
    /// The events that belong to it, as CSV text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_data: Option<String>,
    /// Account that uploads it; the only configured one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// True if it may overwrite a dataset of the same name.
    #[serde(default)]
    pub overwrite: bool,
    /// Results to fetch once it is completed; `tableofresultids` if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub result_keys: Vec<String>,
    /// Priority among the account's steps.
    #[serde(default)]
    pub priority: Priority,
    /// Not to be uploaded before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Time at which Ferry gives up; the configured deadline after acceptance if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The same key with the same content is accepted once, however often it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The producer's labels, to filter by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The producer's own span, to which the traces of its steps are linked; as the header of this name
    /// has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
    /// URL that receives the outcome as a signed webhook; that of its account if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

/// A submission as people and programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SubmissionView {
    /// Its id.
    pub id: SubmissionId,
    /// Dataset name.
    pub name: String,
    /// Account that uploads it.
    pub account: String,
    /// Its state.
    pub state: State,
    /// Reason for the state, for people; null if it needs none.
    pub reason: Option<String>,
    /// Reason for the state, for programs.
    pub reason_code: Option<ReasonCode>,
    /// Upload attempts.
    pub upload_attempts: u32,
    /// Polls whose request was sent.
    pub polls: u32,
    /// Priority among the account's steps.
    pub priority: Priority,
    /// True if it may overwrite a dataset of the same name.
    pub overwrite: bool,
    /// Results that are fetched once it is completed.
    pub result_keys: Vec<String>,
    /// Time of acceptance.
    pub created_at: Timestamp,
    /// Time of its last change.
    pub updated_at: Timestamp,
    /// Time at which it became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Time at which Ferry gives up.
    pub deadline: Timestamp,
    /// True while results or feedback of a final submission are fetched again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refetching: bool,
    /// Reason why no step of it runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// Reason for the due time of its next poll, such as `usually ready after 4 min`; absent if the delay
    /// is that of backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_reason: Option<String>,
    /// Submission that it corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_of: Option<SubmissionId>,
    /// Processing token of the Platform for the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_token: Option<String>,
    /// Last request to the Platform, if one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_request: Option<LastRequest>,
    /// The producer's labels.
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
        let (refetching, poll_reason) = (submission.is_refetching(), submission.poll_reason());
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
            poll_reason,
            revision_of: submission.revision_of,
            processing_token: submission.processing_token,
            last_request: submission.last_request,
            labels: submission.labels,
            feedback: feedback.into_iter().next(),
            results,
        }
    }
}
