//! The bodies of bulk actions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::submission::{OperatorAction, State, WaitReason, WebhookState};
use crate::domain::{SubmissionId, Timestamp};

/// An action on the submissions that match: a dry run, or with `pinned` a batch of at most 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkActionRequest {
    /// The action.
    pub action: OperatorAction,
    /// In one of these states; in any that the action concerns if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// With exactly this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of one of these accounts; of all that the key sees if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// With all of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Accepted at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// Accepted before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    /// With a webhook in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookState>,
    /// Unfinished or held, and waiting for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitReason>,
    /// Revisions of this submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_of: Option<SubmissionId>,
    /// These alone, of the accounts if some are given; other filters do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub ids: Vec<SubmissionId>,
    /// The `pinned` of an earlier response to the same request: submissions accepted since its dry run
    /// stay as they are. Without it, nothing is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]{1,18}|[0-9A-Za-z_-]{48})$"))]
    pub pinned: Option<String>,
}

/// Plan of a bulk action, or report of a batch of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BulkActionView {
    /// True if nothing was changed.
    pub dry_run: bool,
    /// Number of submissions that were changed, or would be.
    pub changed: u64,
    /// Some of them.
    pub examples: Vec<SubmissionId>,
    /// Those that were left unchanged, or would be, by reason.
    pub unchanged: Vec<BulkUnchanged>,
    /// True if a dry run stopped counting: more may match.
    pub has_more: bool,
    /// Send it with the same request to change the next batch; null if nothing is left.
    pub pinned: Option<String>,
}

/// Submissions that an action leaves unchanged, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BulkUnchanged {
    /// The reason, as a word.
    pub code: String,
    /// The message about the first of them.
    pub message: String,
    /// Number of submissions.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<SubmissionId>,
}

impl BulkActionRequest {
    /// Of all submissions that the action concerns.
    pub fn new(action: OperatorAction) -> Self {
        Self {
            action,
            states: Vec::new(),
            name: None,
            accounts: Vec::new(),
            labels: BTreeMap::new(),
            created_after: None,
            created_before: None,
            webhook: None,
            waiting_for: None,
            revision_of: None,
            ids: Vec::new(),
            pinned: None,
        }
    }
}
