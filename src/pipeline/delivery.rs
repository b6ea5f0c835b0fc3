//! The message of a webhook about the outcome of a submission.

use crate::webhook::Message;
use ferry_types::contract::{EventEnvelope, SubmissionView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::Submission;

/// The message for `url`: each attempt has the same id and body.
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

/// The id of the message.
pub(super) fn message_id(submission: &Submission) -> String {
    format!("{}-{}", submission.id, finished_at(submission).timestamp_millis())
}

fn finished_at(submission: &Submission) -> Timestamp {
    submission.finished_at.unwrap_or(submission.updated_at)
}
