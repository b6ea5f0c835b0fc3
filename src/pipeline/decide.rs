//! What follows from an answer of the Platform: the one place where that is decided.
//!
//! What follows from results and feedback is in `collect`.
//!
//! Pure: a decision depends on the submission, the answer, the time, the policy and a jitter, and
//! on nothing else.

use std::time::Duration;

use super::policy::{AmbiguousUpload, Policy};
use super::schedule::{
    Jitter, poll_delay, retry_delay, steady_delay, steady_time, throttled_delay, webhook_delay,
};
use crate::webhook::Attempt;
use ferry_types::domain::account::{Signal, pause_record};
use ferry_types::domain::outcome::{PlatformError, Status};
use ferry_types::domain::submission::{
    Delivery, DeliveryResult, Next, NextStep, Outcome, Reason, ReasonCode, StepKind, Submission,
    Transition,
};
use ferry_types::domain::{Timestamp, until};

/// What a decision is made in view of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The submission as it was claimed.
    pub(super) submission: &'a Submission,
    /// When the answer arrived, by the store's clock.
    pub(super) now: Timestamp,
    /// How patient to be.
    pub(super) policy: &'a Policy,
    /// Spreads delays out.
    pub(super) jitter: Jitter,
}

/// After `UploadData`.
pub(super) fn after_upload(
    context: &Context<'_>,
    response: Result<String, PlatformError>,
) -> Transition {
    match response {
        Ok(token) => Transition {
            processing_token: Some(token),
            upload_ambiguous: false,
            ..succeeded(Next::Step(context.next_poll(0)))
        },
        // It was taken once, and may have been taken twice: a third time would tell no more.
        Err(PlatformError::Unreadable(what)) if context.submission.upload_ambiguous => Transition {
            reason: Some(Reason::new(ReasonCode::Ambiguous, format!("{what}, again"))),
            upload_ambiguous: true,
            ..succeeded(Next::Held)
        },
        Err(PlatformError::Refused { status, words }) => refused(context, status, &words),
        Err(error) => after_error(context, StepKind::Upload, &error),
    }
}

/// After a status check.
pub(super) fn after_poll(
    context: &Context<'_>,
    response: Result<Status, PlatformError>,
) -> Transition {
    let polls = context.submission.polls.saturating_add(1);
    match response {
        Ok(Status::Done) => {
            Transition { polled: true, ..succeeded(Next::step(StepKind::Collect, Duration::ZERO)) }
        }
        Ok(Status::Failed { status }) => Transition {
            polled: true,
            rejection: Some(status),
            ..succeeded(Next::step(StepKind::Collect, Duration::ZERO))
        },
        Ok(Status::Pending { status, .. }) if context.is_past_deadline() => Transition {
            polled: true,
            reason: Some(Reason::new(
                ReasonCode::Deadline,
                format!(
                    "the Platform had not decided by the deadline; its last of {polls} answers was `{status}`"
                ),
            )),
            ..succeeded(Next::End(Outcome::Failed))
        },
        Ok(Status::Pending { .. }) => {
            Transition { polled: true, ..succeeded(Next::Step(context.next_poll(polls))) }
        }
        Err(error) => after_error(context, StepKind::Poll, &error),
    }
}

/// After an attempt to deliver a webhook.
pub(super) fn after_delivery(
    context: &Context<'_>,
    Attempt { result, status, retry_after }: Attempt,
) -> Transition {
    let submission = context.submission;
    let attempt = submission.failures.saturating_add(1);
    let is_acknowledged = matches!(result, DeliveryResult::Delivered | DeliveryResult::Gone);
    let goes_on = !is_acknowledged && attempt < context.policy.webhook_max_attempts;
    let delivery = Delivery { at: context.now, attempt, result, status };
    let least = retry_after.unwrap_or_default().min(context.policy.webhook_backoff_max);
    let again = goes_on.then(|| webhook_delay(context.policy, attempt, context.jitter).max(least));
    Transition {
        failures: if goes_on { attempt } else { 0 },
        ..Transition::to(Next::Delivery { delivery, again })
    }
}

/// Whether the upload that comes now may overwrite: if the submission may, or if a try without that
/// has shown that a dataset is there, and the configuration takes it for ours.
pub(super) fn may_overwrite(submission: &Submission, policy: &Policy) -> bool {
    let found = submission.reason.as_ref().map(|reason| reason.code);
    let settled = submission.upload_ambiguous
        && found == Some(ReasonCode::AlreadyExists)
        && policy.ambiguous_upload == AmbiguousUpload::Overwrite;
    submission.overwrite || settled
}

/// When the Platform was not asked, because it wants to be left alone for `pause` more.
pub(super) fn while_throttled(
    context: &Context<'_>,
    kind: StepKind,
    delay: Duration,
) -> Transition {
    let what = "the Platform throttles the account".to_owned();
    let error = PlatformError::Throttled { retry_after: Some(delay), what };
    Transition { signal: Signal::None, ..after_error(context, kind, &error) }
}

/// When the worker knows no account of the submission's account name.
pub(super) fn without_account(context: &Context<'_>, kind: StepKind) -> Transition {
    let text = format!(
        "account `{}` is not configured where the step was taken",
        context.submission.account
    );
    Transition {
        reason: Some(Reason::new(ReasonCode::UnknownAccount, text)),
        next: Next::step(kind, context.policy.retry_max),
        ..unchanged(context, kind)
    }
}

/// When the worker was stopped in the middle of an upload.
pub(super) fn interrupted_upload(context: &Context<'_>) -> Transition {
    let text = "the worker was stopped during the upload, which may have arrived";
    Transition {
        reason: Some(Reason::new(ReasonCode::Ambiguous, text)),
        next: Next::step(StepKind::Upload, Duration::ZERO),
        attempt_spent: true,
        upload_ambiguous: true,
        ..unchanged(context, StepKind::Upload)
    }
}

/// A refusal while in doubt may be about our own first upload: only a person can tell, unless the
/// configuration says that whatever is there may be overwritten.
fn refused(context: &Context<'_>, status: u16, words: &str) -> Transition {
    if context.submission.upload_ambiguous && !context.submission.overwrite {
        let text = format!(
            "an earlier upload may have arrived, and now the Platform refuses it ({status}: {words}): \
             it may have this dataset, or another one of its name"
        );
        let next = match context.policy.ambiguous_upload {
            AmbiguousUpload::Hold => Next::Held,
            AmbiguousUpload::Overwrite => Next::step(StepKind::Upload, Duration::ZERO),
        };
        return Transition {
            reason: Some(Reason::new(ReasonCode::AlreadyExists, text)),
            upload_ambiguous: true,
            ..succeeded(next)
        };
    }
    let text = format!("the Platform refused the upload ({status}): {words}");
    Transition {
        reason: Some(Reason::new(ReasonCode::UploadRejected, text)),
        ..succeeded(Next::End(Outcome::Rejected))
    }
}

pub(super) fn after_error(
    context: &Context<'_>,
    kind: StepKind,
    error: &PlatformError,
) -> Transition {
    let base = unchanged(context, kind);
    let because = |code| Some(Reason::new(code, error.to_string()));
    match error {
        PlatformError::Throttled { .. } if context.is_past_deadline() => {
            fail_at_deadline(context, error, base)
        }
        PlatformError::Throttled { retry_after, .. } => {
            let asked = retry_after.unwrap_or(context.policy.default_retry_after);
            let delay = asked.min(context.policy.retry_after_max);
            let after = throttled_delay(context.policy, context.jitter);
            Transition {
                reason: because(ReasonCode::Throttled),
                next: Next::step(kind, after),
                signal: Signal::Throttled { delay, is_capped: delay < asked },
                ..base
            }
        }
        // Nothing fails for want of credentials: the step is due again when somebody resumes.
        PlatformError::Credentials(_) => Transition {
            reason: because(ReasonCode::Credentials),
            next: Next::step(kind, Duration::ZERO),
            signal: Signal::CredentialsDenied(pause_record(
                &error.to_string(),
                "a worker",
                context.now,
            )),
            ..base
        },
        PlatformError::TooLarge { .. } if kind != StepKind::Upload => Transition {
            reason: because(ReasonCode::ResponseTooLarge),
            ..succeeded(Next::End(Outcome::Failed))
        },
        PlatformError::UnknownToken => unknown_token(context, kind, base),
        PlatformError::Ambiguous(_) => {
            let base = Transition { upload_ambiguous: true, ..base };
            retry_or_fail(context, kind, ReasonCode::Ambiguous, error, base)
        }
        PlatformError::Unreadable(_) if kind == StepKind::Upload => {
            let base = Transition { upload_ambiguous: true, ..base };
            retry_or_fail(context, kind, ReasonCode::Ambiguous, error, base)
        }
        PlatformError::NotYet { retry_after, .. } => {
            let failures = context.submission.failures.saturating_add(1);
            let least = retry_after.unwrap_or_default().min(context.policy.retry_after_max);
            let after = poll_delay(context.policy, failures, context.jitter).max(least);
            let retry_or_fail = retry_or_fail(context, kind, ReasonCode::Transient, error, base);
            let next = match retry_or_fail.next {
                Next::Step(next) => Next::step(next.kind, after.min(context.time_left())),
                next => next,
            };
            Transition { next, signal: Signal::None, ..retry_or_fail }
        }
        PlatformError::Unsent(_) => {
            let attempt_spent = base.attempt_spent;
            let retry_or_fail = retry_or_fail(context, kind, ReasonCode::Transient, error, base);
            Transition { attempt_spent, ..retry_or_fail }
        }
        PlatformError::Transient(_)
        | PlatformError::Unreadable(_)
        | PlatformError::TooLarge { .. }
        | PlatformError::Refused { .. } => {
            retry_or_fail(context, kind, ReasonCode::Transient, error, base)
        }
    }
}

/// Another try, or, after the deadline, the end.
fn retry_or_fail(
    context: &Context<'_>,
    kind: StepKind,
    code: ReasonCode,
    error: &PlatformError,
    base: Transition,
) -> Transition {
    let unhealthy = Transition { attempt_spent: true, signal: Signal::Unhealthy, ..base };
    if context.is_past_deadline() {
        return fail_at_deadline(context, error, unhealthy);
    }
    let failures = context.submission.failures.saturating_add(1);
    let after = retry_delay(context.policy, failures, context.jitter).min(context.time_left());
    Transition {
        reason: Some(Reason::new(code, error.to_string())),
        next: Next::step(kind, after),
        failures,
        ..unhealthy
    }
}

fn fail_at_deadline(context: &Context<'_>, error: &PlatformError, base: Transition) -> Transition {
    let doubt = if base.upload_ambiguous { "; an upload may have arrived" } else { "" };
    let deadline = context.submission.deadline.format("%Y-%m-%d %H:%M:%S UTC");
    let text = format!("gave up at the deadline ({deadline}): {error}{doubt}");
    Transition {
        next: Next::End(Outcome::Failed),
        reason: Some(Reason::new(ReasonCode::Deadline, text)),
        ..base
    }
}

fn unknown_token(context: &Context<'_>, kind: StepKind, base: Transition) -> Transition {
    let before = context.submission.reason.as_ref().map(|reason| reason.code);
    let streak = match before {
        Some(ReasonCode::UnknownToken) => context.submission.failures.saturating_add(1),
        _ => 1,
    };
    let reason =
        Some(Reason::new(ReasonCode::UnknownToken, PlatformError::UnknownToken.to_string()));
    let waited = steady_time(context.policy, streak - 1);
    if waited >= context.policy.unknown_token_timeout || context.is_past_deadline() {
        return Transition { reason, ..succeeded(Next::End(Outcome::Failed)) };
    }
    let after = steady_delay(context.policy, streak, context.jitter).min(context.time_left());
    Transition {
        reason,
        next: Next::step(kind, after),
        failures: streak,
        signal: Signal::Healthy,
        ..base
    }
}

/// The Platform answered, and all troubles are over.
pub(super) fn succeeded(next: Next) -> Transition {
    Transition { signal: Signal::Healthy, ..Transition::to(next) }
}

/// The submission waits for the same step again, and nothing counts.
pub(super) fn unchanged(context: &Context<'_>, kind: StepKind) -> Transition {
    Transition {
        attempt_spent: kind != StepKind::Upload,
        failures: context.submission.failures,
        upload_ambiguous: context.submission.upload_ambiguous,
        ..Transition::to(Next::step(kind, Duration::ZERO))
    }
}

impl Context<'_> {
    /// Whether this was the last try.
    pub(super) fn is_past_deadline(&self) -> bool {
        self.now >= self.submission.deadline
    }

    pub(super) fn time_left(&self) -> Duration {
        until(self.now, self.submission.deadline)
    }

    /// The deadline gets one last poll, whatever the schedule says.
    fn next_poll(&self, polls: u32) -> NextStep {
        let delay = poll_delay(self.policy, polls, self.jitter);
        let after = if self.is_past_deadline() { delay } else { delay.min(self.time_left()) };
        NextStep { kind: StepKind::Poll, after }
    }
}

#[cfg(test)]
mod tests;
