//! The kinds of work on a submission, and which of it goes first.

use serde::{Deserialize, Serialize};

use super::State;

/// Kind of a step.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Uploads the dataset.
    Upload,
    /// Reads the status.
    Poll,
    /// Fetches the results or the feedback.
    Collect,
    /// Delivers the outcome to the webhook.
    Deliver,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Upload, Self::Poll, Self::Collect, Self::Deliver];

    /// Those that call the Platform, in their order.
    pub const PLATFORM_KINDS: [Self; 3] = [Self::Upload, Self::Poll, Self::Collect];

    /// The word for it, in every store, API and metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Poll => "poll",
            Self::Collect => "collect",
            Self::Deliver => "deliver",
        }
    }

    /// True if such a step sends requests to the Platform; a block of the account stops no other.
    pub fn calls_platform(self) -> bool {
        self != Self::Deliver
    }

    /// The state of a submission that waits for this step; none where it comes after the end.
    pub const fn waiting_state(self) -> Option<State> {
        match self {
            Self::Upload => Some(State::Queued),
            Self::Poll => Some(State::Processing),
            Self::Collect => Some(State::Collecting),
            Self::Deliver => None,
        }
    }
}

/// Order of the steps of one account.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    High,
    /// The default.
    #[default]
    Normal,
    /// After all others.
    Low,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}
