//! The message of a webhook about the outcome of a submission.

use crate::to_json::to_json;
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
    let body = to_json(&envelope);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use ferry_store::{ClaimId, Lease};
    use ferry_types::domain::submission::{State, StepKind, SubmissionParts};
    use ferry_types::domain::{SubmissionId, timestamp};

    #[test]
    fn a_message_has_the_same_id_whatever_the_wall_clock_says() {
        let id = SubmissionId::new(timestamp(0), 1);
        let (kind, claimed_by) = (StepKind::Deliver, ClaimId::default());
        let ids = [0, 86_400_000, -86_400_000].map(|offset| {
            let now = timestamp(1_770_000_000_000 + offset);
            let parts = SubmissionParts {
                state: State::Completed,
                finished_at: Some(now),
                ..SubmissionParts::accepted(id, "main", "march", now)
            };
            let lease = Lease { id, kind, fence: 1, claimed_by };
            let (submission, name_mark, lag) = (parts.into(), None, Duration::ZERO);
            message_id(&Claim { lease, kind, submission, name_mark, now, offset, lag })
        });
        assert_eq!(ids[0], format!("{id}-1770000000000"));
        assert!(ids.iter().all(|other| *other == ids[0]), "{ids:?}");
    }
}
