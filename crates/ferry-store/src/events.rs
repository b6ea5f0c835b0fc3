//! Events in the order of the changes: a bounded history that any number of readers follow, each
//! with its own cursor.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::error;

use ferry_types::domain::submission::{ReasonCode, State};
use ferry_types::domain::{SubmissionId, Timestamp};

/// The newest events that are retained; a few more may be. Older ones are forgotten, and so are those
/// that are older than the retention, but for the last.
pub(super) const KEPT: u64 = 100_000;

/// Forgotten at once, where there are too many.
pub(super) const FORGOTTEN: u64 = 1000;

/// Logs an event that cannot be read, once in a process: readers look at the same events again and again.
pub(super) fn log_damaged(cursor: u64, error: &dyn Display) {
    static LOGGED: AtomicU64 = AtomicU64::new(0);
    if LOGGED.fetch_max(cursor, Ordering::Relaxed) < cursor {
        error!(event = cursor, %error, "corrupt event, it is left out of the stream");
    }
}

/// A submission was accepted, or went into another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Position of the event, growing. A reader that continues after it misses no event and reads
    /// none twice.
    pub cursor: u64,
    /// The submission.
    pub submission: SubmissionId,
    /// Its account.
    pub account: String,
    /// Its dataset name.
    pub name: String,
    /// The state from then on.
    pub state: State,
    /// Why, where that needs saying.
    pub reason: Option<ReasonCode>,
    /// Time of the change.
    pub at: Timestamp,
}

/// A part of the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// Epoch of the store; empty if it never had an event.
    pub epoch: String,
    /// In their order.
    pub events: Vec<Event>,
    /// The first cursor after which everything is still there: a reader that stands before it has
    /// missed something.
    pub oldest: u64,
    /// The cursor of the last event. One beyond it is not of this store.
    pub newest: u64,
}
