//! The states of a submission, and the one table of legal transitions.

use crate::closed_set;

closed_set! {
    /// State of a submission.
    pub enum State: "state" in json {
        /// Waits for its upload, or for the next attempt.
        Queued = "queued",
        /// A worker uploads it.
        Uploading = "uploading",
        /// The Platform has it, and Ferry polls.
        Processing = "processing",
        /// The Platform has decided, and Ferry fetches the results or the feedback.
        Collecting = "collecting",
        /// Results are stored. Final.
        Completed = "completed",
        /// The Platform rejected the upload or the data; the reason or the feedback is stored. Final.
        Rejected = "rejected",
        /// Ferry gave up; the reason is stored. Final, but an operator may retry.
        Failed = "failed",
        /// An operator cancelled it. Final.
        Cancelled = "cancelled",
        /// An operator must decide with `resolve`.
        Held = "held",
    }
}

impl State {
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
}
