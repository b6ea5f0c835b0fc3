//! The acts that a page offers: those that the state allows, to those who may.

use ferry_types::contract::SubmissionView;
use ferry_types::domain::submission::State;

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
}

impl Act {
    fn new(action: String, label: &'static str, consequence: impl Into<String>) -> Self {
        Self { action, label, consequence: consequence.into(), field: None, has_reason: false }
    }
}

/// The acts on a submission that its state allows.
pub(crate) fn of_submission(view: &SubmissionView, has_webhook: bool) -> Vec<Act> {
    let to = |verb: &str| format!("/console/submissions/{}/{verb}", view.id);
    let mut acts = Vec::new();
    if view.state == State::Held {
        acts.extend(resolutions(view));
    }
    if view.state == State::Failed {
        acts.push(Act::new(to("retry"), "Retry", ""));
    }
    let is_settled = view.state.is_final() && !view.refetching;
    if is_settled && view.processing_token.is_some() {
        acts.push(Act::new(to("refetch"), "Fetch again", ""));
    }
    if is_settled && has_webhook {
        acts.push(Act::new(to("redeliver"), "Redeliver the webhook", ""));
    }
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

/// The decisions about a held submission; none is proposed. One that has a processing token was not held
/// at its upload.
fn resolutions(view: &SubmissionView) -> Vec<Act> {
    let decide = |label, resolution, consequence: &str| Act {
        field: Some(("resolution", resolution)),
        ..Act::new(format!("/console/submissions/{}/resolve", view.id), label, consequence)
    };
    let fail = "Ferry gives up. What the Platform has stays there.";
    let fail = decide("Fail", "fail", fail);
    if view.processing_token.is_some() {
        return vec![decide("Retry", "retry", "The step that stopped runs again."), fail];
    }
    let overwrite = "It is uploaded again, and replaces a dataset of this name at the Platform.";
    let retry = "It is uploaded again without a change. If an earlier upload arrived, the Platform \
                 rejects this one.";
    vec![decide("Overwrite", "overwrite", overwrite), decide("Retry", "retry", retry), fail]
}

/// The act on an account: resume a paused one, pause any other.
pub(crate) fn of_account(account: &str, is_paused: bool) -> Act {
    let path: String = form_urlencoded::byte_serialize(account.as_bytes()).collect();
    let to = |verb: &str| format!("/console/accounts/{path}/{verb}");
    if is_paused {
        return Act::new(to("resume"), "Resume", "");
    }
    let consequence = "No step of the account runs until an operator resumes it.";
    Act { has_reason: true, ..Act::new(to("pause"), "Pause", consequence) }
}
