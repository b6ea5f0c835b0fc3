//! Decisions about results and feedback.

use super::*;
use ferry_types::domain::submission::StoredContent;

/// Final decision about a submission whose results, or feedback, have the same error again and again, and
/// the number of attempts.
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
        submission.lasting = transition.lasting;
        submission.reason = transition.reason;
    }
    panic!("it never ends")
}

#[test]
fn a_verdict_is_not_lost_with_its_feedback() {
    let not_yet = PlatformError::NotYet { retry_after: None, what: "responded 202".into() };
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
    submission.lasting = Lasting { weight: 39, waited_ms: 0 };
    let content = Content { content_type: None, bytes: b"Id".to_vec() };
    let mut collected = one_missing("summry", PlatformError::UnknownToken);
    collected.contents = vec![("tableofresultids".to_owned(), content)];
    let transition = after_collect(&context(&of(&submission), 0, &policy), collected);
    assert_eq!((transition.state(), transition.contents.len()), (Some(State::Completed), 1));
    assert!(transition.reason.unwrap().text.contains("result `summry` is not there (404)"));
    let (alone, _) = settled(false, &PlatformError::UnknownToken);
    assert_eq!(alone.state(), Some(State::Failed), "completed only with the Platform's own bytes");
}

fn declined(status: u16) -> PlatformError {
    let what = format!("responded {status}: `unknown dataKey`");
    PlatformError::Declined { may_be_outage: status >= 500, what }
}

fn cut_short() -> PlatformError {
    PlatformError::Declined { may_be_outage: false, what: "the response was cut short".into() }
}

#[test]
fn a_result_whose_connection_always_breaks_ends_in_bounded_time_and_is_named() {
    let (alone, tries) = settled(false, &cut_short());
    assert_eq!((alone.state(), tries), (Some(State::Failed), 8));
    assert!(alone.reason.unwrap().text.contains("`tableofresultids` is missing: the response was"));
    let (rejected, tries) = settled(true, &cut_short());
    assert_eq!((rejected.state(), tries), (Some(State::Rejected), 8));
}

#[test]
fn a_declined_result_ends_like_an_unknown_one_and_is_no_outage() {
    for status in [302, 400, 403, 422] {
        let (alone, tries) = settled(false, &declined(status));
        assert_eq!((alone.state(), tries), (Some(State::Failed), 8), "{status}");
        let text = alone.reason.unwrap().text;
        assert!(text.contains("result `tableofresultids`") && text.contains("dataKey"), "{text}");
        let transition = decide(StepKind::Collect, declined(status), 0);
        assert_eq!(transition.signal, Signal::None, "{status}");
    }
    // A server that fails is asked until the deadline, unless it gave another result.
    let transition = decide(StepKind::Collect, declined(500), 0);
    assert!(matches!(transition.signal, Signal::Unhealthy(_)));
    assert!(transition.reason.unwrap().text.contains("result `tableofresultids`"));
    let (mut submission, policy) = (submission(State::Collecting), Policy::default());
    submission.results = stored("first");
    let first = after_collect(
        &context(&of(&submission), 0, &policy),
        one_missing("tableofresultids", declined(500)),
    );
    assert_eq!((code(&first), &first.signal), (Some(ReasonCode::ResultMissing), &Signal::None));
    assert_eq!(first.lasting.weight, 5);
    submission.lasting = Lasting { weight: 35, waited_ms: 0 };
    let missing = one_missing("tableofresultids", declined(500));
    let last = after_collect(&context(&of(&submission), 0, &policy), missing);
    assert_eq!(last.next, Next::End(Outcome::Completed));
}

#[test]
fn a_failed_refetch_does_not_call_a_stored_content_missing() {
    let (mut submission, policy) = (submission(State::Collecting), Policy::default());
    submission.results = stored("tableofresultids");
    submission.failures = 50;
    submission.lasting = Lasting { weight: 39, waited_ms: 0 };
    for error in [PlatformError::UnknownToken, declined(400)] {
        let missing = one_missing("tableofresultids", error);
        let transition = after_collect(&context(&of(&submission), 0, &policy), missing);
        assert_eq!(transition.next, Next::End(Outcome::Completed));
        let text = transition.reason.unwrap().text;
        assert!(text.contains("the stored one is unchanged"), "{text}");
        assert!(!text.contains("missing") && !text.contains("not there"), "{text}");
    }
}

fn stored(key: &str) -> Vec<StoredContent> {
    vec![StoredContent { key: key.to_owned(), content_type: None, bytes: 2 }]
}

#[test]
fn results_that_are_not_there_yet_are_asked_for_in_bounded_time() {
    let not_yet = PlatformError::NotYet { retry_after: None, what: "responded 202".into() };
    let (transition, tries) = settled(false, &not_yet);
    assert_eq!(
        (transition.state(), code(&transition)),
        (Some(State::Failed), Some(ReasonCode::ResultMissing))
    );
    assert!((10..100).contains(&tries), "{tries}");
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

#[test]
fn a_missing_result_does_not_hide_what_the_next_one_says_of_the_account() {
    let (submission, policy) = (of(&submission(State::Collecting)), Policy::default());
    let delay = Duration::from_secs(7);
    for (error, signal) in [
        (throttled(Some(delay)), throttles(delay)),
        (
            PlatformError::Credentials("denied".into()),
            Signal::CredentialsDenied(
                "denied (paused by a worker at 1970-01-01 00:00:00 UTC)".to_owned(),
            ),
        ),
    ] {
        let mut collected = one_missing("first", PlatformError::UnknownToken);
        collected.missing.push(("second".to_owned(), error));
        let transition = after_collect(&context(&submission, 0, &policy), collected);
        assert_eq!(transition.signal, signal);
    }
}

#[test]
fn at_the_deadline_the_verdict_is_said_and_the_results_that_arrived_stay() {
    let (submission, policy) = (of(&submission(State::Collecting)), Policy::default());
    let context = context(&submission, DEADLINE, &policy);
    let transition = after_collect(&context, one_missing("second", transient()));
    let text = transition.reason.unwrap().text;
    assert_eq!(transition.next, Next::End(Outcome::Failed));
    assert!(text.contains("completed the dataset") && text.contains("deadline"), "{text}");
    let mut collected = one_missing("second", transient());
    let content = Content { content_type: None, bytes: b"Id".to_vec() };
    collected.contents = vec![("first".to_owned(), content)];
    let transition = after_collect(&context, collected);
    assert_eq!(transition.next, Next::End(Outcome::Completed));
}

#[test]
fn an_unreadable_status_is_no_outage() {
    let (submission, policy) = (of(&submission(State::Processing)), Policy::default());
    let error = PlatformError::Unreadable("odd".into());
    let transition = after_poll(&context(&submission, 0, &policy), Err(error));
    assert_eq!(transition.signal, Signal::Healthy);
}
