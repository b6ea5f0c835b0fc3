//! Processes of Ferry that use a store, as each reports itself there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::submission::StepKind;
use crate::closed_set;

/// Accounts that a heartbeat names.
pub const MAX_NAMED_ACCOUNTS: usize = 100;

closed_set! {
    /// Role of a process.
    pub enum ProcessRole: "process role" in json {
        /// Serves the HTTP API.
        Server = "server",
        /// Runs steps.
        Worker = "worker",
    }
}

/// Slots for the steps of one kind.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Slots {
    /// Steps that the process may run at once.
    pub slots: u64,
    /// Steps that it runs.
    pub running: u64,
}

/// Report of a process that it is alive. Versions that know more or less of it share a store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// Random id of the process.
    pub id: String,
    /// Its roles.
    pub roles: Vec<ProcessRole>,
    /// Version of Ferry.
    pub version: String,
    /// Name of its machine, container or pod.
    pub host: String,
    /// Number of the process there.
    pub pid: u32,
    /// Time since its start, in seconds.
    pub uptime_seconds: u64,
    /// Time until the next report, in seconds.
    pub interval_seconds: u64,
    /// True during a graceful shutdown.
    pub is_stopping: bool,
    /// Its slots, if it runs steps.
    pub slots: BTreeMap<StepKind, Slots>,
    /// Accounts whose steps it runs, at most [`MAX_NAMED_ACCOUNTS`].
    pub accounts: Vec<String>,
    /// Number of the accounts beyond those.
    pub omitted_accounts: u64,
}

impl Heartbeat {
    /// Names the accounts whose steps the process runs.
    #[must_use]
    pub fn of_accounts(self, names: impl IntoIterator<Item = String>) -> Self {
        let mut names = names.into_iter();
        let accounts = names.by_ref().take(MAX_NAMED_ACCOUNTS).collect();
        Self { accounts, omitted_accounts: names.count() as u64, ..self }
    }

    /// True if the process has missed two reports, and is late for the third.
    pub fn is_silent_after(&self, age: Duration) -> bool {
        age > Duration::from_secs(self.interval_seconds.clamp(1, 3600)) * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_silent_once_it_has_missed_two_reports() {
        let heartbeat = Heartbeat { interval_seconds: 5, ..Heartbeat::default() };
        assert!(!heartbeat.is_silent_after(Duration::from_secs(15)));
        assert!(heartbeat.is_silent_after(Duration::from_millis(15_001)));
    }

    #[test]
    fn a_report_has_room_for_any_number_of_accounts() {
        let names = (0..MAX_NAMED_ACCOUNTS + 7).map(|n| format!("account-{n}"));
        let heartbeat = Heartbeat::default().of_accounts(names);
        let counts = (heartbeat.accounts.len(), heartbeat.omitted_accounts);
        assert_eq!(counts, (MAX_NAMED_ACCOUNTS, 7));
    }

    #[test]
    fn a_report_of_another_version_is_read_as_far_as_it_is_known() {
        let other = r#"{"id":"a","roles":["worker"],"version":"9.0.0","moon":{"phase":3}}"#;
        let heartbeat: Heartbeat = serde_json::from_str(other).unwrap();
        assert_eq!((&*heartbeat.id, &*heartbeat.version, heartbeat.pid), ("a", "9.0.0", 0));
    }
}
