//! What follows from results and feedback: the verdict that was heard is never lost to them.

use super::decide::{Context, after_trouble, healthy, untouched};
use super::schedule::{poll_delay, steady_delay};
use ferry_types::domain::account::Signal;
use ferry_types::domain::outcome::{Content, Trouble};
use ferry_types::domain::submission::{
    FEEDBACK_KEY, Next, Outcome, Reason, ReasonCode, StepKind, Transition,
};

/// So often in a row results are asked for that are not there, or cannot be read.
const TRIES: u32 = 8;

/// So often in a row, at the slower pace of polls, what the Platform says is not there yet.
const TRIES_NOT_YET: u32 = 20;

/// What was fetched, and what was not.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// By result key.
    pub(super) contents: Vec<(String, Content)>,
    /// By result key, each with the cause.
    pub(super) missing: Vec<(String, Trouble)>,
}

/// After the results, or the feedback of a rejected dataset, were asked for.
pub(super) fn after_collect(context: &Context<'_>, collected: Collected) -> Transition {
    let Collected { contents, missing } = collected;
    let is_wanted = |(_, trouble): &&(String, Trouble)| !is_given_up(context, trouble);
    let transition = match (missing.iter().find(is_wanted), &context.submission.rejection) {
        (Some((key, trouble)), _) => again(context, key, trouble),
        (None, Some(word)) => rejected(word, missing.first().map(|(_, trouble)| trouble)),
        (None, None) if missing.is_empty() => healthy(Next::End(Outcome::Completed)),
        (None, None) => incomplete(context, !contents.is_empty(), &missing),
    };
    Transition { contents, ..transition }
}

/// True if the Platform is not asked again. Without a verdict against the dataset, its results are
/// worth asking for until the deadline, where the Platform can be reached and has them.
fn is_given_up(context: &Context<'_>, trouble: &Trouble) -> bool {
    let is_rejected = context.submission.rejection.is_some();
    let is_last = |tries| context.is_overdue() || streak(context) >= tries;
    match trouble {
        Trouble::Credentials(_) => false,
        Trouble::TooLarge { .. } => true,
        Trouble::UnknownToken | Trouble::Unreadable(_) => is_last(TRIES),
        Trouble::NotYet { .. } => is_last(TRIES_NOT_YET),
        Trouble::SlowDown { .. } | Trouble::Unsent(_) => is_rejected && context.is_overdue(),
        Trouble::Transient(_) | Trouble::Ambiguous(_) | Trouble::Refused { .. } => {
            is_rejected && is_last(TRIES_NOT_YET)
        }
    }
}

/// Tries in a row that got no result from a Platform that was reached, this one included.
fn streak(context: &Context<'_>) -> u32 {
    match &context.submission.reason {
        Some(reason) if reason.code == ReasonCode::ResultMissing => {
            context.submission.failures.saturating_add(1)
        }
        _ => 1,
    }
}

fn again(context: &Context<'_>, key: &str, trouble: &Trouble) -> Transition {
    let is_rejected = context.submission.rejection.is_some();
    let (policy, streak) = (context.policy, streak(context));
    let (delay, signal) = match trouble {
        Trouble::NotYet { retry_after, .. } => {
            let least = retry_after.unwrap_or_default().min(policy.retry_after_max);
            (poll_delay(policy, streak - 1, context.jitter).max(least), Signal::None)
        }
        Trouble::UnknownToken | Trouble::Unreadable(_) => {
            (steady_delay(policy, streak, context.jitter), Signal::Healthy)
        }
        Trouble::Transient(_) if is_rejected => {
            (steady_delay(policy, streak, context.jitter), Signal::Faulty)
        }
        _ => return after_trouble(context, StepKind::Collect, trouble),
    };
    let after = delay.min(context.time_left());
    Transition {
        reason: Some(Reason::new(ReasonCode::ResultMissing, told(key, trouble))),
        next: Next::step(StepKind::Collect, after),
        failures: streak,
        signal,
        ..untouched(context, StepKind::Collect)
    }
}

fn rejected(word: &str, missing: Option<&Trouble>) -> Transition {
    let verdict = format!("the Platform rejected the dataset with `{word}`");
    let text = match missing {
        None => format!("{verdict}; see its {FEEDBACK_KEY}"),
        Some(trouble) => format!("{verdict}, and {}", told(FEEDBACK_KEY, trouble)),
    };
    let reason = Some(Reason::new(ReasonCode::DataRejected, text));
    Transition { reason, ..healthy(Next::End(Outcome::Rejected)) }
}

/// The other results are kept; without any, nothing of the Platform's is there to complete with.
fn incomplete(context: &Context<'_>, has_new: bool, missing: &[(String, Trouble)]) -> Transition {
    let has_any = has_new || !context.submission.results.is_empty();
    let told: Vec<String> = missing.iter().map(|(key, trouble)| told(key, trouble)).collect();
    let text = format!("the Platform completed the dataset, and {}", told.join("; "));
    let code = match missing.first() {
        _ if has_any => ReasonCode::ResultMissing,
        Some((_, Trouble::TooLarge { .. })) => ReasonCode::ResponseTooLarge,
        Some((_, Trouble::UnknownToken)) => ReasonCode::UnknownToken,
        _ => ReasonCode::ResultMissing,
    };
    let outcome = if has_any { Outcome::Completed } else { Outcome::Failed };
    Transition { reason: Some(Reason::new(code, text)), ..healthy(Next::End(outcome)) }
}

fn told(key: &str, trouble: &Trouble) -> String {
    let what = if key == FEEDBACK_KEY { "feedback".to_owned() } else { format!("result `{key}`") };
    match trouble {
        Trouble::UnknownToken => format!("{what} is not there (404)"),
        trouble => format!("{what} is missing: {trouble}"),
    }
}
