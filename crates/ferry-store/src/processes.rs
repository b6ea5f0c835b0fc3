//! Processes that report themselves in a store.

use std::time::Duration;

use ferry_types::domain::{Heartbeat, Timestamp};

/// Duration for which a process that sends no more heartbeats is listed.
pub const SILENT_LISTED: Duration = Duration::from_hours(1);

/// Processes that a store lists; of more, those with the oldest heartbeats are forgotten.
pub const MOST_PROCESSES: usize = 500;

/// The processes that use a store, those with the newest heartbeats first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredProcesses {
    /// Those whose last heartbeat can be read.
    pub found: Vec<StoredProcess>,
    /// The others: their record is damaged, or of a version that knows more.
    pub damaged: Vec<DamagedHeartbeat>,
}

/// A heartbeat that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedHeartbeat {
    /// Id of the process.
    pub process: String,
    /// Part that is damaged.
    pub cause: String,
}

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
