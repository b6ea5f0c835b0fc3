//! The acts that a page offers: those that the state allows, to those who may.

use super::text::encoded;
use ferry_types::contract::{AccountView, OperatorAction, SubmissionView};
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::State;

/// Consequences of decisions about held submissions.
const OVERWRITE: &str = "It is uploaded again, and replaces the dataset of this name at the Platform. \
                         If that one belongs to someone else, it is lost there.";
const RETRY: &str = "It is uploaded again without a change. If an earlier upload arrived, the Platform \
                     rejects this one.";
const FAIL: &str =
    "Ferry gives up. What the Platform has stays there, this dataset or another one.";

/// An action on many submissions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BulkChoice {
    action: OperatorAction,
    /// The action, as its form sends it.
    pub(crate) value: &'static str,
    /// Its words.
    pub(crate) label: &'static str,
    /// Consequence for each submission.
    pub(crate) consequence: &'static str,
    /// True if it cannot be undone.
    pub(crate) is_harmful: bool,
}

const fn choice(
    action: OperatorAction,
    label: &'static str,
    consequence: &'static str,
    is_harmful: bool,
) -> BulkChoice {
    BulkChoice { action, value: action.as_str(), label, consequence, is_harmful }
}

/// The actions on many submissions.
pub(super) const BULK: [BulkChoice; 7] = [
    choice(OperatorAction::Retry, "Retry", "Each resumes at the step that failed.", false),
    choice(OperatorAction::Redeliver, "Redeliver the webhooks", "Receivers get each again.", false),
    choice(
        OperatorAction::Refetch,
        "Fetch again",
        "Results or feedback of each are fetched again.",
        false,
    ),
    choice(
        OperatorAction::Cancel,
        "Cancel",
        "A running step finishes first. The Platform may process a dataset all the same.",
        true,
    ),
    choice(OperatorAction::ResolveOverwrite, "Resolve: overwrite", OVERWRITE, true),
    choice(OperatorAction::ResolveRetry, "Resolve: retry", RETRY, true),
    choice(OperatorAction::ResolveFail, "Resolve: fail", FAIL, true),
];

/// An action of the list above.
pub(super) fn bulk_choice(action: OperatorAction) -> BulkChoice {
    let known = BULK.into_iter().find(|choice| choice.action == action);
    known.unwrap_or_else(|| choice(action, action.as_str(), "", true))
}

/// An act, which is a form.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// The path that it is sent to.
    pub(crate) action: String,
    /// The words on its button.
    pub(crate) label: &'static str,
    /// Consequence, which is read before the act is confirmed; empty if it does no harm.
    pub(crate) consequence: String,
    /// A field that is sent along: name and value.
    pub(crate) field: Option<(&'static str, &'static str)>,
    /// True if it asks for a reason.
    pub(crate) has_reason: bool,
    /// Description that stands beside its button; empty if the label says all.
    pub(crate) does: &'static str,
}

impl Act {
    /// An act with a consequence.
    pub(super) fn harmful(action: String, label: &'static str, consequence: &str) -> Self {
        Self::new(action, label, consequence)
    }

    fn new(action: String, label: &'static str, consequence: impl Into<String>) -> Self {
        let consequence = consequence.into();
        Self { action, label, consequence, field: None, has_reason: false, does: "" }
    }
}

/// The acts on a submission that its state allows.
pub(crate) fn of_submission(view: &SubmissionView, has_webhook: bool) -> Vec<Act> {
    let to = |verb: &str| format!("/console/submissions/{}/{verb}", view.id);
    let mut acts = Vec::new();
    if view.state == State::Failed {
        acts.push(Act::new(to("retry"), "Retry", ""));
    }
    if is_settled(view) && view.processing_token.is_some() {
        acts.push(Act::new(to("refetch"), "Fetch again", ""));
    }
    acts.extend(redeliver(view).filter(|_| has_webhook));
    if !view.state.is_final() {
        let consequence = match view.state {
            State::Queued => "It is not uploaded.",
            State::Held => "It ends. The Platform may have the dataset all the same.",
            _ => {
                "A running step finishes first. The Platform may process the dataset all the same."
            }
        };
        acts.push(Act::new(to("cancel"), "Cancel", consequence));
    }
    acts
}

fn is_settled(view: &SubmissionView) -> bool {
    view.state.is_final() && !view.refetching
}

/// The act that delivers the webhook of a final submission again.
pub(super) fn redeliver(view: &SubmissionView) -> Option<Act> {
    let action = format!("/console/submissions/{}/redeliver", view.id);
    is_settled(view).then(|| Act::new(action, "Redeliver the webhook", ""))
}

/// The decisions about a held submission; none is proposed. One that has a processing token was not held
/// at its upload.
pub(super) fn resolutions(view: &SubmissionView) -> Vec<Act> {
    let decide = |label, resolution, consequence: &str| Act {
        field: Some(("resolution", resolution)),
        ..Act::new(format!("/console/submissions/{}/resolve", view.id), label, consequence)
    };
    let fail = decide("Fail", "fail", FAIL);
    if view.processing_token.is_some() {
        return vec![decide("Retry", "retry", "The step that stopped runs again."), fail];
    }
    vec![decide("Overwrite", "overwrite", OVERWRITE), decide("Retry", "retry", RETRY), fail]
}

/// A block of an account that `Resume` lifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    /// An operator, or denied credentials.
    Paused,
    /// `Retry-After`.
    Throttled,
    /// Failures in a row.
    BreakerOpen,
}

impl Block {
    fn of(account: &AccountView) -> Option<Self> {
        match &account.blocked_by {
            Some(BlockReason::Paused { .. }) => Some(Self::Paused),
            Some(BlockReason::Throttled { .. }) => Some(Self::Throttled),
            Some(BlockReason::BreakerOpen { .. }) => Some(Self::BreakerOpen),
            // Its probe is due.
            None if account.outage.is_some() => Some(Self::BreakerOpen),
            Some(BlockReason::LimitReached { .. }) | None => None,
        }
    }
}

/// The act that resumes an account.
pub(super) fn resume(account: &str, block: Block) -> Act {
    let does = match block {
        Block::Paused => "Its steps run again.",
        Block::Throttled => {
            "Ferry sends requests at once, although the Platform asked for a pause: it may throttle the \
             account again."
        }
        Block::BreakerOpen => {
            "Ferry sends requests at once, and not first at the next probe. The next failure opens the \
             circuit breaker again."
        }
    };
    Act { does, ..Act::new(of_account(account, "resume"), "Resume", "") }
}

/// The acts on an account: resume one that is blocked, pause one that is not paused.
pub(super) fn on_account(account: &AccountView) -> Vec<Act> {
    let (name, block) = (&account.account, Block::of(account));
    let consequence = "No step of the account runs until an operator resumes it.";
    let pause = Act::new(of_account(name, "pause"), "Pause", consequence);
    let pause = (block != Some(Block::Paused)).then_some(Act { has_reason: true, ..pause });
    block.map(|block| resume(name, block)).into_iter().chain(pause).collect()
}

fn of_account(account: &str, verb: &str) -> String {
    format!("/console/accounts/{}/{verb}", encoded(account))
}
