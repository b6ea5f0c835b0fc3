//! How a new submission begins, in whatever store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::digest::{Context, SHA256};

use super::{Deadline, NewSubmission};
use ferry_types::domain::submission::{Callback, State, StepKind, Submission, SubmissionParts};
use ferry_types::domain::{Timestamp, later};

impl NewSubmission {
    /// The submission, accepted at `now`.
    pub(super) fn submission(&self, now: Timestamp, has_predecessor: bool) -> Submission {
        let due = self.not_before.map_or(now, |not_before| not_before.max(now));
        SubmissionParts {
            id: self.id,
            name: self.name.clone(),
            account: self.account.clone(),
            state: State::Queued,
            reason: None,
            priority: self.priority,
            overwrite: self.overwrite,
            result_keys: self.result_keys.clone(),
            labels: self.labels.clone(),
            payload_bytes: self.payload.bytes(),
            created_at: now,
            updated_at: now,
            finished_at: None,
            deadline: match self.deadline {
                Deadline::At(deadline) => deadline,
                Deadline::After(duration) => later(due, duration),
            },
            revision_of: self.revision_of,
            traceparent: self.traceparent,
            processing_token: None,
            rejection: None,
            attempts: 0,
            polls: 0,
            failures: 0,
            in_doubt: false,
            step: Some(StepKind::Upload),
            resume: None,
            due_at: Some(due),
            leased_until: None,
            cancel_requested: false,
            results: Vec::new(),
            callback: self.callback_url.as_deref().map(Callback::new),
            uncommitted_claims: 0,
            has_predecessor,
        }
        .into()
    }

    /// Tells contents apart: a repeated idempotency key, or a repeated id, must have the same.
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
        STANDARD_NO_PAD.encode(&context.finish().as_ref()[..16])
    }
}
