//! Contents of a store in numbers, and what it says about itself.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_types::domain::account::Health;
use ferry_types::domain::submission::{State, StepKind};

/// Number of steps of one kind and one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepStats {
    /// The account.
    pub account: String,
    /// The kind of step.
    pub kind: StepKind,
    /// Due; they wait for a worker, a blocked account, or a predecessor.
    pub ready: u64,
    /// Those of the ready steps that do not wait for a predecessor.
    pub runnable: u64,
    /// Those of the ready and scheduled steps that do: only its end makes them run.
    pub behind: u64,
    /// Due later.
    pub scheduled: u64,
    /// With a worker.
    pub running: u64,
    /// Duration for which the oldest of the ready steps has been due.
    pub oldest_ready: Option<Duration>,
    /// The same of the runnable ones.
    pub oldest_runnable: Option<Duration>,
}

impl StepStats {
    /// Number of steps that probe the Platform by themselves. One behind a predecessor does not: the
    /// predecessor may be held.
    pub fn probes(&self) -> u64 {
        let all = self.ready + self.scheduled + self.running;
        if self.kind.calls_platform() { all.saturating_sub(self.behind) } else { 0 }
    }

    /// Stats of an account without a step of the kind.
    pub fn none(account: &str, kind: StepKind) -> Self {
        let account = account.to_owned();
        let (ready, runnable, behind, scheduled, running) = (0, 0, 0, 0, 0);
        let (oldest_ready, oldest_runnable) = (None, None);
        Self {
            account,
            kind,
            ready,
            runnable,
            behind,
            scheduled,
            running,
            oldest_ready,
            oldest_runnable,
        }
    }
}

/// An account as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStats {
    /// Its short name.
    pub account: String,
    /// Its health.
    pub health: Health,
    /// Submissions by state; states without any are left out.
    pub states: BTreeMap<State, u64>,
}

/// Contents of the store in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// By account and step.
    pub steps: Vec<StepStats>,
    /// By account.
    pub accounts: Vec<AccountStats>,
}

impl Stats {
    /// The submissions in `state`, of all accounts.
    pub fn count(&self, state: State) -> u64 {
        self.accounts.iter().filter_map(|account| account.states.get(&state)).sum()
    }

    /// The submissions that are not final and not held: those that workers still have to do with.
    pub fn unfinished(&self) -> u64 {
        let states = State::ALL.into_iter().filter(|s| !s.is_final() && *s != State::Held);
        states.map(|state| self.count(state)).sum()
    }
}

/// The memory, the append-only file and the replicas of a Redis server, as it reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerState {
    /// Bytes that it uses.
    pub memory: u64,
    /// Bytes that it may use; none if they are not limited.
    pub memory_limit: Option<u64>,
    /// Bytes of its append-only file; none if it writes none, or could not write it.
    pub aof: Option<u64>,
    /// Connected replicas.
    pub replicas: u64,
    /// Bytes by which the last of them is behind.
    pub replica_lag: u64,
}

/// Something that `ferry doctor` has to say about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// True if the check passed.
    pub ok: bool,
    /// Subject of the check and the finding.
    pub text: String,
    /// Way out. A note if `ok`: something could not be checked.
    pub hint: Option<String>,
}
