//! Processes that report themselves in a store.

use std::time::Duration;

use ferry_types::domain::{Heartbeat, Timestamp};

/// Duration for which a process that sends no more heartbeats is listed.
pub const SILENT_LISTED: Duration = Duration::from_hours(1);

/// Processes that a store lists; of more, those with the oldest heartbeats are forgotten.
pub const MOST_PROCESSES: usize = 500;

/// A process that uses a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProcess {
    /// Its last heartbeat.
    pub heartbeat: Heartbeat,
    /// Time of that.
    pub at: Timestamp,
    /// Duration since then.
    pub age: Duration,
}
