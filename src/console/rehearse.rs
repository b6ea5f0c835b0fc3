//! The rehearsal: drills on buttons, and beside each what the overview says during it.

use askama::Template;

use super::frame::Frame;
use super::text::Sentence;
use super::verdict::{Finding, findings};
use ferry_types::contract::{Drill, DrillView, ExpectedView, FindingView, RehearsalView};

/// A sentence of the overview.
#[derive(Debug)]
struct Expected {
    when: String,
    sentence: Sentence,
    effect: String,
}

impl From<&ExpectedView> for Expected {
    fn from(view: &ExpectedView) -> Self {
        let (when, effect) = (view.when.clone(), view.effect.clone());
        Self { when, sentence: view.sentence.as_str().into(), effect }
    }
}

/// A drill.
#[derive(Debug)]
struct DrillRow {
    value: &'static str,
    title: &'static str,
    does: Sentence,
    on: bool,
    /// The share in its form.
    share: Option<f64>,
    expected: Vec<Expected>,
}

impl From<&DrillView> for DrillRow {
    fn from(view: &DrillView) -> Self {
        let (title, does) = words(view.drill);
        Self {
            value: view.drill.as_str(),
            title,
            does: does.into(),
            on: view.on,
            share: view.share.map(|share| if view.on { share } else { 0.2 }),
            expected: view.expected.iter().map(Expected::from).collect(),
        }
    }
}

/// Title of a drill, and what it does.
const fn words(drill: Drill) -> (&'static str, &'static str) {
    match drill {
        Drill::Faults => (
            "Share of errors",
            "5xx, 429, broken connections and revoked tokens, by chance. Steps that fail are retried.",
        ),
        Drill::Outage => ("Outage", "Every request fails."),
        Drill::Throttled => (
            "429 for 60 s",
            "Every request but those for tokens gets 429, with `Retry-After`. Ferry waits for that \
             time even if the drill ends sooner.",
        ),
        Drill::LostResponse => (
            "Lose the next response",
            "The next upload arrives, and the connection breaks instead of its response.",
        ),
        Drill::DeniedCredentials => (
            "Deny the credentials",
            "Neither they nor tokens are accepted. When the drill has ended, the account still has to be \
             resumed.",
        ),
        Drill::RejectedRow => (
            "Reject a row",
            "The first row of the next upload is rejected: its reference is unknown.",
        ),
        Drill::StoppedWorkers => {
            ("Stop the workers", "The workers of this process finish their steps and stop.")
        }
    }
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "rehearse.html")]
pub(crate) struct RehearsePage {
    frame: Frame,
    /// Findings of the overview now.
    findings: Vec<Finding>,
    drills: Vec<DrillRow>,
    is_any_on: bool,
}

impl RehearsePage {
    /// The page of these drills.
    pub(crate) fn new(frame: Frame, view: &RehearsalView, found: &[FindingView]) -> Self {
        let drills: Vec<DrillRow> = view.drills.iter().map(DrillRow::from).collect();
        let is_any_on = drills.iter().any(|drill| drill.on);
        Self { frame, findings: findings(found, true), drills, is_any_on }
    }
}
