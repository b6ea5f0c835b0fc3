//! The bodies about the processes that use a store.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::closed_set;
use crate::domain::submission::StepKind;
use crate::domain::{Heartbeat, ProcessRole, Slots, Timestamp, earlier};

closed_set! {
    /// State of a process.
    pub enum ProcessState: "process state" in json {
        /// It reported itself in time.
        Running = "running",
        /// It completes what it began, and ends.
        Stopping = "stopping",
        /// It was killed, is suspended, or cannot reach the store.
        Silent = "silent",
    }
}

/// A process that uses the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProcessView {
    /// Its id, which is random.
    pub process: String,
    /// Its roles.
    pub roles: Vec<ProcessRole>,
    /// Its state. One that ended by itself is not listed, and a silent one for an hour.
    pub state: ProcessState,
    /// Version of Ferry.
    pub version: String,
    /// Name of its machine, container or pod; null for a key with accounts.
    pub host: Option<String>,
    /// Number of the process there; null for a key with accounts.
    pub pid: Option<u32>,
    /// Time of its start.
    pub started_at: Timestamp,
    /// Time of its last heartbeat.
    pub heartbeat_at: Timestamp,
    /// Slots by kind of step at that time, if it runs steps; null for a key with accounts.
    pub slots: Option<BTreeMap<StepKind, Slots>>,
    /// Accounts whose steps it runs, at most 100; for a key with accounts those that it sees.
    pub accounts: Vec<String>,
    /// Number of the accounts that are not listed.
    #[serde(default)]
    pub omitted_accounts: u64,
}

impl ProcessView {
    /// A process by its last heartbeat, which the store has had for so long.
    pub fn new(heartbeat: Heartbeat, heartbeat_at: Timestamp, age: Duration) -> Self {
        let state = match &heartbeat {
            silent if silent.is_silent_after(age) => ProcessState::Silent,
            Heartbeat { is_stopping: true, .. } => ProcessState::Stopping,
            _ => ProcessState::Running,
        };
        Self {
            started_at: earlier(heartbeat_at, Duration::from_secs(heartbeat.uptime_seconds)),
            process: heartbeat.id,
            roles: heartbeat.roles,
            state,
            version: heartbeat.version,
            host: Some(heartbeat.host),
            pid: Some(heartbeat.pid),
            heartbeat_at,
            slots: Some(heartbeat.slots),
            accounts: heartbeat.accounts,
            omitted_accounts: heartbeat.omitted_accounts,
        }
    }

    /// The sum of its slots of all kinds.
    pub fn all_slots(&self) -> Slots {
        let all = self.slots.iter().flat_map(BTreeMap::values);
        all.fold(Slots::default(), |sum, one| Slots {
            slots: sum.slots.saturating_add(one.slots),
            running: sum.running.saturating_add(one.running),
        })
    }
}

/// The processes that use the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProcessesView {
    /// The processes, the longest running first.
    pub processes: Vec<ProcessView>,
    /// Processes whose last heartbeat cannot be read: it is damaged, or of a version that knows more. A
    /// key with accounts sees none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedProcess>,
}

/// A process whose last heartbeat cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DamagedProcess {
    /// Its id as the store has it.
    pub process: String,
    /// Part that is damaged.
    pub cause: String,
}
