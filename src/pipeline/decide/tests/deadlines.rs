//! Decisions at the deadline and after it.

use super::*;

#[test]
fn a_step_that_finds_its_account_throttled_waits_even_after_the_deadline() {
    let policy = Policy::default();
    for kind in StepKind::PLATFORM_KINDS {
        let submission = of(&submission(running(kind)));
        let transition = while_throttled(&context(&submission, 2 * DEADLINE, &policy), kind);
        assert_eq!(transition.state(), kind.waiting_state(), "the last request is still to come");
        assert_eq!(transition.signal, Signal::None, "nothing new is known");
        assert_eq!(transition.attempt_spent, kind != StepKind::Upload, "nothing was sent");
    }
}

#[test]
fn no_upload_begins_after_its_deadline() {
    let policy = Policy::default();
    let mut parts = submission(State::Uploading);
    assert_eq!(before_upload(&context(&of(&parts), DEADLINE - 1, &policy)), None);
    let never_sent = before_upload(&context(&of(&parts), DEADLINE, &policy)).unwrap();
    assert_eq!(never_sent.next, Next::End(Outcome::Failed));
    assert!(!never_sent.attempt_spent && !never_sent.upload_ambiguous);
    assert_eq!(code(&never_sent), Some(ReasonCode::Deadline));
    let text = never_sent.reason.unwrap().text;
    assert_eq!(text, "the deadline (1970-01-01 00:16:40 UTC) passed before the upload was sent");
    parts.upload_attempts = 2;
    parts.upload_ambiguous = true;
    parts.reason = Some(Reason::new(ReasonCode::Ambiguous, "no response in time"));
    let sent = before_upload(&context(&of(&parts), DEADLINE, &policy)).unwrap();
    assert!(sent.upload_ambiguous);
    assert_eq!(
        sent.reason.unwrap().text,
        "the deadline (1970-01-01 00:16:40 UTC) passed before the upload could be retried: \
         no response in time; an upload may have arrived"
    );
}

#[test]
fn a_late_upload_is_polled_for_a_quarter_of_its_time() {
    let policy = Policy::default();
    let submission = of(&submission(State::Uploading));
    let accepted =
        |now| after_upload(&context(&submission, now, &policy), Ok(super::accepted(None)));
    assert_eq!(accepted(0).deadline, None);
    assert_eq!(accepted(DEADLINE * 3 / 4).deadline, None);
    let late = accepted(DEADLINE - 1);
    assert_eq!(late.deadline, Some(timestamp(DEADLINE - 1 + DEADLINE / 4)));
    assert!(late.delay().unwrap() > Duration::from_millis(1), "by the new deadline");
    let retried = Policy { deadline: Duration::from_secs(100), ..Policy::default() };
    let late = after_upload(&context(&submission, DEADLINE, &retried), Ok(super::accepted(None)));
    assert_eq!(late.deadline, Some(timestamp(DEADLINE + 25_000)), "at most of the setting");
}

#[test]
fn the_last_poll_comes_at_the_deadline() {
    let (submission, policy) = (submission(State::Processing).into(), Policy::default());
    let pending =
        || Ok(Status::Pending { status: "running".into(), known: true, retry_after: None });
    let before = after_poll(&context(&submission, DEADLINE - 100, &policy), pending());
    assert_eq!(before.delay().unwrap(), Duration::from_millis(100));
    let at = after_poll(&context(&of(&submission), DEADLINE, &policy), pending());
    assert_eq!((at.state(), code(&at)), (Some(State::Failed), Some(ReasonCode::Deadline)));
    assert!(at.reason.unwrap().text.contains("`running`"));
    let done = after_poll(&context(&of(&submission), DEADLINE, &policy), Ok(Status::Done));
    assert_eq!(done.state(), Some(State::Collecting), "a response at the deadline counts");
}

#[test]
fn throttling_at_the_deadline_throttles_the_account_all_the_same() {
    let delay = Duration::from_secs(7);
    for kind in StepKind::PLATFORM_KINDS {
        let transition = decide(kind, throttled(Some(delay)), DEADLINE);
        assert_eq!(transition.next, Next::End(Outcome::Failed), "{kind}");
        assert_eq!(transition.signal, throttles(delay), "{kind}");
    }
    let (parts, policy) = (submission(State::Collecting), Policy::default());
    let rejected = of(&SubmissionParts { rejection: Some("failed".to_owned()), ..parts.clone() });
    let missing = one_missing(FEEDBACK_KEY, throttled(Some(delay)));
    let transition = after_collect(&context(&rejected, DEADLINE, &policy), missing);
    assert_eq!(transition.next, Next::End(Outcome::Rejected));
    assert_eq!(transition.signal, throttles(delay));
}
