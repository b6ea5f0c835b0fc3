//! Uploads that may have arrived, and rejections after them.

use super::*;

/// Upload that may have arrived before a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// An upload of the submission itself.
    Own,
    /// An upload of it, before an operator retried it.
    OwnBeforeRetry,
    /// One of an earlier submission of the name.
    Earlier,
    /// One of a later submission, if this one was retried after that.
    Later,
}

const BEFORE: [Before; 4] = [Before::Own, Before::OwnBeforeRetry, Before::Earlier, Before::Later];

/// The earlier submission of the name, of which [`submission`] is a later one.
fn earlier() -> SubmissionId {
    SubmissionId::new(timestamp(0), 0)
}

fn ambiguous(before: Before, parts: &SubmissionParts) -> (Submission, Option<SubmissionId>) {
    let parts = SubmissionParts { upload_ambiguous: before == Before::Own, ..parts.clone() };
    let mark = match before {
        Before::Own => None,
        Before::OwnBeforeRetry => Some(parts.id),
        Before::Earlier => Some(earlier()),
        Before::Later => Some(SubmissionId::new(timestamp(1), 0)),
    };
    (parts.into(), mark)
}

fn rejection(status: u16, words: &str) -> Result<AcceptedUpload, PlatformError> {
    Err(PlatformError::Rejected { status, words: words.to_owned() })
}

#[test]
fn a_rejection_while_the_store_has_lost_data_is_held_and_overwrites_nothing() {
    for ambiguous_upload in [AmbiguousUpload::Hold, AmbiguousUpload::Overwrite] {
        let policy = Policy { ambiguous_upload, ..Policy::default() };
        let submission = of(&submission(State::Uploading));
        let context = Context { store_lost_data: true, ..context(&submission, 0, &policy) };
        for status in [400, 409, 413, 422] {
            let transition = after_upload(&context, rejection(status, "belegt"));
            assert_eq!(transition.next, Next::Held, "{status}");
            let text = transition.reason.unwrap().text;
            assert!(text.starts_with("the store lost data"), "{text}");
        }
    }
}

#[test]
fn every_rejection_after_an_upload_that_may_have_arrived_is_a_persons_decision() {
    let policy = Policy::default();
    for (before, overwrite, status) in BEFORE
        .into_iter()
        .flat_map(|before| [false, true].map(|overwrite| (before, overwrite)))
        .flat_map(|(before, overwrite)| [400, 409, 413, 422].map(|s| (before, overwrite, s)))
    {
        let parts = SubmissionParts { overwrite, ..submission(State::Uploading) };
        let (submission, name_mark) = ambiguous(before, &parts);
        let context = Context { name_mark, ..context(&submission, 0, &policy) };
        let transition = after_upload(&context, rejection(status, "belegt"));
        assert_eq!(transition.next, Next::Held, "{before:?} {overwrite} {status}");
        assert_eq!(transition.upload_ambiguous, before == Before::Own);
        let reason = transition.reason.unwrap();
        assert_eq!(reason.code, ReasonCode::AlreadyExists);
        assert!(reason.text.contains(&format!("({status}: belegt)")), "{}", reason.text);
        if before == Before::Earlier {
            let text = format!(
                "an earlier submission of this name may have left its dataset there (`{}`)",
                earlier()
            );
            assert!(reason.text.contains(&text), "{}", reason.text);
        }
    }
}

#[test]
fn no_decision_depends_on_the_words_of_a_rejection() {
    let words = ["already exists", "existiert bereits", "déjà présent", "既に存在します", "", "ok"];
    for policy in [AmbiguousUpload::Hold, AmbiguousUpload::Overwrite] {
        let policy = Policy { ambiguous_upload: policy, ..Policy::default() };
        for before in BEFORE.map(Some).into_iter().chain([None]) {
            let parts = submission(State::Uploading);
            let (submission, name_mark) = match before {
                Some(before) => ambiguous(before, &parts),
                None => (parts.into(), None),
            };
            let context = Context { name_mark, ..context(&submission, 0, &policy) };
            let decided = words.map(|words| {
                let transition = after_upload(&context, rejection(409, words));
                let reason = transition.reason.map(|reason| reason.code);
                Transition { reason: reason.map(|code| Reason::new(code, "")), ..transition }
            });
            assert!(decided.iter().all(|transition| *transition == decided[0]), "{decided:?}");
        }
    }
}

#[test]
fn each_rejection_gets_one_attempt_that_overwrites_if_the_configuration_permits_it() {
    let policy = Policy { ambiguous_upload: AmbiguousUpload::Overwrite, ..Policy::default() };
    for before in BEFORE {
        let mut parts = submission(State::Uploading);
        parts.reason = Some(Reason::new(ReasonCode::Ambiguous, "lost"));
        let (submission, name_mark) = ambiguous(before, &parts);
        let first = Context { name_mark, ..context(&submission, 0, &policy) };
        assert!(!may_overwrite(&first), "the first attempt is unchanged");
        let transition = after_upload(&first, rejection(409, "exists"));
        if before == Before::Later {
            assert_eq!(transition.next, Next::Held, "never over a later dataset");
            continue;
        }
        assert_eq!(transition.state(), Some(State::Queued), "{before:?}");
        assert_eq!(transition.failures, 1, "it counts");
        assert!(transition.delay().unwrap() >= policy.retry_initial / 10, "not at once");
        let parts = SubmissionParts { reason: transition.reason, ..submission.into_parts() };
        let submission = of(&parts);
        let second = Context { name_mark, ..context(&submission, 0, &policy) };
        assert!(may_overwrite(&second), "{before:?}");
        let transition = after_upload(&second, rejection(409, "exists"));
        assert_eq!(transition.next, Next::Held, "there is no third: {before:?}");
        let hold = Policy::default();
        assert!(!may_overwrite(&Context { policy: &hold, ..second }), "a person decides");
        let settled = of(&SubmissionParts { upload_ambiguous: false, ..parts });
        let settled = Context { submission: &settled, name_mark: None, ..second };
        assert!(!may_overwrite(&settled), "nothing of ours may be there");
    }
}

#[test]
fn an_address_where_nothing_is_counts_as_a_rejection_only_once_it_has_lasted() {
    let nothing = |status| {
        let what = format!("UploadData: nothing is there ({status}); check `api_url`");
        Err(PlatformError::WrongAddress { status, what })
    };
    for (before, ambiguous_upload, status) in BEFORE
        .into_iter()
        .flat_map(|before| [(before, AmbiguousUpload::Hold), (before, AmbiguousUpload::Overwrite)])
        .flat_map(|(before, policy)| [404, 405, 410, 421].map(|status| (before, policy, status)))
    {
        let policy = Policy { ambiguous_upload, ..Policy::default() };
        // Whatever failed before, for however long, was no such rejection.
        let mut parts = SubmissionParts { failures: 900, ..submission(State::Uploading) };
        parts.reason = Some(Reason::new(ReasonCode::Transient, "no connection"));
        let (mut taken, mut overwrote) = (Duration::ZERO, 0);
        let wait = ferry_testing::Wait::begin("a rejection of the upload");
        let last = loop {
            wait.check();
            let (submission, name_mark) = ambiguous(before, &parts);
            let now = taken.as_millis() as i64;
            let context = Context { name_mark, ..context(&submission, now, &policy) };
            overwrote += u32::from(may_overwrite(&context));
            let transition = after_upload(&context, nothing(status));
            assert!(matches!(transition.signal, Signal::Unhealthy(_)), "the breaker knows");
            let Some(delay) = transition.delay() else { break transition };
            taken += delay;
            (parts.failures, parts.lasting) = (transition.failures, transition.lasting);
            parts.reason = transition.reason;
        };
        assert_eq!((last.next, taken >= WRONG_ADDRESS), (Next::Held, true), "{taken:?}");
        assert!(taken < WRONG_ADDRESS + policy.retry_max * 2, "{taken:?}");
        let reason = last.reason.unwrap();
        assert_eq!(reason.code, ReasonCode::AlreadyExists);
        assert!(reason.text.contains("check `api_url`"), "{}", reason.text);
        let is_permitted =
            ambiguous_upload == AmbiguousUpload::Overwrite && before != Before::Later;
        assert_eq!(overwrote, u32::from(is_permitted), "{before:?}");
    }
}

#[test]
fn an_address_where_nothing_is_ends_no_upload_that_is_not_ambiguous() {
    let mut parts = SubmissionParts { failures: 9000, ..submission(State::Uploading) };
    parts.reason = Some(Reason::new(ReasonCode::WrongAddress, "nothing is there"));
    let error = PlatformError::WrongAddress { status: 404, what: "nothing is there".into() };
    let (submission, policy) = (of(&parts), Policy::default());
    let transition = after_upload(&context(&submission, 0, &policy), Err(error));
    let now = (transition.state(), transition.upload_ambiguous, code(&transition));
    assert_eq!(now, (Some(State::Queued), false, Some(ReasonCode::WrongAddress)));
}

#[test]
fn an_ambiguous_upload_is_retried_and_stays_ambiguous() {
    let transition =
        decide(StepKind::Upload, PlatformError::Ambiguous("no response in time".into()), 0);
    assert_eq!((transition.state(), transition.upload_ambiguous), (Some(State::Queued), true));
    assert_eq!(code(&transition), Some(ReasonCode::Ambiguous));
}

#[test]
fn an_upload_without_a_response_in_time_is_tried_once_more_and_then_held() {
    let late = || Err(PlatformError::TimedOut("no response in time".into()));
    for (overwrite, ambiguous_upload, is_held) in [
        (false, AmbiguousUpload::Hold, true),
        (true, AmbiguousUpload::Hold, false),
        (false, AmbiguousUpload::Overwrite, false),
    ] {
        let policy = Policy { ambiguous_upload, ..Policy::default() };
        let mut parts = SubmissionParts { overwrite, ..submission(State::Uploading) };
        let first = after_upload(&context(&of(&parts), 0, &policy), late());
        assert_eq!((first.state(), first.upload_ambiguous), (Some(State::Queued), true));
        parts.upload_ambiguous = true;
        let second = after_upload(&context(&of(&parts), 0, &policy), late());
        let state = if is_held { State::Held } else { State::Queued };
        assert_eq!((second.state(), second.upload_ambiguous), (Some(state), true));
        assert!(matches!(second.signal, Signal::Unhealthy(_)), "the breaker knows");
        assert_eq!(code(&second), Some(ReasonCode::Ambiguous));
    }
}

#[test]
fn throttling_does_not_settle_an_ambiguous_upload() {
    let (mut submission, policy) = (submission(State::Uploading), Policy::default());
    submission.upload_ambiguous = true;
    let error = throttled(None);
    let transition = after_upload(&context(&of(&submission), 0, &policy), Err(error));
    assert!(transition.upload_ambiguous);
    assert_eq!(transition.signal, throttles(policy.default_retry_after));
}

#[test]
fn a_rejection_is_the_platforms_decision() {
    let error = PlatformError::Rejected { status: 409, words: "exists".into() };
    let transition = decide(StepKind::Upload, error, 0);
    assert_eq!(transition.next, Next::End(Outcome::Rejected));
    assert_eq!(code(&transition), Some(ReasonCode::UploadRejected));
}

#[test]
fn a_503_with_retry_after_throttles_and_leaves_the_upload_ambiguous() {
    let delay = Duration::from_secs(7);
    for now in [0, DEADLINE] {
        let error = PlatformError::Throttled {
            retry_after: Some(delay),
            ambiguous: true,
            is_rate: false,
            what: "throttled (503)".into(),
        };
        let transition = decide(StepKind::Upload, error, now);
        assert!(transition.upload_ambiguous && transition.attempt_spent, "{now}");
        let response = "throttled (503)".to_owned();
        let signal = Signal::Throttled { delay, is_capped: false, is_rate: false, response };
        assert_eq!(transition.signal, signal, "{now}");
    }
}

#[test]
fn an_upload_with_an_unreadable_answer_is_tried_once_more_and_then_held() {
    let (mut submission, policy) = (submission(State::Uploading), Policy::default());
    let odd =
        || Err(PlatformError::Unreadable("the response holds no processing token: `odd`".into()));
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
