//! Decisions of workers, as contracts need them.

use std::time::Duration;

use ferry_types::domain::account::Signal;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    FEEDBACK_KEY, Next, Outcome, Processing, Reason, ReasonCode, StepKind, Transition,
};

fn ended(outcome: Outcome) -> Transition {
    Transition::to(Next::End(outcome))
}

/// `step` is due again, or next, after `after`.
pub(super) fn continues_with(step: StepKind, after: Duration) -> Transition {
    Transition::to(Next::step(step, after))
}

/// The upload was taken.
pub(super) fn uploaded(after: Duration) -> Transition {
    let processing_token = Some("0b7c4b1e-6ad5-4a2b-9f0e-1d1b7a5b1c11".to_owned());
    let processing = Some(Processing { uploaded_ms: Some(1500), ..Processing::default() });
    Transition { processing_token, processing, ..continues_with(StepKind::Poll, after) }
}

/// The Platform has not decided.
pub(super) fn pending(after: Duration) -> Transition {
    let processing =
        Processing { uploaded_ms: Some(1500), pending_ms: Some(2000), usual_ms: Some(70_000) };
    let processing = Some(processing);
    Transition { polled: true, processing, ..continues_with(StepKind::Poll, after) }
}

/// The Platform has decided for the dataset.
pub(super) fn decided() -> Transition {
    Transition { polled: true, ..continues_with(StepKind::Collect, Duration::ZERO) }
}

/// The results are here.
pub(super) fn completed() -> Transition {
    Transition {
        contents: vec![content("tableofresultids", b"[1,2,3]")],
        ..ended(Outcome::Completed)
    }
}

/// The feedback is here.
pub(super) fn rejected() -> Transition {
    Transition {
        contents: vec![content(FEEDBACK_KEY, b"2|31/02/2024|no such day")],
        reason: Some(Reason::new(ReasonCode::DataRejected, "rejected; see its feedback")),
        ..ended(Outcome::Rejected)
    }
}

/// The Platform rejected the upload itself.
pub(super) fn upload_rejected() -> Transition {
    because(ended(Outcome::Rejected), ReasonCode::UploadRejected)
}

/// The worker gave up.
pub(super) fn failed() -> Transition {
    because(ended(Outcome::Failed), ReasonCode::Deadline)
}

/// A person must decide.
pub(super) fn held() -> Transition {
    Transition {
        upload_ambiguous: true,
        ..because(Transition::to(Next::Held), ReasonCode::AlreadyExists)
    }
}

/// A passing fault.
pub(super) fn retried(step: StepKind, after: Duration) -> Transition {
    Transition { failures: 1, ..because(continues_with(step, after), ReasonCode::Transient) }
}

/// The Platform throttles the account: no attempt is spent.
pub(super) fn slowed_down(step: StepKind, delay: Duration) -> Transition {
    Transition {
        attempt_spent: false,
        ..because(continues_with(step, delay), ReasonCode::Throttled).with_signal(
            Signal::Throttled { delay, is_capped: false, is_rate: false, response: String::new() },
        )
    }
}

fn because(transition: Transition, code: ReasonCode) -> Transition {
    Transition { reason: Some(Reason::new(code, format!("because of {code}"))), ..transition }
}

pub(super) fn content(key: &str, bytes: &[u8]) -> (String, Content) {
    let content_type = Some("application/json".to_owned());
    (key.to_owned(), Content { content_type, bytes: bytes.to_vec() })
}

/// A step could not reach the Platform.
pub(super) fn unhealthy() -> Signal {
    Signal::Unhealthy("connection refused".to_owned())
}

pub(super) trait WithSignal {
    /// The same transition with a signal about the account.
    fn with_signal(self, signal: Signal) -> Self;
}

impl WithSignal for Transition {
    fn with_signal(self, signal: Signal) -> Self {
        Self { signal, ..self }
    }
}
