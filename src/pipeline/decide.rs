//! Decides what follows from a response of the Platform; `collect` does so for results and feedback.
//!
//! Pure: a decision depends on the submission, the mark of its name, the response, the time, the policy
//! and a jitter. It depends on status codes, never on the words of a message.

mod polls;
pub(super) mod uploads;

use std::time::Duration;

use super::policy::Policy;
use super::schedule::{Jitter, retry_delay, throttled_delay, webhook_delay};
use crate::webhook::Attempt;
use ferry_types::domain::account::{Signal, WORKER, pause_record};
use ferry_types::domain::outcome::{PlatformError, Status};
use ferry_types::domain::pacing::PollSchedule;
use ferry_types::domain::submission::{
    Delivery, Lasting, Next, Outcome, Reason, ReasonCode, StepKind, Submission, Transition,
};
use ferry_types::domain::{SubmissionId, Timestamp, until};

/// Facts that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The submission as it was claimed.
    pub(super) submission: &'a Submission,
    /// Of an upload, an earlier submission of the name whose dataset may be at the Platform.
    pub(super) name_mark: Option<SubmissionId>,
    /// True while the store is known to have lost data: it may have forgotten an upload.
    pub(super) store_lost_data: bool,
    /// Time of the response, by the store's clock.
    pub(super) now: Timestamp,
    /// Limits and delays.
    pub(super) policy: &'a Policy,
    /// Spreads delays.
    pub(super) jitter: Jitter,
    /// Schedule of the polls, if the processing time is estimated.
    pub(super) schedule: Option<&'a PollSchedule>,
}

/// After a poll.
pub(super) fn after_poll(
    context: &Context<'_>,
    response: Result<Status, PlatformError>,
) -> Transition {
    let polls = context.submission.polls.saturating_add(1);
    let deadline = context.submission.deadline;
    match response {
        Ok(Status::Done) => succeeded(Next::step(StepKind::Collect, Duration::ZERO)),
        Ok(Status::Failed { status }) => Transition {
            rejection: Some(status),
            ..succeeded(Next::step(StepKind::Collect, Duration::ZERO))
        },
        Ok(Status::Pending { status, .. }) if context.is_past_deadline() => Transition {
            reason: Some(Reason::new(
                ReasonCode::Deadline,
                format!(
                    "the Platform had not decided by the deadline; the last of {polls} polls returned `{status}`"
                ),
            )),
            ..succeeded(Next::End(Outcome::Failed))
        },
        Ok(Status::Pending { retry_after, .. }) => {
            let next = context.next_poll(polls, context.age(), deadline, retry_after);
            Transition { processing: Some(context.pending()), ..succeeded(Next::Step(next)) }
        }
        Err(error) => after_error(context, StepKind::Poll, &error),
    }
}

/// After an attempt to deliver a webhook.
pub(super) fn after_delivery(context: &Context<'_>, delivered: &Attempt) -> Transition {
    let submission = context.submission;
    let attempt = submission.failures.saturating_add(1);
    let Attempt { result, status, retry_after, .. } = *delivered;
    let is_retried = !delivered.is_acknowledged() && attempt < context.policy.webhook_max_attempts;
    let delivery = Delivery { at: context.now, attempt, result, status };
    let least = retry_after.unwrap_or_default().min(context.policy.webhook_backoff_max);
    let again =
        is_retried.then(|| webhook_delay(context.policy, attempt, context.jitter).max(least));
    Transition {
        failures: if is_retried { attempt } else { 0 },
        ..Transition::to(Next::Delivery { delivery, again })
    }
}

/// Transition of a step that was claimed before the account was throttled: its request is sent later,
/// and even after the deadline, so that the last poll takes place.
pub(super) fn while_throttled(context: &Context<'_>, kind: StepKind) -> Transition {
    Transition {
        reason: Some(Reason::new(ReasonCode::Throttled, "the Platform throttles the account")),
        next: Next::step(kind, throttled_delay(context.policy, context.jitter)),
        ..unchanged(context, kind)
    }
}

/// Transition of a step whose account is not configured in this worker.
pub(super) fn without_account(context: &Context<'_>, kind: StepKind) -> Transition {
    let text = format!(
        "account `{}` is not configured in the worker that claimed the step",
        context.submission.account
    );
    Transition {
        reason: Some(Reason::new(ReasonCode::UnknownAccount, text)),
        next: Next::step(kind, context.policy.retry_max),
        ..unchanged(context, kind)
    }
}

/// The reason of the pause of an account whose credentials were denied.
pub(crate) fn paused_for(denial: &PlatformError, now: Timestamp) -> String {
    pause_record(&denial.to_string(), WORKER, now)
}

/// Effect of an error on the health of the account.
pub(super) fn signal_of(context: &Context<'_>, error: &PlatformError) -> Signal {
    match error {
        PlatformError::Throttled { retry_after, is_rate, .. } => {
            let asked = retry_after.unwrap_or(context.policy.default_retry_after);
            let delay = asked.min(context.policy.retry_after_max);
            let (is_capped, is_rate) = (delay < asked, *is_rate);
            Signal::Throttled { delay, is_capped, is_rate, response: error.to_string() }
        }
        PlatformError::Credentials(_) => Signal::CredentialsDenied(paused_for(error, context.now)),
        // Another result of this dataset, or a status, may have a good response.
        PlatformError::NotYet { .. } | PlatformError::Declined { may_be_outage: false, .. } => {
            Signal::None
        }
        // The Platform responds, whatever it says.
        PlatformError::UnknownToken | PlatformError::Unreadable(_) => Signal::Healthy,
        PlatformError::Transient(_)
        | PlatformError::WrongAddress { .. }
        | PlatformError::Unsent(_)
        | PlatformError::Ambiguous(_)
        | PlatformError::TimedOut(_)
        | PlatformError::TooLarge { .. }
        | PlatformError::Declined { .. }
        | PlatformError::Rejected { .. } => Signal::Unhealthy(error.to_string()),
    }
}

pub(super) fn after_error(
    context: &Context<'_>,
    kind: StepKind,
    error: &PlatformError,
) -> Transition {
    let base = Transition { signal: signal_of(context, error), ..unchanged(context, kind) };
    let because = |code| Some(Reason::new(code, error.to_string()));
    match error {
        PlatformError::Throttled { ambiguous, .. } => {
            throttled(context, kind, *ambiguous, error, base)
        }
        // Nothing fails for want of credentials: the step is due again after a resumption.
        PlatformError::Credentials(_) => Transition {
            reason: because(ReasonCode::Credentials),
            next: Next::step(kind, Duration::ZERO),
            ..base
        },
        PlatformError::TooLarge { .. } if kind != StepKind::Upload => Transition {
            reason: because(ReasonCode::ResponseTooLarge),
            ..succeeded(Next::End(Outcome::Failed))
        },
        PlatformError::UnknownToken => unknown_token(context, kind, error, base),
        PlatformError::WrongAddress { .. } => wrong_address(context, kind, error, base),
        PlatformError::Ambiguous(_) | PlatformError::TimedOut(_) => {
            let base = Transition { upload_ambiguous: true, ..base };
            retry_or_fail(context, kind, ReasonCode::Ambiguous, error, base)
        }
        PlatformError::Unreadable(_) if kind == StepKind::Upload => {
            let base = Transition { upload_ambiguous: true, ..base };
            retry_or_fail(context, kind, ReasonCode::Ambiguous, error, base)
        }
        PlatformError::NotYet { retry_after, .. } => {
            let retry = retry_or_fail(context, kind, ReasonCode::Transient, error, base);
            poll_later(context, kind, context.least_delay(*retry_after), retry)
        }
        PlatformError::Unsent(_) => {
            let attempt_spent = base.attempt_spent;
            let retry_or_fail = retry_or_fail(context, kind, ReasonCode::Transient, error, base);
            Transition { attempt_spent, ..retry_or_fail }
        }
        PlatformError::Transient(_)
        | PlatformError::Unreadable(_)
        | PlatformError::TooLarge { .. }
        | PlatformError::Declined { .. }
        | PlatformError::Rejected { .. } => {
            retry_or_fail(context, kind, ReasonCode::Transient, error, base)
        }
    }
}

/// The step behind the throttling, or, after the deadline, the end.
fn throttled(
    context: &Context<'_>,
    kind: StepKind,
    ambiguous: bool,
    error: &PlatformError,
    base: Transition,
) -> Transition {
    let base = Transition {
        attempt_spent: base.attempt_spent || ambiguous,
        upload_ambiguous: base.upload_ambiguous || ambiguous,
        ..base
    };
    if context.is_past_deadline() {
        return fail_at_deadline(context, error, base);
    }
    Transition {
        reason: Some(Reason::new(ReasonCode::Throttled, error.to_string())),
        next: Next::step(kind, throttled_delay(context.policy, context.jitter)),
        ..base
    }
}

/// Another attempt at the pace of polls, after what the Platform asked for. A poll has found the dataset
/// pending.
fn poll_later(
    context: &Context<'_>,
    kind: StepKind,
    least: Duration,
    retry: Transition,
) -> Transition {
    let failures = context.submission.failures.saturating_add(1);
    let is_poll = kind == StepKind::Poll;
    let age = context.age().filter(|_| is_poll);
    let after = context.poll_delay(failures, age).max(least);
    let processing = is_poll.then(|| context.pending());
    let next = match retry.next {
        Next::Step(next) => Next::step(next.kind, after.min(context.time_left())),
        next => next,
    };
    let lasting = if is_poll { retry.lasting.eased(after) } else { retry.lasting };
    Transition { next, processing, lasting, ..retry }
}

/// Another attempt, or, after the deadline, the end.
fn retry_or_fail(
    context: &Context<'_>,
    kind: StepKind,
    code: ReasonCode,
    error: &PlatformError,
    base: Transition,
) -> Transition {
    let base = Transition { attempt_spent: true, ..base };
    if context.is_past_deadline() {
        return fail_at_deadline(context, error, base);
    }
    let failures = context.submission.failures.saturating_add(1);
    let after = retry_delay(context.policy, failures, context.jitter).min(context.time_left());
    Transition {
        reason: Some(Reason::new(code, error.to_string())),
        next: Next::step(kind, after),
        failures,
        ..base
    }
}

fn fail_at_deadline(context: &Context<'_>, error: &PlatformError, base: Transition) -> Transition {
    let ambiguous = if base.upload_ambiguous { "; an upload may have arrived" } else { "" };
    let text = format!("gave up at the deadline ({}): {error}{ambiguous}", context.deadline());
    Transition {
        next: Next::End(Outcome::Failed),
        reason: Some(Reason::new(ReasonCode::Deadline, text)),
        ..base
    }
}

/// Counts only where an upload may have arrived.
fn wrong_address(
    context: &Context<'_>,
    kind: StepKind,
    error: &PlatformError,
    base: Transition,
) -> Transition {
    let retry = retry_or_fail(context, kind, ReasonCode::WrongAddress, error, base);
    match context.ambiguity() {
        _ if kind != StepKind::Upload => retry,
        Some(_) => lasting(context, 1, retry),
        None => Transition { lasting: Lasting::default(), ..retry },
    }
}

fn unknown_token(
    context: &Context<'_>,
    kind: StepKind,
    error: &PlatformError,
    base: Transition,
) -> Transition {
    let reason = Some(Reason::new(ReasonCode::UnknownToken, context.unknown_token()));
    let waited = context.submission.lasting.waited();
    if waited >= context.policy.unknown_token_timeout || context.is_past_deadline() {
        return Transition { reason, next: Next::End(Outcome::Failed), ..base };
    }
    let retry = retry_or_fail(context, kind, ReasonCode::UnknownToken, error, base);
    lasting(context, 1, Transition { reason, ..retry })
}

/// The same transition, after a response that ends the step if it lasts.
pub(super) fn lasting(context: &Context<'_>, weight: u32, transition: Transition) -> Transition {
    let delay = transition.delay().unwrap_or_default();
    Transition { lasting: context.submission.lasting.with(weight, delay), ..transition }
}

/// The Platform responded as it should.
pub(super) fn succeeded(next: Next) -> Transition {
    Transition { signal: Signal::Healthy, ..Transition::to(next) }
}

/// The submission waits for the same step again, and nothing counts.
pub(super) fn unchanged(context: &Context<'_>, kind: StepKind) -> Transition {
    Transition {
        attempt_spent: kind != StepKind::Upload,
        failures: context.submission.failures,
        lasting: context.submission.lasting,
        upload_ambiguous: context.submission.upload_ambiguous,
        ..Transition::to(Next::step(kind, Duration::ZERO))
    }
}

impl Context<'_> {
    /// True if the deadline allows no further attempt.
    pub(super) fn is_past_deadline(&self) -> bool {
        self.now >= self.submission.deadline
    }

    pub(super) fn time_left(&self) -> Duration {
        until(self.now, self.submission.deadline)
    }

    /// The deadline as it is shown.
    fn deadline(&self) -> impl std::fmt::Display {
        self.submission.deadline.format("%Y-%m-%d %H:%M:%S UTC")
    }
}

#[cfg(test)]
mod tests;
