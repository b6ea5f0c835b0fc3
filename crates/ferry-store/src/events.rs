//! What changed, in the order in which it did: a bounded history that any number of readers follow,
//! each with a cursor of its own.

use ferry_types::domain::submission::{ReasonCode, State};
use ferry_types::domain::{SubmissionId, Timestamp};

/// The newest events that are kept; a few more may be. Older ones are forgotten, and so are those
/// that are older than the retention, but for the last.
pub(super) const KEPT: u64 = 100_000;

/// Forgotten at once, where there are too many.
pub(super) const FORGOTTEN: u64 = 1000;

/// A submission was accepted, or went into another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Grows from event to event; a reader that goes on after it misses nothing and sees nothing
    /// twice.
    pub cursor: u64,
    /// Which submission.
    pub submission: SubmissionId,
    /// Its account.
    pub account: String,
    /// Its Name.
    pub name: String,
    /// The state from then on.
    pub state: State,
    /// Why, where that needs saying.
    pub reason: Option<ReasonCode>,
    /// When.
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
