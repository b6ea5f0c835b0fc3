//! Responses that end a step if they last, between any other errors.

use super::*;

const MINUTE: i64 = 60_000;

/// A submission that was accepted at 0, whose step of this kind is due, and whose upload is ambiguous.
fn due(kind: StepKind, is_rejected: bool) -> Submission {
    SubmissionParts {
        state: kind.waiting_state().unwrap(),
        step: Some(kind),
        due_at: Some(timestamp(0)),
        deadline: timestamp(24 * 60 * MINUTE),
        upload_ambiguous: kind == StepKind::Upload,
        rejection: is_rejected.then(|| "failed".to_owned()),
        ..submission(State::Queued)
    }
    .into()
}

/// Runs the step with these responses in turn until nothing is due, and returns when that was.
fn run(mut submission: Submission, policy: &Policy, turns: &[PlatformError]) -> (Submission, i64) {
    let (kind, mut now) = (submission.step.unwrap(), 0);
    for error in turns.iter().cycle() {
        submission.claim(Duration::from_secs(15), timestamp(now)).unwrap();
        let error = Err(error.clone());
        let transition = after(&context(&submission, now, policy), kind, error);
        submission.apply(&transition, timestamp(now)).unwrap();
        let Some(due) = submission.due_at else { break };
        // The account is not blocked, and a request takes its time.
        now = due.timestamp_millis() + 1000;
    }
    (submission, now)
}

#[test]
fn what_ends_a_step_if_it_lasts_does_so_whatever_errors_come_between() {
    let nothing = || PlatformError::WrongAddress { status: 404, what: "nothing is there".into() };
    let not_yet = || PlatformError::NotYet { retry_after: None, what: "answered 202".into() };
    let declined = || PlatformError::Declined { may_be_outage: false, what: "answered 400".into() };
    let (upload, poll, collect) = (StepKind::Upload, StepKind::Poll, StepKind::Collect);
    let rules = [
        (upload, false, nothing(), State::Held, 8),
        (poll, false, PlatformError::UnknownToken, State::Failed, 5),
        (collect, false, PlatformError::UnknownToken, State::Failed, 30),
        (collect, false, not_yet(), State::Failed, 30),
        (collect, false, declined(), State::Failed, 30),
        (collect, true, PlatformError::UnknownToken, State::Rejected, 30),
    ];
    let between = [
        transient(),
        PlatformError::Unsent("no connection".into()),
        PlatformError::Credentials("denied".into()),
        throttled(None),
    ];
    for ambiguous_upload in AmbiguousUpload::ALL {
        let policy = Policy { ambiguous_upload, ..Policy::default() };
        for (kind, is_rejected, error, state, minutes) in &rules {
            for turns in between.each_ref().map(|other| [error.clone(), other.clone()]) {
                // Those with permission to overwrite may be tried for as long again.
                let minutes = minutes * if *kind == upload { 2 } else { 1 };
                let (ended, now) = run(due(*kind, *is_rejected), &policy, &turns);
                assert!(now < minutes * MINUTE, "{turns:?}: {} min", now / MINUTE);
                assert_eq!(ended.state, *state, "{turns:?}: {:?}", ended.reason);
            }
        }
    }
}

#[test]
fn a_step_that_succeeds_ends_the_time() {
    let (policy, day) = (Policy::default(), 24 * 60 * MINUTE);
    let mut parts = submission(State::Processing);
    (parts.refused_ms, parts.deadline) = (Some(0), timestamp(day));
    let now = 10 * MINUTE;
    let pending = Status::Pending { status: "running".into(), known: true };
    let not_yet = PlatformError::NotYet { retry_after: None, what: "answered 202".into() };
    for response in [Ok(pending), Err(not_yet), Ok(Status::Done)] {
        let submission = of(&parts);
        let transition = after_poll(&context(&submission, now, &policy), response);
        assert_eq!(transition.refused_ms, None, "{transition:?}");
    }
    let submission = of(&parts);
    let error = Err(PlatformError::UnknownToken);
    let transition = after_poll(&context(&submission, now, &policy), error);
    assert_eq!(transition.state(), Some(State::Failed));
}

#[test]
fn an_address_where_nothing_was_before_the_upload_was_ambiguous_does_not_count() {
    let (policy, mut parts) = (Policy::default(), submission(State::Uploading));
    let nothing = || PlatformError::WrongAddress { status: 404, what: "nothing is there".into() };
    let first = after_upload(&context(&of(&parts), 0, &policy), Err(nothing()));
    (parts.refused_ms, parts.upload_ambiguous) = (first.refused_ms, true);
    let later = after_upload(&context(&of(&parts), 10 * MINUTE, &policy), Err(nothing()));
    assert_eq!(later.state(), Some(State::Queued));
}
