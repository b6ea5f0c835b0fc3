//! The delays between polls, by the estimated processing time and by backoff.

use std::sync::Arc;

use super::*;
use ferry_types::domain::pacing::PollPlanner;
use ferry_types::domain::submission::Processing;

const SECOND: i64 = 1000;
const UPLOADED_MS: u64 = 10_000;

/// A schedule for a Platform that takes between 230 s and 240 s.
fn planned() -> Arc<PollSchedule> {
    let mut planner = PollPlanner::new(Policy::default().poll_backoff());
    for _ in 0..20 {
        planner.observe(Duration::from_secs(230), Duration::from_mins(4));
    }
    planner.schedule(timestamp(0)).unwrap()
}

/// A submission whose upload was accepted 10 s after its acceptance.
fn uploaded() -> SubmissionParts {
    let mut parts = submission(State::Processing);
    parts.processing.uploaded_ms = Some(UPLOADED_MS);
    parts
}

fn pending() -> Status {
    pending_for(None)
}

fn pending_for(retry_after: Option<u64>) -> Status {
    let retry_after = retry_after.map(Duration::from_secs);
    Status::Pending { status: "running".into(), known: true, retry_after }
}

fn seconds(transition: &Transition) -> u64 {
    transition.delay().unwrap().as_secs()
}

#[test]
fn an_estimate_schedules_the_polls_and_backoff_those_beyond_it() {
    let (policy, schedule) = (Policy::default(), planned());
    let submission = of(&uploaded());
    let decide = |age: i64, schedule| {
        let now = age * SECOND + UPLOADED_MS as i64;
        let context = Context { schedule, ..context(&submission, now, &policy) };
        after_poll(&context, Ok(pending()))
    };
    // One pending at 200 s is polled when nearly all are ready, and not after 1 s to 2 s.
    assert!((25..=50).contains(&seconds(&decide(200, Some(&schedule)))));
    for unknown in [decide(200, None), decide(900, Some(&schedule))] {
        // The second poll, of which the nominal delay is 4 s.
        assert!((2..=4).contains(&seconds(&unknown)));
    }
}

#[test]
fn polls_without_a_response_do_not_slow_down_those_that_follow() {
    let (policy, mut parts) = (Policy::default(), uploaded());
    let now = 3 * SECOND + UPLOADED_MS as i64;
    parts.polls = 7;
    let soon = after_poll(&context(&of(&parts), now, &policy), Ok(pending()));
    assert!(seconds(&soon) <= 8, "{soon:?}");
    let later = after_poll(&context(&of(&parts), now + 600 * SECOND, &policy), Ok(pending()));
    assert!(seconds(&later) >= 30, "{later:?}");
}

#[test]
fn an_upload_is_first_polled_by_the_estimate() {
    let (policy, schedule) = (Policy::default(), planned());
    let submission = of(&submission(State::Uploading));
    let context =
        Context { schedule: Some(&schedule), ..context(&submission, 7 * SECOND, &policy) };
    let transition = after_upload(&context, Ok(accepted(None)));
    assert!(seconds(&transition) > 2, "{transition:?}");
    let processing = transition.processing.unwrap();
    assert_eq!((processing.uploaded_ms, processing.pending_ms), (Some(7000), None));
    let usual = Duration::from_millis(processing.usual_ms.unwrap());
    assert_eq!(usual.as_secs(), schedule.usual().as_secs());
}

#[test]
fn a_poll_waits_as_long_as_the_platform_asked_for_within_the_limit_and_the_deadline() {
    let policy = Policy::default();
    let (parts, limit) = (uploaded(), policy.retry_after_max.as_secs());
    let wait = |deadline: i64, retry_after| {
        let parts = SubmissionParts { deadline: timestamp(deadline * SECOND), ..parts.clone() };
        let submission = of(&parts);
        let context = context(&submission, 20 * SECOND, &policy);
        let polled = after_poll(&context, Ok(pending_for(retry_after)));
        let uploaded = after_upload(&context, Ok(accepted(retry_after)));
        [seconds(&polled), seconds(&uploaded)]
    };
    let late = 48 * 3600;
    assert_eq!(wait(late, Some(600)), [600; 2]);
    assert_eq!(wait(late, Some(1_000_000)), [limit; 2]);
    let own = wait(late, None);
    assert!(own[0] <= 60 && own[1] <= 60, "{own:?}");
    assert_eq!(wait(late, Some(0)), own);
    assert_eq!(wait(320, Some(600))[0], 300, "the deadline gets a poll");
}

#[test]
fn a_pending_poll_notes_for_how_long_the_dataset_was_processed() {
    let (policy, submission) = (Policy::default(), of(&uploaded()));
    let context = context(&submission, 30 * SECOND, &policy);
    let not_yet = || PlatformError::NotYet { retry_after: None, what: "responded 202".into() };
    for response in [Ok(pending()), Err(not_yet())] {
        let processing = after_poll(&context, response).processing;
        let (uploaded_ms, pending_ms) = (Some(UPLOADED_MS), Some(20_000));
        assert_eq!(processing, Some(Processing { uploaded_ms, pending_ms, usual_ms: None }));
    }
    // A verdict and an error show nothing of that kind.
    assert_eq!(after_poll(&context, Ok(Status::Done)).processing, None);
    assert_eq!(after_poll(&context, Err(transient())).processing, None);
}

#[test]
fn a_submission_of_an_earlier_version_is_polled_by_backoff() {
    let (policy, schedule) = (Policy::default(), planned());
    let submission = of(&submission(State::Processing));
    let context = context(&submission, 200 * SECOND, &policy);
    let transition = after_poll(&Context { schedule: Some(&schedule), ..context }, Ok(pending()));
    assert!(seconds(&transition) <= 4);
    assert_eq!(transition.processing, Some(Processing::default()));
}

#[test]
fn a_schedule_respects_retry_after_and_the_deadline() {
    let (policy, schedule) = (Policy::default(), planned());
    let parts = uploaded();
    let submission = of(&parts);
    let now = 200 * SECOND + UPLOADED_MS as i64;
    let planned = Context { schedule: Some(&schedule), ..context(&submission, now, &policy) };
    let retry_after = Some(Duration::from_mins(5));
    let later = PlatformError::NotYet { retry_after, what: "responded 202".into() };
    assert_eq!(after_poll(&planned, Err(later)).delay(), retry_after);
    let hurried = of(&SubmissionParts { deadline: timestamp(now + 3 * SECOND), ..parts });
    let hurried = Context { submission: &hurried, ..planned };
    assert_eq!(seconds(&after_poll(&hurried, Ok(pending()))), 3, "the last poll");
}
