//! The trace of a history: all that happened, in order. Invariants read nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_sim::{Effect, Endpoint};
use ferry_store::{Accepted, Committed};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::Signal;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::{OperatorAction, State, StepKind, WaitingFor};

/// Number of a worker process; each start has a new one.
pub(crate) type WorkerNumber = usize;

/// Number of a submission, as the scenario plans them.
pub(crate) type SubmissionNumber = usize;

/// Number of an account.
pub(crate) type AccountNumber = usize;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A worker was started, crashed, suspended, woken, cut off from the store, or connected again.
    Worker(WorkerNumber, &'static str),
    /// The store was unreachable, or reachable again.
    Store(&'static str),
    /// All that the store has done so far is durable.
    Saved,
    /// The store went back to what was durable.
    WentBack,
    /// The wall clock stepped by so many seconds.
    ClockStepped(i64),
    /// The store accepted a submission.
    Accepted(SubmissionNumber),
    /// A producer submitted a dataset, with its own content or with another one, and knows the response,
    /// unless that was lost.
    Submitted {
        of: SubmissionNumber,
        is_own: bool,
        answer: Option<Answer>,
    },
    /// The store leased a step.
    Claimed {
        worker: WorkerNumber,
        of: SubmissionNumber,
        lease: LeaseFacts,
        ambiguous: bool,
        requests: usize,
    },
    /// The store answered a commit.
    Committed {
        worker: WorkerNumber,
        of: SubmissionNumber,
        lease: LeaseFacts,
        outcome: Committed,
        signal: Signal,
    },
    /// The store was given a step back.
    Released {
        of: SubmissionNumber,
        lease: LeaseFacts,
    },
    /// A worker got no response from the store.
    StoreCallLost {
        worker: WorkerNumber,
        call: &'static str,
        carried_out: bool,
    },
    /// The store made steps of lost workers due.
    Rescued(u64),
    /// A submission changed.
    Changed {
        of: SubmissionNumber,
        state: State,
        ambiguous: bool,
        token: Option<String>,
        why: String,
    },
    /// An operator did something to a submission.
    Operated(SubmissionNumber, OperatorAction),
    /// An operator paused, or resumed, an account.
    Paused(AccountNumber),
    Resumed(AccountNumber),
    /// A submission as the store explains it.
    Explained(Explained),
    /// A request left a worker.
    Sent {
        request: u64,
        worker: WorkerNumber,
        account: AccountNumber,
        endpoint: Endpoint,
        of: Option<SubmissionNumber>,
    },
    /// The Platform carried a request out.
    Arrived {
        request: u64,
        status: Option<u16>,
        effect: Effect,
        token: Option<String>,
    },
    /// A worker read the response to a request; without a status, it learned that there is none.
    Read {
        request: u64,
        status: Option<u16>,
        retry_after: Option<Duration>,
    },
    /// A receiver got a webhook about an outcome.
    Delivered {
        of: SubmissionNumber,
        state: State,
    },
    /// Faults end, all workers run, and operators resolve what is held.
    Calm,
}

/// The response of a store to a producer, with the number of the attempt whose id it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    New(usize),
    Duplicate(usize),
    Conflict(usize),
}

impl Answer {
    pub(crate) fn of(accepted: Accepted, attempt: impl Fn(Accepted) -> usize) -> Self {
        let number = attempt(accepted);
        match accepted {
            Accepted::New(_) => Self::New(number),
            Accepted::Duplicate(_) => Self::Duplicate(number),
            Accepted::Conflict(_) => Self::Conflict(number),
        }
    }
}

/// A submission as the store explains it, by the wall clock.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explained {
    pub(crate) of: SubmissionNumber,
    pub(crate) state: State,
    pub(crate) step: Option<StepKind>,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) leased_until: Option<Timestamp>,
    pub(crate) waiting_for: Option<WaitingFor>,
    /// The submission that it waits for.
    pub(crate) predecessor: Option<SubmissionNumber>,
    pub(crate) now: Timestamp,
}

/// Identity of a lease: the number of its claim, counted by the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseFacts {
    pub(crate) kind: StepKind,
    pub(crate) claim: usize,
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) event: Event,
    /// True if the store forgot it, because it went back.
    pub(crate) is_undone: bool,
}

/// Wishes of a producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) account: AccountNumber,
    pub(crate) name: String,
    pub(crate) overwrite: bool,
    pub(crate) has_webhook: bool,
    /// True if the Platform finds nothing wrong with its dataset.
    pub(crate) is_valid: bool,
}

/// A submission as the store had it at the end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Last {
    pub(crate) state: State,
    /// True if a step of it is due, now or later.
    pub(crate) is_due: bool,
    /// By result key, the stored bytes and those that the Platform computes.
    pub(crate) results: BTreeMap<String, (Option<Vec<u8>>, Vec<u8>)>,
    /// Its states, as the stream of events has them.
    pub(crate) events: Vec<State>,
    /// Its states, as its timeline has them.
    pub(crate) timeline: Vec<State>,
    /// True if its log says why a receiver does not learn of the outcome.
    pub(crate) says_undelivered: bool,
}

/// All that invariants know of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trace {
    pub(crate) entries: Vec<Entry>,
    /// By number of the submission.
    pub(crate) facts: Vec<Fact>,
    /// Limits of each account.
    pub(crate) limits: AccountLimits,
    /// True if an ambiguous upload may be repeated with permission to overwrite.
    pub(crate) policy_overwrites: bool,
    /// The submissions at the end, by number; `None` for one that the store does not have.
    pub(crate) last: Vec<Option<Last>>,
    /// Submissions by account and state, as the store counts them at the end.
    pub(crate) counts: BTreeMap<(AccountNumber, State), u64>,
}

impl Trace {
    /// The entries that the store has not forgotten.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.is_undone)
    }

    /// Account and name of a submission.
    pub(crate) fn name(&self, of: SubmissionNumber) -> (AccountNumber, &str) {
        (self.facts[of].account, &self.facts[of].name)
    }
}
