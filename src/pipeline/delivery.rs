//! The message of a webhook about the outcome of a submission.

use crate::webhook::Message;
use ferry_store::Claim;
use ferry_types::contract::{EventEnvelope, SubmissionView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::Submission;

/// The message for `url`. Each attempt has the same id, and the same body unless the wall clock stepped.
pub(super) fn message<'a>(
    submission: &'a Submission,
    url: &'a str,
    id: &'a str,
    now: Timestamp,
) -> Message<'a> {
    let finished = finished_at(submission);
    let mut view = SubmissionView::new(submission.clone(), None);
    view.updated_at = finished;
    let envelope = EventEnvelope::of(submission.state, finished, view);
    let body = serde_json::to_string(&envelope).expect("texts, numbers and maps have a JSON form");
    Message { account: &submission.account, url, id, now, body }
}

/// The id of the message, which a step of the wall clock does not change.
pub(super) fn message_id(claim: &Claim) -> String {
    let finished = claim.store_time(finished_at(&claim.submission));
    format!("{}-{}", claim.submission.id, finished.timestamp_millis())
}

fn finished_at(submission: &Submission) -> Timestamp {
    submission.finished_at.unwrap_or(submission.updated_at)
}
