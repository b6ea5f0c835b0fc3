//! Decides what follows from results and feedback: they never lose the verdict that arrived before.

use super::decide::{Context, after_error, signal_of, succeeded, unchanged};
use super::schedule::{poll_delay, steady_delay};
use ferry_types::domain::account::Signal;
use ferry_types::domain::outcome::{Content, PlatformError};
use ferry_types::domain::submission::{
    FEEDBACK_KEY, Next, Outcome, Reason, ReasonCode, StepKind, Transition,
};

/// So often in a row results are asked for that are not there, or cannot be read.
const TRIES: u32 = 8;

/// So often in a row, at the slower pace of polls, what the Platform says is not there yet.
const TRIES_NOT_YET: u32 = 20;

/// Contents that were fetched, and those that were not.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// By result key.
    pub(super) contents: Vec<(String, Content)>,
    /// By result key, each with the cause.
    pub(super) missing: Vec<(String, PlatformError)>,
}

/// After a fetch of the results, or of the feedback of a rejected dataset.
pub(super) fn after_collect(context: &Context<'_>, collected: Collected) -> Transition {
    let Collected { contents, missing } = collected;
    let is_wanted = |(_, error): &&(String, PlatformError)| !is_given_up(context, error);
    let transition = match (missing.iter().find(is_wanted), &context.submission.rejection) {
        (Some((key, error)), _) => again(context, key, error),
        (None, Some(word)) => rejected(word, missing.first().map(|(_, error)| error)),
        (None, None) if missing.is_empty() => succeeded(Next::End(Outcome::Completed)),
        (None, None) => incomplete(context, !contents.is_empty(), &missing),
    };
    // Whatever follows for the submission, the account is throttled, or its credentials are denied.
    let mut signals = missing.iter().map(|(_, error)| signal_of(context, error));
    let signal = signals.find(Signal::outlives_its_step).unwrap_or(transition.signal);
    Transition { contents, signal, ..transition }
}

/// True if the Platform is not asked again. Without a verdict against the dataset, its results are
/// worth asking for until the deadline, where the Platform can be reached and has them.
fn is_given_up(context: &Context<'_>, error: &PlatformError) -> bool {
    let is_rejected = context.submission.rejection.is_some();
    let is_last = |tries| context.is_past_deadline() || streak(context) >= tries;
    match error {
        PlatformError::Credentials(_) => false,
        PlatformError::TooLarge { .. } => true,
        PlatformError::UnknownToken | PlatformError::Unreadable(_) => is_last(TRIES),
        PlatformError::NotYet { .. } => is_last(TRIES_NOT_YET),
        PlatformError::Throttled { .. } | PlatformError::Unsent(_) => context.is_past_deadline(),
        PlatformError::Transient(_)
        | PlatformError::Ambiguous(_)
        | PlatformError::TimedOut(_)
        | PlatformError::Refused { .. } => {
            context.is_past_deadline() || (is_rejected && is_last(TRIES_NOT_YET))
        }
    }
}

/// Attempts in a row that got no result from a Platform that was reached, this one included.
fn streak(context: &Context<'_>) -> u32 {
    match &context.submission.reason {
        Some(reason) if reason.code == ReasonCode::ResultMissing => {
            context.submission.failures.saturating_add(1)
        }
        _ => 1,
    }
}

fn again(context: &Context<'_>, key: &str, error: &PlatformError) -> Transition {
    let is_rejected = context.submission.rejection.is_some();
    let (policy, streak) = (context.policy, streak(context));
    let (delay, signal) = match error {
        PlatformError::NotYet { retry_after, .. } => {
            let least = retry_after.unwrap_or_default().min(policy.retry_after_max);
            (poll_delay(policy, streak - 1, context.jitter).max(least), Signal::None)
        }
        PlatformError::UnknownToken | PlatformError::Unreadable(_) => {
            (steady_delay(policy, streak, context.jitter), Signal::Healthy)
        }
        PlatformError::Transient(_) if is_rejected => {
            (steady_delay(policy, streak, context.jitter), Signal::Unhealthy(error.to_string()))
        }
        _ => return after_error(context, StepKind::Collect, error),
    };
    let after = delay.min(context.time_left());
    Transition {
        reason: Some(Reason::new(ReasonCode::ResultMissing, missing_text(key, error))),
        next: Next::step(StepKind::Collect, after),
        failures: streak,
        signal,
        ..unchanged(context, StepKind::Collect)
    }
}

fn rejected(word: &str, missing: Option<&PlatformError>) -> Transition {
    let verdict = format!("the Platform rejected the dataset with `{word}`");
    let text = match missing {
        None => format!("{verdict}; see its {FEEDBACK_KEY}"),
        Some(error) => format!("{verdict}, and {}", missing_text(FEEDBACK_KEY, error)),
    };
    let reason = Some(Reason::new(ReasonCode::DataRejected, text));
    Transition { reason, ..succeeded(Next::End(Outcome::Rejected)) }
}

/// The other results are stored; without any, nothing of the Platform's is there to complete with.
fn incomplete(
    context: &Context<'_>,
    has_new: bool,
    missing: &[(String, PlatformError)],
) -> Transition {
    let has_any = has_new || !context.submission.results.is_empty();
    let texts: Vec<String> = missing.iter().map(|(key, error)| missing_text(key, error)).collect();
    let end = if context.is_past_deadline() { "; gave up at the deadline" } else { "" };
    let text = format!("the Platform completed the dataset, and {}{end}", texts.join("; "));
    let code = match missing.first() {
        _ if has_any => ReasonCode::ResultMissing,
        Some((_, PlatformError::TooLarge { .. })) => ReasonCode::ResponseTooLarge,
        Some((_, PlatformError::UnknownToken)) => ReasonCode::UnknownToken,
        _ => ReasonCode::ResultMissing,
    };
    let outcome = if has_any { Outcome::Completed } else { Outcome::Failed };
    Transition { reason: Some(Reason::new(code, text)), ..succeeded(Next::End(outcome)) }
}

fn missing_text(key: &str, error: &PlatformError) -> String {
    let what = if key == FEEDBACK_KEY { "feedback".to_owned() } else { format!("result `{key}`") };
    match error {
        PlatformError::UnknownToken => format!("{what} is not there (404)"),
        error => format!("{what} is missing: {error}"),
    }
}
