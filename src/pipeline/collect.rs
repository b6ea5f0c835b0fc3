//! Decides what follows from results and feedback: they never lose the verdict that arrived before.

use super::decide::{Context, after_error, lasting, signal_of, succeeded, unchanged};
use super::schedule::{poll_delay, steady_delay};
use ferry_types::domain::account::Signal;
use ferry_types::domain::outcome::{Content, PlatformError};
use ferry_types::domain::submission::{
    FEEDBACK_KEY, Next, Outcome, Reason, ReasonCode, StepKind, Submission, Transition,
};

/// Weight of responses, together, at which the Platform is not asked again.
const LIMIT: u32 = 40;

/// Weight of a response that says that a result is not there, or that cannot be read: it is asked for 8 times.
const MISSING: u32 = LIMIT / 8;

/// Weight of a response that says that a result is not there yet: it is asked for 20 times, at the slower
/// pace of polls.
const NOT_YET: u32 = LIMIT / 20;

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
    let has_any = !contents.is_empty() || has_results(context.submission);
    let is_wanted = |(_, error): &&(String, PlatformError)| !is_given_up(context, has_any, error);
    let transition = match (missing.iter().find(is_wanted), &context.submission.rejection) {
        (Some((key, error)), _) => {
            // Of several that are missing, the one that may come last counts.
            let weights = missing.iter().filter(is_wanted);
            let weights = weights.map(|(_, error)| weight(context, has_any, error).unwrap_or(0));
            match weights.min() {
                Some(0) | None => again(context, has_any, key, error),
                Some(weight) => lasting(context, weight, again(context, has_any, key, error)),
            }
        }
        (None, Some(word)) => rejected(context, word, missing.first().map(|(_, error)| error)),
        (None, None) if missing.is_empty() => succeeded(Next::End(Outcome::Completed)),
        (None, None) => incomplete(context, has_any, &missing),
    };
    // Whatever follows for the submission, the account is throttled, or its credentials are denied.
    let mut signals = missing.iter().map(|(_, error)| signal_of(context, error));
    let signal = signals.find(Signal::outlives_its_step).unwrap_or(transition.signal);
    Transition { contents, signal, ..transition }
}

/// True if a result is stored, which a denial of another one does not concern.
pub(super) fn has_results(submission: &Submission) -> bool {
    submission.results.iter().any(|stored| stored.key != FEEDBACK_KEY)
}

/// True if the Platform is not asked again. Without a verdict against the dataset, its results are
/// worth asking for until the deadline, where the Platform can be reached and has them. A server that
/// fails has an outage, unless it gave another result of the dataset: then its key does.
fn is_given_up(context: &Context<'_>, has_any: bool, error: &PlatformError) -> bool {
    let is_last = |weight| context.submission.lasting.weight.saturating_add(weight) >= LIMIT;
    match error {
        PlatformError::Credentials(_) => false,
        PlatformError::TooLarge { .. } => true,
        error => context.is_past_deadline() || weight(context, has_any, error).is_some_and(is_last),
    }
}

/// Weight of a response; none if the Platform is asked until the deadline.
fn weight(context: &Context<'_>, has_any: bool, error: &PlatformError) -> Option<u32> {
    match error {
        PlatformError::UnknownToken | PlatformError::Unreadable(_) => Some(MISSING),
        PlatformError::Declined { may_be_outage, .. } if has_any || !may_be_outage => Some(MISSING),
        PlatformError::NotYet { .. } => Some(NOT_YET),
        PlatformError::Transient(_)
        | PlatformError::WrongAddress { .. }
        | PlatformError::Ambiguous(_)
        | PlatformError::TimedOut(_)
        | PlatformError::Declined { .. }
        | PlatformError::Rejected { .. } => context.submission.rejection.as_ref().map(|_| NOT_YET),
        PlatformError::Credentials(_)
        | PlatformError::TooLarge { .. }
        | PlatformError::Throttled { .. }
        | PlatformError::Unsent(_) => None,
    }
}

/// Attempts since the first that got no result from a Platform that was reached, this one included: what
/// failed before that does not slow down those that follow.
fn streak(context: &Context<'_>) -> u32 {
    let submission = context.submission;
    if submission.lasting.weight == 0 { 1 } else { submission.failures.saturating_add(1) }
}

fn again(context: &Context<'_>, has_any: bool, key: &str, error: &PlatformError) -> Transition {
    let is_rejected = context.submission.rejection.is_some();
    let (policy, streak) = (context.policy, streak(context));
    let steady = || steady_delay(policy, streak, context.jitter);
    let (delay, signal) = match error {
        PlatformError::NotYet { retry_after, .. } => {
            let least = retry_after.unwrap_or_default().min(policy.retry_after_max);
            (poll_delay(policy, streak - 1, context.jitter).max(least), Signal::None)
        }
        PlatformError::UnknownToken | PlatformError::Unreadable(_) => (steady(), Signal::Healthy),
        // Neither an outage of the account nor the end of one.
        PlatformError::Declined { may_be_outage, .. } if has_any || !may_be_outage => {
            (steady(), Signal::None)
        }
        PlatformError::Transient(_) | PlatformError::Declined { .. } if is_rejected => {
            (steady(), Signal::Unhealthy(error.to_string()))
        }
        PlatformError::Transient(_) | PlatformError::Declined { .. } => {
            let retry = after_error(context, StepKind::Collect, error);
            let text = missing_text(context, key, error);
            let reason = retry.reason.map(|reason| Reason::new(reason.code, text));
            return Transition { reason, ..retry };
        }
        _ => return after_error(context, StepKind::Collect, error),
    };
    let after = delay.min(context.time_left());
    let text = missing_text(context, key, error);
    Transition {
        reason: Some(Reason::new(ReasonCode::ResultMissing, text)),
        next: Next::step(StepKind::Collect, after),
        failures: streak,
        signal,
        ..unchanged(context, StepKind::Collect)
    }
}

fn verdict(word: &str) -> String {
    format!("the Platform rejected the dataset with `{word}`")
}

/// The reason of a rejection with this status, whose feedback is stored.
pub(crate) fn data_rejected(word: &str) -> String {
    format!("{}; see its {FEEDBACK_KEY}", verdict(word))
}

fn rejected(context: &Context<'_>, word: &str, missing: Option<&PlatformError>) -> Transition {
    let text = match missing {
        None => data_rejected(word),
        Some(error) => {
            format!("{}, and {}", verdict(word), missing_text(context, FEEDBACK_KEY, error))
        }
    };
    let reason = Some(Reason::new(ReasonCode::DataRejected, text));
    Transition { reason, ..succeeded(Next::End(Outcome::Rejected)) }
}

/// The other results are stored; without any, nothing of the Platform's is there to complete with.
fn incomplete(
    context: &Context<'_>,
    has_any: bool,
    missing: &[(String, PlatformError)],
) -> Transition {
    let texts = missing.iter().map(|(key, error)| missing_text(context, key, error));
    let texts: Vec<String> = texts.collect();
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

/// A refetch leaves a stored content as it is if the Platform does not have it any more.
fn missing_text(context: &Context<'_>, key: &str, error: &PlatformError) -> String {
    let what = if key == FEEDBACK_KEY { "feedback".to_owned() } else { format!("result `{key}`") };
    let is_stored = context.submission.results.iter().any(|stored| stored.key == key);
    match error {
        PlatformError::UnknownToken if is_stored => {
            format!("{what} was not fetched again (404); the stored one is unchanged")
        }
        error if is_stored => {
            format!("{what} was not fetched again; the stored one is unchanged: {error}")
        }
        PlatformError::UnknownToken => format!("{what} is not there (404)"),
        error => format!("{what} is missing: {error}"),
    }
}
