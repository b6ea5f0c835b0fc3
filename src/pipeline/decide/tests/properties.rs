//! Properties of all decisions, whatever the Platform responds.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

pub(super) fn error() -> impl Strategy<Value = PlatformError> {
    let delay = option::of((0_u64..100_000_000).prop_map(Duration::from_millis));
    prop_oneof![
        Just(transient()),
        Just(PlatformError::Ambiguous("lost".into())),
        Just(PlatformError::TimedOut("late".into())),
        (delay, any::<bool>()).prop_map(|(retry_after, ambiguous)| {
            PlatformError::Throttled { retry_after, ambiguous, is_rate: false, what: "wait".into() }
        }),
        Just(PlatformError::Credentials("denied".into())),
        (400_u16..500).prop_map(|status| PlatformError::Rejected { status, words: "no".into() }),
        Just(PlatformError::Unsent("no connection".into())),
        Just(PlatformError::WrongAddress { status: 404, what: "nothing is there".into() }),
        Just(PlatformError::Unreadable("odd".into())),
        (0_u64..100_000).prop_map(|millis| PlatformError::NotYet {
            retry_after: Some(Duration::from_millis(millis)),
            what: "responded 202".into(),
        }),
        Just(PlatformError::UnknownToken),
        Just(PlatformError::TooLarge { endpoint: "GetResults", limit: 1 }),
    ]
}

fn response() -> impl Strategy<Value = Result<Status, PlatformError>> {
    prop_oneof![
        Just(Ok(Status::Done)),
        Just(Ok(Status::Failed { status: "failed".into() })),
        (any::<bool>(), option::of(0_u64..100_000)).prop_map(|(known, millis)| {
            let retry_after = millis.map(Duration::from_millis);
            Ok(Status::Pending { status: "running".into(), known, retry_after })
        }),
        error().prop_map(Err),
    ]
}

prop_compose! {
    fn claimed()(
        kind in select(&StepKind::PLATFORM_KINDS[..]),
        overwrite in any::<bool>(),
        upload_ambiguous in any::<bool>(),
        failures in any::<u32>(),
        lasting in (any::<u32>(), 0..2 * DEADLINE as u64),
        polls in any::<u32>(),
        code in option::of(select(&ReasonCode::ALL[..])),
        rejected in any::<bool>(),
    ) -> (StepKind, Submission) {
        let mut submission = submission(running(kind));
        submission.overwrite = overwrite;
        submission.upload_ambiguous = upload_ambiguous && kind == StepKind::Upload;
        submission.failures = failures;
        submission.lasting = Lasting { weight: lasting.0, waited_ms: lasting.1 };
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
    fn an_ambiguous_upload_is_settled_only_by_an_accepted_one(
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
        let transition = after_upload(&context(&submission, now, &policy), Err(error));
        prop_assert!(transition.upload_ambiguous);
        let accepted = after_upload(&context(&submission, now, &policy), Ok(super::accepted(None)));
        prop_assert!(!accepted.upload_ambiguous);
    }

    #[test]
    fn rejections_in_other_words_have_equal_decisions(
        (_, submission) in claimed(),
        status in 400_u16..500,
        words in (".{0,40}", "\\PC{0,40}"),
        is_marked in any::<bool>(),
        policy in policies(),
        now in 0..2 * DEADLINE,
    ) {
        let parts = SubmissionParts { state: State::Uploading, ..submission.into_parts() };
        let (submission, name_mark) = (of(&parts), is_marked.then(|| SubmissionId::new(timestamp(0), 0)));
        let context = Context { name_mark, ..context(&submission, now, &policy) };
        let decide = |words: String| {
            let rejected = PlatformError::Rejected { status, words };
            let decided = after_upload(&context, Err(rejected));
            (decided.reason.map(|reason| reason.code), Transition { reason: None, ..decided })
        };
        prop_assert_eq!(decide(words.0), decide(words.1));
    }

    #[test]
    fn nothing_overwrites_without_permission(
        (_, submission) in claimed(),
    ) {
        let policy = Policy::default();
        let context = context(&submission, 0, &policy);
        prop_assert_eq!(may_overwrite(&context), submission.overwrite);
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
            let deadline = transition.deadline.unwrap_or(submission.deadline);
            prop_assert!(later(timestamp(now), next) <= deadline);
        }
    }

    #[test]
    fn nothing_runs_for_ever_after_the_deadline(
        (kind, submission) in claimed(),
        response in response(),
        policy in policies(),
        now in DEADLINE..2 * DEADLINE,
    ) {
        // A person has to see to the credentials.
        let waits = matches!(response, Err(PlatformError::Credentials(_)));
        let transition = after(&context(&submission, now, &policy), kind, response);
        let progressed = transition.state() != kind.waiting_state();
        let polls_late = kind == StepKind::Upload && transition.state() == Some(State::Processing);
        prop_assert!(waits || progressed, "{transition:?}");
        prop_assert!(!polls_late || transition.deadline.is_some());
    }
}
