//! The kinds of work on a submission, and which of it goes first.

use super::State;
use crate::closed_set;

closed_set! {
    /// Kind of a step.
    pub enum StepKind: "step" in json {
        /// Uploads the dataset.
        Upload = "upload",
        /// Reads the status.
        Poll = "poll",
        /// Fetches the results or the feedback.
        Collect = "collect",
        /// Delivers the outcome to the webhook.
        Deliver = "deliver",
    }
}

impl StepKind {
    /// Those that call the Platform, in their order.
    pub const PLATFORM_KINDS: [Self; 3] = [Self::Upload, Self::Poll, Self::Collect];

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

closed_set! {
    /// Order of the steps of one account.
    #[derive(Default)]
    pub enum Priority: "priority" in json {
        /// Before all others.
        High = "high",
        /// The default.
        #[default]
        Normal = "normal",
        /// After all others.
        Low = "low",
    }
}
