//! Decisions about each class of responses.

mod ambiguity;
mod collecting;
mod deadlines;
mod delivering;
mod lasting;
mod polling;
mod properties;
mod small;

use super::uploads::*;
use super::*;
use crate::pipeline::collect::{Collected, after_collect};
use crate::pipeline::policy::AmbiguousUpload;
use ferry_types::domain::outcome::{AcceptedUpload, Content};
use ferry_types::domain::submission::{
    DeliveryResult, FEEDBACK_KEY, Lasting, State, SubmissionParts,
};
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
        name_mark: None,
        store_lost_data: false,
        now: timestamp(now),
        policy,
        jitter: Jitter::for_claim(1, submission.id, 1),
        schedule: None,
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

/// A good response, or a trouble, to whatever kind of step.
fn after(
    context: &Context<'_>,
    kind: StepKind,
    response: Result<Status, PlatformError>,
) -> Transition {
    match kind {
        StepKind::Upload => after_upload(context, response.map(|_| accepted(None))),
        StepKind::Poll => after_poll(context, response),
        StepKind::Collect => after_collect(context, collected(response.map(drop))),
        StepKind::Deliver => after_delivery(context, &attempt(204, None)),
    }
}

fn accepted(retry_after: Option<u64>) -> AcceptedUpload {
    let retry_after = retry_after.map(Duration::from_secs);
    AcceptedUpload { processing_token: "token".to_owned(), retry_after }
}

fn attempt(status: u16, retry_after: Option<u64>) -> Attempt {
    let result =
        if status == 204 { DeliveryResult::Delivered } else { DeliveryResult::ServerError };
    let retry_after = retry_after.map(Duration::from_secs);
    Attempt { result, status: Some(status), retry_after, cause: None }
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

fn throttled(retry_after: Option<Duration>) -> PlatformError {
    PlatformError::Throttled {
        retry_after,
        ambiguous: false,
        is_rate: false,
        what: "throttled (429)".into(),
    }
}

/// The signal of that error.
fn throttles(delay: Duration) -> Signal {
    Signal::Throttled {
        delay,
        is_capped: false,
        is_rate: false,
        response: throttled(Some(delay)).to_string(),
    }
}

fn transient() -> PlatformError {
    PlatformError::Transient("UploadData: responded 500".to_owned())
}

#[test]
fn a_transient_error_is_retried_later_and_counts_against_the_platform() {
    for kind in StepKind::PLATFORM_KINDS {
        let transition = decide(kind, transient(), 0);
        assert_eq!(transition.state(), kind.waiting_state());
        assert_eq!(code(&transition), Some(ReasonCode::Transient));
        assert_eq!((transition.failures, transition.upload_ambiguous), (1, false));
        assert!(matches!(transition.signal, Signal::Unhealthy(_)));
        assert!(transition.delay().unwrap() >= Policy::default().retry_initial / 10);
    }
}

#[test]
fn a_requested_delay_spends_no_attempt_and_throttles_the_account() {
    let delay = Duration::from_secs(7);
    let error = throttled(Some(delay));
    for kind in StepKind::PLATFORM_KINDS {
        let transition = decide(kind, error.clone(), 0);
        assert_eq!(transition.attempt_spent, kind != StepKind::Upload);
        assert_eq!(transition.failures, 0);
        assert_eq!(transition.signal, throttles(delay));
        // The store yields nothing before the end of the delay, or before `resume`.
        assert!(transition.delay().unwrap() <= Policy::default().retry_initial);
    }
}

#[test]
fn denied_credentials_stop_the_account_and_leave_the_submission_as_it_is() {
    for kind in StepKind::PLATFORM_KINDS {
        let transition = decide(kind, PlatformError::Credentials("denied".into()), DEADLINE + 1);
        assert_eq!(transition.state(), kind.waiting_state(), "not even the deadline fails it");
        assert!(matches!(transition.signal, Signal::CredentialsDenied(_)));
        assert_eq!(transition.attempt_spent, kind != StepKind::Upload);
    }
}

#[test]
fn an_unknown_token_is_asked_for_by_time_and_not_by_tries() {
    let minute = Duration::from_mins(1);
    for (retry_max, at_least) in [(Duration::from_millis(100), 600), (minute, 2)] {
        let policy = Policy { unknown_token_timeout: minute, retry_max, ..Policy::default() };
        let mut submission = submission(State::Processing);
        submission.failures = 4000;
        let (mut taken, mut tries) = (Duration::ZERO, 0);
        let wait = ferry_testing::Wait::begin("the last poll");
        loop {
            wait.check();
            let submission_now = of(&submission);
            let context = context(&submission_now, taken.as_millis() as i64, &policy);
            let transition = after_poll(&context, Err(PlatformError::UnknownToken));
            tries += 1;
            let Some(delay) = transition.delay() else {
                break assert_eq!(transition.state(), Some(State::Failed));
            };
            taken += delay;
            submission.failures = transition.failures;
            submission.lasting = transition.lasting;
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
fn a_retry_after_is_trusted_up_to_the_limit() {
    let delay = Duration::from_hours(60);
    let error = throttled(Some(delay));
    let transition = decide(StepKind::Poll, error, 0);
    let most = Policy::default().retry_after_max;
    assert_eq!(
        transition.signal,
        Signal::Throttled {
            delay: most,
            is_capped: true,
            is_rate: false,
            response: "throttled (429)".to_owned()
        }
    );
}

#[test]
fn who_paused_an_account_and_when_is_on_record() {
    let transition = decide(StepKind::Poll, PlatformError::Credentials("denied".into()), 0);
    let paused = "denied (paused by a worker at 1970-01-01 00:00:00 UTC)";
    assert_eq!(transition.signal, Signal::CredentialsDenied(paused.into()));
}
