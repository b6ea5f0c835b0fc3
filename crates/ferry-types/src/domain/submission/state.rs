//! The states of a submission, and the one table of legal transitions.

use serde::{Deserialize, Serialize};

/// State of a submission.
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
pub enum State {
    /// Waits for its upload, or for the next attempt.
    Queued,
    /// A worker uploads it.
    Uploading,
    /// The Platform has it, and Ferry polls.
    Processing,
    /// The Platform has decided, and Ferry fetches the results or the feedback.
    Collecting,
    /// Results are stored. Final.
    Completed,
    /// The Platform rejected the upload or the data; the reason or the feedback is stored. Final.
    Rejected,
    /// Ferry gave up; the reason is stored. Final, but an operator may retry.
    Failed,
    /// An operator cancelled it. Final.
    Cancelled,
    /// An operator must decide with `resolve`.
    Held,
}

impl State {
    /// Every state, in the order of a submission's life.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Uploading,
        Self::Processing,
        Self::Collecting,
        Self::Completed,
        Self::Rejected,
        Self::Failed,
        Self::Cancelled,
        Self::Held,
    ];

    /// True if nothing more happens by itself and the dataset name is free for the next submission.
    ///
    /// ```
    /// use ferry_types::domain::submission::State;
    ///
    /// assert!(State::Completed.is_final() && !State::Held.is_final());
    /// ```
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Failed | Self::Cancelled)
    }

    /// The table of legal transitions. Staying in a state that is not final is always legal.
    pub const fn may_become(self, next: Self) -> bool {
        use State::{
            Cancelled, Collecting, Completed, Failed, Held, Processing, Queued, Rejected, Uploading,
        };
        match self {
            Queued => matches!(next, Queued | Uploading | Failed | Cancelled | Held),
            Uploading => {
                matches!(
                    next,
                    Uploading | Queued | Processing | Rejected | Failed | Cancelled | Held
                )
            }
            Processing => matches!(next, Processing | Collecting | Failed | Cancelled | Held),
            Collecting => {
                matches!(next, Collecting | Completed | Rejected | Failed | Cancelled | Held)
            }
            Held => matches!(next, Held | Queued | Processing | Collecting | Failed | Cancelled),
            // An operator's retry, or the verdict that a refetch learned.
            Failed => matches!(next, Queued | Processing | Collecting | Completed | Rejected),
            Cancelled => matches!(next, Completed | Rejected),
            Completed | Rejected => false,
        }
    }

    /// The word for it, in every store, API and metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Uploading => "uploading",
            Self::Processing => "processing",
            Self::Collecting => "collecting",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
        }
    }
}
