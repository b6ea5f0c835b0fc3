//! What follows from each answer, one row of the table after the other, and what holds for all.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use ferry_types::domain::submission::{State, SubmissionParts};
use ferry_types::domain::{SubmissionId, later, timestamp};

const DEADLINE: i64 = 1_000_000;

fn submission(state: State) -> SubmissionParts {
    let id = SubmissionId::new(timestamp(0), 1);
    SubmissionParts {
        state,
        result_keys: vec!["tableofresultids".to_owned()],
        deadline: timestamp(DEADLINE),
        attempts: 1,
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

fn decide(kind: StepKind, trouble: Trouble, now: i64) -> Transition {
    let (submission, policy) = (submission(running(kind)).into(), Policy::default());
    after(&context(&submission, now, &policy), kind, Err(trouble))
}

/// The state of a submission whose step of this kind runs.
fn running(kind: StepKind) -> State {
    match kind {
        StepKind::Upload => State::Uploading,
        StepKind::Poll | StepKind::Collect => kind.waiting_state().unwrap(),
        StepKind::Notify => State::Completed,
    }
}

/// A good answer, or a trouble, to whatever kind of step.
fn after(context: &Context<'_>, kind: StepKind, answer: Result<Status, Trouble>) -> Transition {
    match kind {
        StepKind::Upload => after_upload(context, answer.map(|_| "token".to_owned())),
        StepKind::Poll => after_poll(context, answer),
        StepKind::Collect => after_collect(context, answer.map(|_| Vec::new())),
        StepKind::Notify => after_notify(context, DeliveryResult::Delivered, Some(204)),
    }
}

fn code(transition: &Transition) -> Option<ReasonCode> {
    transition.reason.as_ref().map(|reason| reason.code)
}

fn transient() -> Trouble {
    Trouble::Transient("UploadData: answered 500".to_owned())
}

#[test]
fn a_transient_trouble_is_tried_again_later_and_counts_against_the_platform() {
    for kind in StepKind::CARRYING {
        let transition = decide(kind, transient(), 0);
        assert_eq!(transition.state(), kind.waiting_state());
        assert_eq!(code(&transition), Some(ReasonCode::Transient));
        assert_eq!((transition.failures, transition.in_doubt), (1, false));
        assert_eq!(transition.signal, Signal::Faulty);
        assert!(transition.delay().unwrap() >= Policy::default().retry_initial / 10);
    }
}

#[test]
fn an_ambiguous_upload_is_tried_again_in_doubt() {
    let transition = decide(StepKind::Upload, Trouble::Ambiguous("no answer in time".into()), 0);
    assert_eq!((transition.state(), transition.in_doubt), (Some(State::Queued), true));
    assert_eq!(code(&transition), Some(ReasonCode::Ambiguous));
}

#[test]
fn a_pause_that_is_asked_for_spends_no_attempt_and_closes_the_gate() {
    let pause = Duration::from_secs(7);
    let trouble = Trouble::SlowDown { retry_after: Some(pause), what: "asked to wait".into() };
    for kind in StepKind::CARRYING {
        let transition = decide(kind, trouble.clone(), 0);
        assert_eq!(transition.attempt_spent, kind != StepKind::Upload);
        assert_eq!(transition.failures, 0);
        assert_eq!(transition.signal, Signal::SlowDown { pause });
        assert!(transition.delay().unwrap() >= pause);
    }
}

#[test]
fn a_pause_asked_for_in_doubt_does_not_end_the_doubt() {
    let (mut submission, policy) = (submission(State::Uploading), Policy::default());
    submission.in_doubt = true;
    let trouble = Trouble::SlowDown { retry_after: None, what: "asked to wait".into() };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(trouble));
    assert!(transition.in_doubt);
    assert_eq!(transition.signal, Signal::SlowDown { pause: policy.slow_down });
}

#[test]
fn refused_credentials_stop_the_account_and_leave_the_submission_as_it_is() {
    for kind in StepKind::CARRYING {
        let transition = decide(kind, Trouble::Credentials("refused".into()), DEADLINE + 1);
        assert_eq!(transition.state(), kind.waiting_state(), "not even the deadline fails it");
        assert!(matches!(transition.signal, Signal::Unauthorized(_)));
        assert_eq!(transition.attempt_spent, kind != StepKind::Upload);
    }
}

#[test]
fn a_refusal_is_the_platforms_decision() {
    let trouble = Trouble::Refused { status: 409, words: "exists".into(), already_exists: true };
    let transition = decide(StepKind::Upload, trouble, 0);
    assert_eq!(transition.next, Next::End(Outcome::Rejected));
    assert_eq!(code(&transition), Some(ReasonCode::Refused));
}

#[test]
fn a_dataset_that_exists_after_a_doubt_is_a_persons_decision() {
    let (mut submission, policy) = (submission(State::Uploading), Policy::default());
    submission.in_doubt = true;
    let exists = Trouble::Refused { status: 409, words: "exists".into(), already_exists: true };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(exists));
    assert_eq!((transition.state(), transition.in_doubt), (Some(State::Held), true));
    let odd = Trouble::Refused { status: 422, words: "odd".into(), already_exists: false };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(odd));
    assert_eq!((transition.state(), transition.in_doubt), (Some(State::Rejected), false));
}

#[test]
fn only_after_a_try_without_it_does_the_configuration_overwrite() {
    let policy = Policy { ambiguous_upload: AmbiguousUpload::Overwrite, ..Policy::default() };
    let mut submission = submission(State::Uploading);
    submission.in_doubt = true;
    submission.reason = Some(Reason::new(ReasonCode::Ambiguous, "lost"));
    assert!(!may_overwrite(&of(&submission), &policy));
    let exists = Trouble::Refused { status: 409, words: "exists".into(), already_exists: true };
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(exists));
    assert_eq!(transition.state(), Some(State::Queued));
    submission.reason = transition.reason;
    assert!(may_overwrite(&of(&submission), &policy));
    assert!(!may_overwrite(&of(&submission), &Policy::default()), "not where a person decides");
    submission.in_doubt = false;
    assert!(!may_overwrite(&of(&submission), &policy), "never without a doubt");
}

#[test]
fn an_unknown_token_is_asked_for_a_few_times() {
    let policy = Policy { unknown_token_tries: 3, ..Policy::default() };
    let mut submission = submission(State::Processing);
    submission.failures = 40;
    for (failures, to) in [(1, State::Processing), (2, State::Processing), (0, State::Failed)] {
        let asked = of(&submission);
        let context = context(&asked, 0, &policy);
        let transition = after_poll(&context, Err(Trouble::UnknownToken));
        assert_eq!((transition.failures, transition.state()), (failures, Some(to)));
        submission.failures = transition.failures;
        submission.reason = transition.reason;
    }
}

#[test]
fn the_last_poll_comes_at_the_deadline() {
    let (submission, policy) = (submission(State::Processing).into(), Policy::default());
    let pending = || Ok(Status::Pending { word: "running".into(), known: true });
    let before = after_poll(&context(&submission, DEADLINE - 100, &policy), pending());
    assert_eq!(before.delay().unwrap(), Duration::from_millis(100));
    let at = after_poll(&context(&submission, DEADLINE, &policy), pending());
    assert_eq!((at.state(), code(&at)), (Some(State::Failed), Some(ReasonCode::Deadline)));
    assert!(at.reason.unwrap().text.contains("`running`"));
    let done = after_poll(&context(&submission, DEADLINE, &policy), Ok(Status::Done));
    assert_eq!(done.state(), Some(State::Collecting), "an answer at the deadline counts");
}

#[test]
fn a_rejected_dataset_ends_with_its_feedback() {
    let (mut submission, policy) = (submission(State::Processing), Policy::default());
    let failed = Ok(Status::Failed { word: "completedwitherrors".into() });
    let transition = after_poll(&context(&of(&submission), 0, &policy), failed);
    assert_eq!(transition.state(), Some(State::Collecting));
    submission.rejection = transition.rejection;
    let content = Content { content_type: None, bytes: b"1|x|odd".to_vec() };
    let contents = vec![(FEEDBACK_KEY.to_owned(), content)];
    let transition = after_collect(&context(&of(&submission), 0, &policy), Ok(contents));
    assert_eq!(
        (transition.state(), code(&transition)),
        (Some(State::Rejected), Some(ReasonCode::Feedback))
    );
    assert_eq!(transition.contents.len(), 1);
}

#[test]
fn a_result_that_is_too_large_would_be_so_again() {
    let trouble = Trouble::TooLarge { endpoint: "GetResults (results)", limit: 1024 };
    let transition = decide(StepKind::Collect, trouble, 0);
    assert_eq!(
        (transition.state(), code(&transition)),
        (Some(State::Failed), Some(ReasonCode::TooLarge))
    );
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let pause = option::of((0_u64..100_000_000).prop_map(Duration::from_millis));
    prop_oneof![
        Just(transient()),
        Just(Trouble::Ambiguous("lost".into())),
        pause.prop_map(|retry_after| Trouble::SlowDown { retry_after, what: "wait".into() }),
        Just(Trouble::Credentials("refused".into())),
        (400_u16..500, any::<bool>()).prop_map(|(status, already_exists)| Trouble::Refused {
            status,
            words: "no".into(),
            already_exists,
        }),
        Just(Trouble::UnknownToken),
        Just(Trouble::TooLarge { endpoint: "GetResults", limit: 1 }),
    ]
}

fn answer() -> impl Strategy<Value = Result<Status, Trouble>> {
    prop_oneof![
        Just(Ok(Status::Done)),
        Just(Ok(Status::Failed { word: "failed".into() })),
        any::<bool>().prop_map(|known| Ok(Status::Pending { word: "running".into(), known })),
        trouble().prop_map(Err),
    ]
}

prop_compose! {
    fn claimed()(
        kind in select(&StepKind::CARRYING[..]),
        overwrite in any::<bool>(),
        in_doubt in any::<bool>(),
        failures in any::<u32>(),
        polls in any::<u32>(),
        code in option::of(select(&ReasonCode::ALL[..])),
        rejected in any::<bool>(),
    ) -> (StepKind, Submission) {
        let mut submission = submission(running(kind));
        submission.overwrite = overwrite;
        submission.in_doubt = in_doubt && kind == StepKind::Upload;
        submission.failures = failures;
        submission.polls = polls;
        submission.reason = code.map(|code| Reason::new(code, "before"));
        submission.rejection = (rejected && kind == StepKind::Collect).then(|| "failed".to_owned());
        (kind, submission.into())
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    (select(&[AmbiguousUpload::Hold, AmbiguousUpload::Overwrite][..]), 1_u32..6).prop_map(
        |(ambiguous_upload, unknown_token_tries)| Policy {
            unknown_token_tries,
            ambiguous_upload,
            ..Policy::default()
        },
    )
}

proptest! {
    #[test]
    fn every_decision_can_be_applied(
        (kind, mut submission) in claimed(),
        answer in answer(),
        policy in policies(),
        now in 0..2 * DEADLINE,
    ) {
        let transition = after(&context(&submission, now, &policy), kind, answer);
        prop_assert!(submission.apply(&transition, timestamp(now)).is_ok(), "{transition:?}");
        let settled = submission.state.is_final() || submission.state == State::Held;
        prop_assert_eq!(submission.due_at.is_none(), settled);
    }

    #[test]
    fn a_doubt_ends_only_with_an_answer_of_the_platform_to_an_upload(
        (_, submission) in claimed(),
        trouble in trouble(),
        policy in policies(),
        now in 0..2 * DEADLINE,
    ) {
        let submission = SubmissionParts {
            state: State::Uploading,
            in_doubt: true,
            ..submission.into_parts()
        }
        .into();
        let refused = matches!(trouble, Trouble::Refused { .. });
        let transition = after_upload(&context(&submission, now, &policy), Err(trouble));
        prop_assert!(transition.in_doubt || refused || matches!(transition.next, Next::End(_)));
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
        answer in answer(),
        policy in policies(),
        now in 0..DEADLINE,
    ) {
        let asked = matches!(answer, Err(Trouble::SlowDown { .. }));
        let transition = after(&context(&submission, now, &policy), kind, answer);
        if let Some(next) = transition.delay().filter(|_| !asked) {
            prop_assert!(later(timestamp(now), next) <= submission.deadline);
        }
    }

    #[test]
    fn nothing_goes_on_for_ever_after_the_deadline(
        (kind, submission) in claimed(),
        answer in answer(),
        policy in policies(),
        now in DEADLINE..2 * DEADLINE,
    ) {
        // A person has to see to the credentials, and an upload that was taken is worth a question.
        let waits = matches!(answer, Err(Trouble::Credentials(_)));
        let transition = after(&context(&submission, now, &policy), kind, answer);
        let progressed = transition.state() != kind.waiting_state();
        let overwrites = transition.reason.as_ref().is_some_and(|r| r.code == ReasonCode::AlreadyExists);
        prop_assert!(waits || progressed || overwrites, "{transition:?}");
    }
}
