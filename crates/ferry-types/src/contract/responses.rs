//! The bodies of the HTTP API beside requests for submissions and submissions themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::findings::FindingView;
use super::problem::{Problem, RowProblem};
use super::submission::SubmissionView;
use crate::domain::account::BlockReason;
use crate::domain::account::condition::{Failing, Outage, Throttling};
use crate::domain::submission::{
    Delivery, Resolution, State, StepKind, Submission, shown_origin, shown_url,
};
use crate::domain::{SubmissionId, Timestamp};

/// The response to a submitted dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SubmissionResponse {
    /// The submission, as it is now.
    #[serde(flatten)]
    pub submission: SubmissionView,
    /// Warnings about the dataset, with which it is uploaded all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RowProblem>,
}

/// The response to one line of a bulk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BulkResponse {
    /// Number of the line, from 1.
    pub line: u64,
    /// The submission, which is durable now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SubmissionId>,
    /// True if it was accepted before, with the same idempotency key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Error for which the line was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// A part of a list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SubmissionPage {
    /// The submissions.
    pub submissions: Vec<SubmissionView>,
    /// Records that cannot be read. Only the account is compared with the filters, so that one may
    /// stand in several lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedSubmission>,
    /// The `cursor` of the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// A submission whose record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DamagedSubmission {
    /// Its id as the store has it.
    pub id: String,
    /// Part that is damaged.
    pub cause: String,
}

/// A corrected dataset; all else is as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResubmitRequest {
    /// The dataset, as CSV text.
    pub data: String,
    /// Its events, as CSV text: needed again if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_data: Option<String>,
    /// The same key with the same content is accepted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Decides about a held submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// The decision.
    pub resolution: Resolution,
}

/// Pauses an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Reason, shown by `ferry stats`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255), regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"))]
    pub reason: Option<String>,
}

/// The caller as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WhoamiView {
    /// Name of its API key; `local` where the server has no keys.
    pub name: String,
    /// Its role: `read`, `submit` or `operate`.
    pub role: String,
    /// The only accounts that it sees; null if it sees all.
    pub accounts: Option<Vec<String>>,
}

/// The webhook of a submission and its deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WebhookView {
    /// The submission.
    pub id: SubmissionId,
    /// URL that receives the outcome, without its query, and for a key with the role `read` without its
    /// path; null if there is none.
    pub webhook_url: Option<String>,
    /// Due time of the next delivery; null if there is none.
    pub next_at: Option<Timestamp>,
    /// The newest deliveries, oldest first.
    pub deliveries: Vec<Delivery>,
}

impl WebhookView {
    /// The same without the path of the URL, which may be a secret.
    #[must_use]
    pub fn without_path(self) -> Self {
        Self { webhook_url: self.webhook_url.map(|url| shown_origin(&url)), ..self }
    }

    /// Of this submission.
    pub fn new(submission: &Submission) -> Self {
        let webhook = submission.webhook.as_ref();
        let is_due = submission.step == Some(StepKind::Deliver);
        Self {
            id: submission.id,
            webhook_url: webhook.map(|webhook| shown_url(&webhook.url).to_owned()),
            next_at: submission.due_at.filter(|_| is_due),
            deliveries: webhook.map(|webhook| webhook.deliveries.clone()).unwrap_or_default(),
        }
    }
}

/// The pause of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PauseView {
    /// The account.
    pub account: String,
    /// Reason of the pause; null if it is not paused.
    pub pause_reason: Option<String>,
    /// True if the request changed anything.
    pub changed: bool,
}

/// The size of the queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StatsView {
    /// Submissions that are neither final nor held.
    pub unfinished: u64,
    /// Of all accounts and steps together.
    pub total: StepView,
    /// Estimated drain time at the pace of the last minutes, without submissions that are uploaded later
    /// (`not_before`, or a retry); null if that is not known.
    pub drain_seconds: Option<f64>,
    /// All that is wrong, worst first; empty if all is fine.
    #[serde(default)]
    pub findings: Vec<FindingView>,
    /// By account.
    pub accounts: Vec<AccountView>,
}

/// The queue of an account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AccountView {
    /// Its name.
    pub account: String,
    /// Submissions by state; states without any are left out.
    pub states: BTreeMap<State, u64>,
    /// By step.
    pub steps: BTreeMap<StepKind, StepView>,
    /// Reason why it runs no steps; null if it runs them.
    pub blocked_by: Option<BlockReason>,
    /// Condition in words: `runs`, or the sentence of the worst finding that stops it or its requests.
    pub condition: String,
    /// Requests in a second that the account makes at most, because the Platform responds 429 to more; null if no
    /// 429 has shown that. `requests_per_second` of the configuration applies too.
    #[serde(default)]
    pub learned_requests_per_second: Option<f64>,
    /// Throttling by the Platform; null if it is not throttled.
    #[serde(default)]
    pub throttling: Option<ThrottlingView>,
    /// Outage that opened its circuit breaker; null if the breaker is closed.
    pub outage: Option<OutageView>,
    /// Failures in a row for a while, or after a resumption, while its circuit breaker is closed; null if
    /// there are none.
    pub failing: Option<FailingView>,
    /// Webhooks that were not delivered.
    #[serde(default)]
    pub webhooks: UndeliveredView,
    /// All that is wrong with it, worst first; empty if all is fine.
    #[serde(default)]
    pub findings: Vec<FindingView>,
}

/// Webhooks of an account that were not delivered.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct UndeliveredView {
    /// Those that wait for a delivery.
    pub waiting: u64,
    /// Those that were abandoned, as far as the newest submissions have them: counted again every few seconds.
    pub abandoned: CountView,
}

/// A throttling of an account by the Platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ThrottlingView {
    /// Time of its begin; null if it is not known.
    pub since: Option<Timestamp>,
    /// Time at which a request is sent again.
    pub until: Timestamp,
    /// The last response that throttled the account; null if it is not known.
    pub response: Option<String>,
}

impl From<Throttling> for ThrottlingView {
    fn from(throttling: Throttling) -> Self {
        let Throttling { since, until, response } = throttling;
        Self { since, until, response }
    }
}

/// Failures in a row of an account whose circuit breaker is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FailingView {
    /// Time of the first failure.
    pub since: Timestamp,
    /// Number of failures.
    pub failures: u32,
    /// Error of the last failure; null if it is not known.
    pub last_error: Option<String>,
}

impl From<Failing> for FailingView {
    fn from(failing: Failing) -> Self {
        let Failing { since, failures, last_error } = failing;
        Self { since, failures, last_error }
    }
}

/// Failures in a row that opened the circuit breaker of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutageView {
    /// Time of the first failure; null if it is not known.
    pub since: Option<Timestamp>,
    /// Number of failures.
    pub failures: u32,
    /// Error of the last failure; null if it is not known.
    pub last_error: Option<String>,
    /// Time of the next probe.
    pub next_probe_at: Timestamp,
}

impl From<Outage> for OutageView {
    fn from(outage: Outage) -> Self {
        let Outage { since, failures, last_error, next_probe_at } = outage;
        Self { since, failures, last_error, next_probe_at }
    }
}

/// The accounts that are configured on the server or have submissions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AccountsView {
    /// The accounts, by name.
    pub accounts: Vec<AccountView>,
}

/// The number of submissions that match.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct CountView {
    /// Number of matches.
    pub count: u64,
    /// True if there may be more: the store counts by account and state alone, and the others were
    /// looked for in the newest submissions only.
    pub has_more: bool,
}

/// Counts of steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StepView {
    /// Due.
    pub ready: u64,
    /// Due later.
    pub scheduled: u64,
    /// Owned by a worker.
    pub running: u64,
    /// Age of the oldest ready one; null if none is.
    pub oldest_ready_seconds: Option<f64>,
}
