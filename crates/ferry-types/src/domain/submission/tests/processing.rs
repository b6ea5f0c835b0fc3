//! The durations of the processing, and the sentence about them.

use std::time::Duration;

use super::*;
use crate::domain::submission::Processing;

/// A submission that was uploaded 10 s after its acceptance, and is polled.
fn polled(processing: Processing) -> Submission {
    let id = SubmissionId::new(timestamp(0), 1);
    SubmissionParts {
        state: State::Processing,
        step: Some(StepKind::Poll),
        due_at: Some(timestamp(90_000)),
        processing: Processing { uploaded_ms: Some(10_000), ..processing },
        ..SubmissionParts::accepted(id, "default", "march", timestamp(0))
    }
    .into()
}

#[test]
fn a_verdict_came_after_the_last_pending_poll() {
    let processing = Processing { pending_ms: Some(20_000), ..Processing::default() };
    let between = polled(processing).decided_between(timestamp(50_000));
    assert_eq!(between, Some((Duration::from_secs(20), Duration::from_secs(40))));
    let first = polled(Processing::default()).decided_between(timestamp(50_000));
    assert_eq!(first, Some((Duration::ZERO, Duration::from_secs(40))));
}

#[test]
fn a_verdict_that_is_fetched_again_shows_no_processing_time() {
    let mut parts = polled(Processing::default()).into_parts();
    parts.state = State::Cancelled;
    assert_eq!(Submission::from(parts).decided_between(timestamp(50_000)), None);
}

#[test]
fn a_submission_of_an_earlier_version_has_no_processing_time() {
    let mut parts = polled(Processing::default()).into_parts();
    parts.processing = Processing::default();
    let submission = Submission::from(parts);
    assert_eq!(submission.processing_time(timestamp(50_000)), None);
    assert_eq!(submission.decided_between(timestamp(50_000)), None);
}

#[test]
fn the_next_poll_says_why_it_is_due_then() {
    let reason = |usual_ms, pending_ms| {
        let processing = Processing { pending_ms, usual_ms, ..Processing::default() };
        polled(processing).poll_reason()
    };
    assert_eq!(reason(None, None), None, "backoff");
    for (usual, shown) in
        [(400, "400 ms"), (5_600, "6 s"), (89_000, "89 s"), (239_000, "4 min"), (7_300_000, "2 h")]
    {
        assert_eq!(reason(Some(usual), None), Some(format!("usually ready after {shown}")));
    }
    let late = reason(Some(239_000), Some(240_000));
    assert_eq!(late.as_deref(), Some("usually ready after 4 min; this one takes longer"));
}

#[test]
fn a_retry_is_not_due_by_the_estimate() {
    let usual = Processing { usual_ms: Some(1000), ..Processing::default() };
    let mut parts = polled(usual).into_parts();
    parts.reason = Some(Reason::new(ReasonCode::Transient, "responded 500"));
    assert_eq!(Submission::from(parts.clone()).poll_reason(), None);
    (parts.reason, parts.due_at) = (None, None);
    assert_eq!(Submission::from(parts).poll_reason(), None, "nothing is due");
}
