//! Responses that end a step if they last, between any other errors.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::properties::error;
use super::*;

const MINUTE: i64 = 60_000;

fn nothing() -> PlatformError {
    PlatformError::WrongAddress { status: 404, what: "nothing is there".into() }
}

fn not_yet() -> PlatformError {
    PlatformError::NotYet { retry_after: None, what: "responded 202".into() }
}

fn declined() -> PlatformError {
    PlatformError::Declined { may_be_outage: false, what: "responded 400".into() }
}

fn rejected() -> PlatformError {
    PlatformError::Rejected { status: 409, words: "exists".into() }
}

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
    let wait = ferry_testing::Wait::begin("the last attempt");
    for error in turns.iter().cycle() {
        wait.check();
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
    let (upload, poll, collect) = (StepKind::Upload, StepKind::Poll, StepKind::Collect);
    let rules = [
        (upload, false, nothing(), State::Held, 16),
        (upload, false, rejected(), State::Held, 16),
        (poll, false, PlatformError::UnknownToken, State::Failed, 10),
        (collect, false, PlatformError::UnknownToken, State::Failed, 45),
        (collect, false, not_yet(), State::Failed, 45),
        (collect, false, declined(), State::Failed, 45),
        (collect, true, PlatformError::UnknownToken, State::Rejected, 45),
    ];
    let between = [
        transient(),
        PlatformError::Unsent("no connection".into()),
        PlatformError::Credentials("denied".into()),
        throttled(None),
        not_yet(),
        PlatformError::Ambiguous("responded 500".into()),
        PlatformError::Unreadable("odd".into()),
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
    (parts.lasting, parts.deadline) =
        (Lasting { weight: 1, waited_ms: 10 * MINUTE as u64 }, timestamp(day));
    let now = 10 * MINUTE;
    let pending = Status::Pending { status: "running".into(), known: true, retry_after: None };
    for response in [Ok(pending), Ok(Status::Done)] {
        let submission = of(&parts);
        let transition = after_poll(&context(&submission, now, &policy), response);
        assert_eq!(transition.lasting, Lasting::default(), "{transition:?}");
    }
    let submission = of(&parts);
    let transition = after_poll(&context(&submission, now, &policy), Err(transient()));
    assert_eq!(transition.lasting, parts.lasting, "{transition:?}");
    let submission = of(&parts);
    let error = Err(PlatformError::UnknownToken);
    let transition = after_poll(&context(&submission, now, &policy), error);
    assert_eq!(transition.state(), Some(State::Failed));
}

#[test]
fn a_token_that_is_unknown_now_and_then_is_polled_until_the_deadline() {
    let mut turns = vec![not_yet(); 12];
    turns.push(PlatformError::UnknownToken);
    let (ended, now) = run(due(StepKind::Poll, false), &Policy::default(), &turns);
    assert!(now >= ended.deadline.timestamp_millis(), "{} min", now / MINUTE);
}

#[test]
fn an_address_where_nothing_was_before_the_upload_was_ambiguous_does_not_count() {
    let (policy, mut parts) = (Policy::default(), submission(State::Uploading));
    let first = after_upload(&context(&of(&parts), 0, &policy), Err(nothing()));
    (parts.lasting, parts.upload_ambiguous) = (first.lasting, true);
    let later = after_upload(&context(&of(&parts), 10 * MINUTE, &policy), Err(nothing()));
    assert_eq!(later.state(), Some(State::Queued));
}

#[test]
fn one_such_response_before_an_outage_and_one_after_it_end_nothing() {
    let (policy, outage) = (Policy::default(), 30);
    for (kind, error) in [
        (StepKind::Upload, nothing()),
        (StepKind::Poll, PlatformError::UnknownToken),
        (StepKind::Collect, PlatformError::UnknownToken),
    ] {
        let (mut submission, mut now) = (due(kind, false), 0);
        let between = std::iter::repeat_n(transient(), outage);
        for error in [error.clone()].into_iter().chain(between).chain([error]) {
            submission.claim(Duration::from_secs(15), timestamp(now)).unwrap();
            let transition = after(&context(&submission, now, &policy), kind, Err(error));
            submission.apply(&transition, timestamp(now)).unwrap();
            now += 5 * MINUTE;
        }
        assert_eq!(submission.state, kind.waiting_state().unwrap(), "{:?}", submission.reason);
    }
}

/// A step, and a response that ends it if it lasts.
fn ending() -> impl Strategy<Value = (StepKind, bool, PlatformError)> {
    let (upload, poll, collect) = (StepKind::Upload, StepKind::Poll, StepKind::Collect);
    let unreadable = || PlatformError::Unreadable("odd".into());
    select(vec![
        (upload, false, nothing()),
        (upload, false, rejected()),
        (poll, false, PlatformError::UnknownToken),
        (collect, false, PlatformError::UnknownToken),
        (collect, false, not_yet()),
        (collect, false, declined()),
        (collect, false, unreadable()),
        (collect, true, not_yet()),
        (collect, true, transient()),
    ])
}

proptest! {
    #[test]
    fn no_mixture_of_responses_asks_again_until_the_deadline(
        (kind, is_rejected, ending) in ending(),
        mut others in vec(error(), 0..6),
        at in any::<Index>(),
        ambiguous_upload in select(&AmbiguousUpload::ALL[..]),
    ) {
        let policy = Policy { ambiguous_upload, ..Policy::default() };
        others.insert(at.index(others.len() + 1), ending);
        let (ended, now) = run(due(kind, is_rejected), &policy, &others);
        prop_assert!(now < 12 * 60 * MINUTE, "{} min", now / MINUTE);
        prop_assert_eq!(ended.due_at, None);
    }
}
