//! New submissions, and how they begin, in whatever store.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use ring::digest::{Context, SHA256};

use ferry_types::domain::submission::{Priority, Submission, SubmissionParts, Webhook};
use ferry_types::domain::{SubmissionId, Timestamp, TraceParent, later};

/// A dataset: what is uploaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// `Data`, as CSV text.
    pub data: String,
    /// `EventData`, as CSV text.
    pub event_data: Option<String>,
}

impl Payload {
    /// The size of the texts together, in bytes.
    pub fn bytes(&self) -> u64 {
        (self.data.len() + self.event_data.as_ref().map_or(0, String::len)) as u64
    }
}

/// A valid submission that is to be accepted.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// Its id, if it is new.
    pub id: SubmissionId,
    /// The Platform's `Name`.
    pub name: String,
    /// The account's short name.
    pub account: String,
    /// Texts to upload.
    pub payload: Payload,
    /// True if a dataset of the same name may be overwritten.
    pub overwrite: bool,
    /// Result keys to fetch; at least one.
    pub result_keys: Vec<String>,
    /// Its place among the account's steps.
    pub priority: Priority,
    /// Not to be uploaded before this time.
    pub not_before: Option<Timestamp>,
    /// Time after which the submission fails.
    pub deadline: Deadline,
    /// The producer's key against doubles, unique per account.
    pub idempotency_key: Option<String>,
    /// The producer's labels.
    pub labels: BTreeMap<String, String>,
    /// The submission that it corrects.
    pub revision_of: Option<SubmissionId>,
    /// The producer's span that it belongs to.
    pub traceparent: Option<TraceParent>,
    /// URL that receives the outcome as a webhook.
    pub webhook_url: Option<String>,
}

/// Time after which a submission fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// At a time that the producer named.
    At(Timestamp),
    /// Time after acceptance, or after `not_before` if that is later.
    After(Duration),
}

impl NewSubmission {
    /// One with nothing but what each has.
    pub fn new(
        id: SubmissionId,
        account: impl Into<String>,
        name: impl Into<String>,
        payload: Payload,
        deadline: Deadline,
    ) -> Self {
        Self {
            id,
            name: name.into(),
            account: account.into(),
            payload,
            overwrite: false,
            result_keys: Vec::new(),
            priority: Priority::default(),
            not_before: None,
            deadline,
            idempotency_key: None,
            labels: BTreeMap::new(),
            revision_of: None,
            traceparent: None,
            webhook_url: None,
        }
    }

    /// The submission, accepted at `now`.
    pub(super) fn submission(&self, now: Timestamp, has_predecessor: bool) -> Submission {
        let due = self.not_before.map_or(now, |not_before| not_before.max(now));
        SubmissionParts {
            priority: self.priority,
            overwrite: self.overwrite,
            result_keys: self.result_keys.clone(),
            labels: self.labels.clone(),
            payload_bytes: self.payload.bytes(),
            deadline: match self.deadline {
                Deadline::At(deadline) => deadline,
                Deadline::After(duration) => later(due, duration),
            },
            revision_of: self.revision_of,
            traceparent: self.traceparent,
            due_at: Some(due),
            webhook: self.webhook_url.as_deref().map(Webhook::new),
            has_predecessor,
            ..SubmissionParts::accepted(self.id, &self.account, &self.name, now)
        }
        .into()
    }

    /// Returns a hash of the content, which must be the same for a repeated idempotency key or id.
    pub(super) fn digest(&self) -> String {
        let mut context = Context::new(&SHA256);
        let mut add = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_le_bytes());
            context.update(bytes);
        };
        add(self.account.as_bytes());
        add(self.name.as_bytes());
        add(&[u8::from(self.overwrite), u8::from(self.payload.event_data.is_some())]);
        add(&(self.result_keys.len() as u64).to_le_bytes());
        self.result_keys.iter().for_each(|key| add(key.as_bytes()));
        add(self.payload.data.as_bytes());
        add(self.payload.event_data.as_deref().unwrap_or_default().as_bytes());
        BASE64_NOPAD.encode(&context.finish().as_ref()[..16])
    }
}
