//! What follows from each answer, one row of the table after the other, and what holds for all.

mod delivering;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::pipeline::collect::{Collected, after_collect};
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{FEEDBACK_KEY, State, SubmissionParts};
use ferry_types::domain::{SubmissionId, later, timestamp};

const DEADLINE: i64 = 1_000_000;

fn submission(state: State) -> SubmissionParts {
    let id = SubmissionId::new(timestamp(0), 1);
    SubmissionParts {
        state,
        result_keys: vec!["tableofresultids".to_owned()],
        deadline: timestamp(DEADLINE),
        upload_attempts: 1,
        step: None,
        due_at: None,
        ..SubmissionParts::accepted(id, "default", "march", timestamp(0))
    }
}

fn of(parts: &SubmissionParts) -> Submission {
    parts.clone().into()
}

fn context<'a>(submission: &'a Submission, now: i64, policy: &'a Policy) -> Context<'a> {
    Context {
        submission,
        now: timestamp(now),
        policy,
        jitter: Jitter::for_claim(1, submission.id, 1),
    }
}

fn decide(kind: StepKind, error: PlatformError, now: i64) -> Transition {
    let (submission, policy) = (submission(running(kind)).into(), Policy::default());
    after(&context(&submission, now, &policy), kind, Err(error))
}

/// The state of a submission whose step of this kind runs.
fn running(kind: StepKind) -> State {
    match kind {
        StepKind::Upload => State::Uploading,
        StepKind::Poll | StepKind::Collect => kind.waiting_state().unwrap(),
        StepKind::Deliver => State::Completed,
    }
}

/// A good answer, or a trouble, to whatever kind of step.
fn after(
    context: &Context<'_>,
    kind: StepKind,
    response: Result<Status, PlatformError>,
) -> Transition {
    match kind {
        StepKind::Upload => after_upload(context, response.map(|_| "token".to_owned())),
        StepKind::Poll => after_poll(context, response),
        StepKind::Collect => after_collect(context, collected(response.map(drop))),
        StepKind::Deliver => after_delivery(context, attempt(204, None)),
    }
}

fn attempt(status: u16, retry_after: Option<u64>) -> Attempt {
    let result =
        if status == 204 { DeliveryResult::Delivered } else { DeliveryResult::ServerError };
    let retry_after = retry_after.map(Duration::from_secs);
    Attempt { result, status: Some(status), retry_after }
}

fn collected(response: Result<(), PlatformError>) -> Collected {
    match response {
        Ok(()) => Collected::default(),
        Err(error) => one_missing("tableofresultids", error),
    }
}

fn one_missing(key: &str, error: PlatformError) -> Collected {
    Collected { contents: Vec::new(), missing: vec![(key.to_owned(), error)] }
}

fn code(transition: &Transition) -> Option<ReasonCode> {
    transition.reason.as_ref().map(|reason| reason.code)
}

fn transient() -> PlatformError {
    PlatformError::Transient("UploadData: answered 500".to_owned())
}

#[test]
fn a_transient_trouble_is_tried_again_later_and_counts_against_the_platform() {
    for kind in StepKind::PLATFORM_KINDS {
        let transition = decide(kind, transient(), 0);
        assert_eq!(transition.state(), kind.waiting_state());
        assert_eq!(code(&transition), Some(ReasonCode::Transient));
        assert_eq!((transition.failures, transition.upload_ambiguous), (1, false));
        assert_eq!(transition.signal, Signal::Unhealthy);
        assert!(transition.delay().unwrap() >= Policy::default().retry_initial / 10);
    }
}

#[test]
fn an_ambiguous_upload_is_tried_again_in_doubt() {
    let transition =
        decide(StepKind::Upload, PlatformError::Ambiguous("no answer in time".into()), 0);
    assert_eq!((transition.state(), transition.upload_ambiguous), (Some(State::Queued), true));
    assert_eq!(code(&transition), Some(ReasonCode::Ambiguous));
}

#[test]
fn a_pause_that_is_asked_for_spends_no_attempt_and_closes_the_gate() {
    let delay = Duration::from_secs(7);
    let error = PlatformError::Throttled { retry_after: Some(delay), what: "asked to wait".into() };
    for kind in StepKind::PLATFORM_KINDS {
        let transition = decide(kind, error.clone(), 0);
        assert_eq!(transition.attempt_spent, kind != StepKind::Upload);
        assert_eq!(transition.failures, 0);
        assert_eq!(transition.signal, Signal::Throttled { delay, is_capped: false });
        // The store yields nothing before the end of the pause, or before somebody resumes.
        assert!(transition.delay().unwrap() <= Policy::default().retry_initial);
    }
}

#[test]
fn a_pause_asked_for_in_doubt_does_not_end_the_doubt() {
    let (mut submission, policy) = (submission(State::Uploading), Policy::default());
    submission.upload_ambiguous = true;
    let error = PlatformError::Throttled { retry_after: None, what: "asked to wait".into() };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(error));
    assert!(transition.upload_ambiguous);
    assert_eq!(
        transition.signal,
        Signal::Throttled { delay: policy.default_retry_after, is_capped: false }
    );
}

#[test]
fn refused_credentials_stop_the_account_and_leave_the_submission_as_it_is() {
    for kind in StepKind::PLATFORM_KINDS {
        let transition = decide(kind, PlatformError::Credentials("refused".into()), DEADLINE + 1);
        assert_eq!(transition.state(), kind.waiting_state(), "not even the deadline fails it");
        assert!(matches!(transition.signal, Signal::CredentialsDenied(_)));
        assert_eq!(transition.attempt_spent, kind != StepKind::Upload);
    }
}

#[test]
fn a_refusal_is_the_platforms_decision() {
    let error = PlatformError::Refused { status: 409, words: "exists".into() };
    let transition = decide(StepKind::Upload, error, 0);
    assert_eq!(transition.next, Next::End(Outcome::Rejected));
    assert_eq!(code(&transition), Some(ReasonCode::UploadRejected));
}

#[test]
fn a_dataset_that_exists_after_a_doubt_is_a_persons_decision() {
    let (mut submission, policy) = (submission(State::Uploading), Policy::default());
    submission.upload_ambiguous = true;
    let exists = PlatformError::Refused { status: 409, words: "exists".into() };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(exists));
    assert_eq!((transition.state(), transition.upload_ambiguous), (Some(State::Held), true));
    let odd = PlatformError::Refused { status: 422, words: "odd".into() };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(odd));
    assert_eq!(
        (transition.state(), transition.upload_ambiguous),
        (Some(State::Held), true),
        "whatever it says"
    );
}

#[test]
fn only_after_a_try_without_it_does_the_configuration_overwrite() {
    let policy = Policy { ambiguous_upload: AmbiguousUpload::Overwrite, ..Policy::default() };
    let mut submission = submission(State::Uploading);
    submission.upload_ambiguous = true;
    submission.reason = Some(Reason::new(ReasonCode::Ambiguous, "lost"));
    assert!(!may_overwrite(&of(&submission), &policy));
    let exists = PlatformError::Refused { status: 409, words: "exists".into() };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(exists));
    assert_eq!(transition.state(), Some(State::Queued));
    submission.reason = transition.reason;
    assert!(may_overwrite(&of(&submission), &policy));
    assert!(!may_overwrite(&of(&submission), &Policy::default()), "not where a person decides");
    submission.upload_ambiguous = false;
    assert!(!may_overwrite(&of(&submission), &policy), "never without a doubt");
}

#[test]
fn an_unknown_token_is_asked_for_by_time_and_not_by_tries() {
    let minute = Duration::from_mins(1);
    for (retry_max, at_least) in [(Duration::from_millis(100), 1000), (minute, 5)] {
        let policy = Policy { unknown_token_timeout: minute, retry_max, ..Policy::default() };
        let mut submission = submission(State::Processing);
        submission.failures = 4000;
        let (mut taken, mut tries) = (Duration::ZERO, 0);
        loop {
            let transition = after_poll(
                &context(&of(&submission), 0, &policy),
                Err(PlatformError::UnknownToken),
            );
            tries += 1;
            let Some(delay) = transition.delay() else {
                break assert_eq!(transition.state(), Some(State::Failed));
            };
            taken += delay;
            submission.failures = transition.failures;
            submission.reason = transition.reason;
        }
        assert!(tries >= at_least, "{tries}");
        assert!(taken >= minute && taken <= minute * 3, "{taken:?}");
    }
}

#[test]
fn an_upload_that_was_not_sent_is_no_attempt() {
    let transition = decide(StepKind::Upload, PlatformError::Unsent("no token".into()), 0);
    assert_eq!((transition.state(), transition.attempt_spent), (Some(State::Queued), false));
    assert_eq!((code(&transition), transition.failures), (Some(ReasonCode::Transient), 1));
}

#[test]
fn an_upload_with_an_unreadable_answer_is_tried_once_more_and_then_held() {
    let (mut submission, policy) = (submission(State::Uploading), Policy::default());
    let odd =
        || Err(PlatformError::Unreadable("the answer holds no processing token: `odd`".into()));
    for overwrite in [false, true] {
        (submission.overwrite, submission.upload_ambiguous) = (overwrite, false);
        let first = after_upload(&context(&of(&submission), 0, &policy), odd());
        assert_eq!((first.state(), first.upload_ambiguous), (Some(State::Queued), true));
        submission.upload_ambiguous = true;
        let second = after_upload(&context(&of(&submission), 0, &policy), odd());
        assert_eq!((second.state(), second.upload_ambiguous), (Some(State::Held), true));
        assert!(second.reason.unwrap().text.contains("`odd`"));
    }
}

#[test]
fn a_retry_after_is_trusted_up_to_the_limit() {
    let delay = Duration::from_hours(60);
    let error = PlatformError::Throttled { retry_after: Some(delay), what: "asked to wait".into() };
    let transition = decide(StepKind::Poll, error, 0);
    let most = Policy::default().retry_after_max;
    assert_eq!(transition.signal, Signal::Throttled { delay: most, is_capped: true });
}

#[test]
fn who_paused_an_account_and_when_is_on_record() {
    let transition = decide(StepKind::Poll, PlatformError::Credentials("denied".into()), 0);
    let paused = "denied (paused by a worker at 1970-01-01 00:00:00 UTC)";
    assert_eq!(transition.signal, Signal::CredentialsDenied(paused.into()));
}

/// What becomes of a submission whose results, or feedback, are answered so again and again, and after
/// how many tries.
fn settled(rejected: bool, error: &PlatformError) -> (Transition, u32) {
    let (mut submission, policy) = (submission(State::Collecting), Policy::default());
    submission.rejection = rejected.then(|| "completedwitherrors".to_owned());
    let key = if rejected { FEEDBACK_KEY } else { "tableofresultids" };
    for tries in 1..1000 {
        let missing = one_missing(key, error.clone());
        let transition = after_collect(&context(&of(&submission), 0, &policy), missing);
        if transition.delay().is_none() {
            return (transition, tries);
        }
        submission.failures = transition.failures;
        submission.reason = transition.reason;
    }
    panic!("it never ends")
}

#[test]
fn a_verdict_is_not_lost_with_its_feedback() {
    let not_yet = PlatformError::NotYet { retry_after: None, what: "answered 202".into() };
    for error in [
        PlatformError::UnknownToken,
        PlatformError::Unreadable("the body is broken".into()),
        PlatformError::TooLarge { endpoint: "GetResults (feedback)", limit: 1024 },
        not_yet,
        transient(),
    ] {
        let (transition, tries) = settled(true, &error);
        assert_eq!(transition.state(), Some(State::Rejected), "{error:?}");
        let text = transition.reason.unwrap().text;
        assert!(text.contains("completedwitherrors") && text.contains("feedback is"), "{text}");
        assert!(tries > 1 || matches!(error, PlatformError::TooLarge { .. }), "{error:?}");
    }
    let (mut submission, policy) = (submission(State::Collecting), Policy::default());
    submission.rejection = Some("failed".to_owned());
    for error in [PlatformError::Unsent("no connection".into()), transient()] {
        let missing = one_missing(FEEDBACK_KEY, error);
        let transition = after_collect(&context(&of(&submission), DEADLINE, &policy), missing);
        assert_eq!(transition.state(), Some(State::Rejected), "not even to the deadline");
    }
}

#[test]
fn an_unknown_result_key_loses_no_other_result_and_is_named() {
    let (mut submission, policy) = (submission(State::Collecting), Policy::default());
    submission.failures = 50;
    submission.reason = Some(Reason::new(ReasonCode::ResultMissing, "before"));
    let content = Content { content_type: None, bytes: b"Id".to_vec() };
    let mut collected = one_missing("summry", PlatformError::UnknownToken);
    collected.contents = vec![("tableofresultids".to_owned(), content)];
    let transition = after_collect(&context(&of(&submission), 0, &policy), collected);
    assert_eq!((transition.state(), transition.contents.len()), (Some(State::Completed), 1));
    assert!(transition.reason.unwrap().text.contains("result `summry` is not there (404)"));
    let (alone, _) = settled(false, &PlatformError::UnknownToken);
    assert_eq!(alone.state(), Some(State::Failed), "completed only with the Platform's own bytes");
}

#[test]
fn results_that_are_not_there_yet_are_asked_for_in_bounded_time() {
    let not_yet = PlatformError::NotYet { retry_after: None, what: "answered 202".into() };
    let (transition, tries) = settled(false, &not_yet);
    assert_eq!(
        (transition.state(), code(&transition)),
        (Some(State::Failed), Some(ReasonCode::ResultMissing))
    );
    assert!((10..100).contains(&tries), "{tries}");
}

#[test]
fn the_last_poll_comes_at_the_deadline() {
    let (submission, policy) = (submission(State::Processing).into(), Policy::default());
    let pending = || Ok(Status::Pending { status: "running".into(), known: true });
    let before = after_poll(&context(&submission, DEADLINE - 100, &policy), pending());
    assert_eq!(before.delay().unwrap(), Duration::from_millis(100));
    let at = after_poll(&context(&of(&submission), DEADLINE, &policy), pending());
    assert_eq!((at.state(), code(&at)), (Some(State::Failed), Some(ReasonCode::Deadline)));
    assert!(at.reason.unwrap().text.contains("`running`"));
    let done = after_poll(&context(&of(&submission), DEADLINE, &policy), Ok(Status::Done));
    assert_eq!(done.state(), Some(State::Collecting), "an answer at the deadline counts");
}

#[test]
fn a_rejected_dataset_ends_with_its_feedback() {
    let (mut submission, policy) = (submission(State::Processing), Policy::default());
    let failed = Ok(Status::Failed { status: "completedwitherrors".into() });
    let transition = after_poll(&context(&of(&submission), 0, &policy), failed);
    assert_eq!(transition.state(), Some(State::Collecting));
    submission.rejection = transition.rejection;
    let content = Content { content_type: None, bytes: b"1|x|odd".to_vec() };
    let contents = vec![(FEEDBACK_KEY.to_owned(), content)];
    let collected = Collected { contents, missing: Vec::new() };
    let transition = after_collect(&context(&of(&submission), 0, &policy), collected);
    assert_eq!(
        (transition.state(), code(&transition)),
        (Some(State::Rejected), Some(ReasonCode::DataRejected))
    );
    assert_eq!(transition.contents.len(), 1);
}

#[test]
fn a_result_that_is_too_large_would_be_so_again() {
    let error = PlatformError::TooLarge { endpoint: "GetResults (results)", limit: 1024 };
    let transition = decide(StepKind::Collect, error, 0);
    assert_eq!(
        (transition.state(), code(&transition)),
        (Some(State::Failed), Some(ReasonCode::ResponseTooLarge))
    );
}

fn error() -> impl Strategy<Value = PlatformError> {
    let delay = option::of((0_u64..100_000_000).prop_map(Duration::from_millis));
    prop_oneof![
        Just(transient()),
        Just(PlatformError::Ambiguous("lost".into())),
        delay.prop_map(|retry_after| PlatformError::Throttled { retry_after, what: "wait".into() }),
        Just(PlatformError::Credentials("refused".into())),
        (400_u16..500).prop_map(|status| PlatformError::Refused { status, words: "no".into() }),
        Just(PlatformError::Unsent("no connection".into())),
        Just(PlatformError::Unreadable("odd".into())),
        (0_u64..100_000).prop_map(|millis| PlatformError::NotYet {
            retry_after: Some(Duration::from_millis(millis)),
            what: "answered 202".into(),
        }),
        Just(PlatformError::UnknownToken),
        Just(PlatformError::TooLarge { endpoint: "GetResults", limit: 1 }),
    ]
}

fn response() -> impl Strategy<Value = Result<Status, PlatformError>> {
    prop_oneof![
        Just(Ok(Status::Done)),
        Just(Ok(Status::Failed { status: "failed".into() })),
        any::<bool>().prop_map(|known| Ok(Status::Pending { status: "running".into(), known })),
        error().prop_map(Err),
    ]
}

prop_compose! {
    fn claimed()(
        kind in select(&StepKind::PLATFORM_KINDS[..]),
        overwrite in any::<bool>(),
        upload_ambiguous in any::<bool>(),
        failures in any::<u32>(),
        polls in any::<u32>(),
        code in option::of(select(&ReasonCode::ALL[..])),
        rejected in any::<bool>(),
    ) -> (StepKind, Submission) {
        let mut submission = submission(running(kind));
        submission.overwrite = overwrite;
        submission.upload_ambiguous = upload_ambiguous && kind == StepKind::Upload;
        submission.failures = failures;
        submission.polls = polls;
        submission.reason = code.map(|code| Reason::new(code, "before"));
        submission.rejection = (rejected && kind == StepKind::Collect).then(|| "failed".to_owned());
        (kind, submission.into())
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    (select(&[AmbiguousUpload::Hold, AmbiguousUpload::Overwrite][..]), 1_u64..600).prop_map(
        |(ambiguous_upload, seconds)| Policy {
            unknown_token_timeout: Duration::from_secs(seconds),
            ambiguous_upload,
            ..Policy::default()
        },
    )
}

proptest! {
    #[test]
    fn every_decision_can_be_applied(
        (kind, mut submission) in claimed(),
        response in response(),
        policy in policies(),
        now in 0..2 * DEADLINE,
    ) {
        let transition = after(&context(&submission, now, &policy), kind, response);
        prop_assert!(submission.apply(&transition, timestamp(now)).is_ok(), "{transition:?}");
        let settled = submission.state.is_final() || submission.state == State::Held;
        prop_assert_eq!(submission.due_at.is_none(), settled);
    }

    #[test]
    fn a_doubt_ends_only_with_an_answer_of_the_platform_to_an_upload(
        (_, submission) in claimed(),
        error in error(),
        policy in policies(),
        now in 0..2 * DEADLINE,
    ) {
        let submission = SubmissionParts {
            state: State::Uploading,
            upload_ambiguous: true,
            ..submission.into_parts()
        }
        .into();
        let refused = matches!(error, PlatformError::Refused { .. });
        let transition = after_upload(&context(&submission, now, &policy), Err(error));
        prop_assert!(transition.upload_ambiguous || refused || matches!(transition.next, Next::End(_)));
    }

    #[test]
    fn nothing_overwrites_without_permission(
        (_, submission) in claimed(),
    ) {
        prop_assert_eq!(may_overwrite(&submission, &Policy::default()), submission.overwrite);
    }

    #[test]
    fn no_step_is_put_off_beyond_the_deadline_but_by_the_platform(
        (kind, submission) in claimed(),
        response in response(),
        policy in policies(),
        now in 0..DEADLINE,
    ) {
        let requested = matches!(response, Err(PlatformError::Throttled { .. }));
        let transition = after(&context(&submission, now, &policy), kind, response);
        if let Some(next) = transition.delay().filter(|_| !requested) {
            prop_assert!(later(timestamp(now), next) <= submission.deadline);
        }
    }

    #[test]
    fn nothing_goes_on_for_ever_after_the_deadline(
        (kind, submission) in claimed(),
        response in response(),
        policy in policies(),
        now in DEADLINE..2 * DEADLINE,
    ) {
        // A person has to see to the credentials, and an upload that was taken is worth a question.
        let waits = matches!(response, Err(PlatformError::Credentials(_)));
        let transition = after(&context(&submission, now, &policy), kind, response);
        let progressed = transition.state() != kind.waiting_state();
        let overwrites = transition.reason.as_ref().is_some_and(|r| r.code == ReasonCode::AlreadyExists);
        prop_assert!(waits || progressed || overwrites, "{transition:?}");
    }
}
