//! The trace of a history: all that happened, in order. Invariants read nothing else.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferry_sim::{Effect, Endpoint};
use ferry_store::{ClaimId, Committed, Lease};
use ferry_types::domain::submission::{Resolution, State, StepKind};

use crate::time::Time;

/// Number of a worker process; each start has a new one.
pub(crate) type WorkerNumber = usize;

/// Number of a submission, in the order of acceptance.
pub(crate) type SubmissionNumber = usize;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A worker was started, crashed, suspended, woken, cut off from the store, or connected again.
    Worker(WorkerNumber, &'static str),
    /// The store accepted a submission, and the producer has the response.
    Accepted(SubmissionNumber),
    /// The store leased a step.
    Claimed {
        worker: WorkerNumber,
        of: SubmissionNumber,
        lease: LeaseFacts,
        ambiguous: bool,
    },
    /// The store answered a commit.
    Committed {
        worker: WorkerNumber,
        of: SubmissionNumber,
        lease: LeaseFacts,
        outcome: Committed,
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
    /// An operator cancelled or resolved a submission.
    Cancelled(SubmissionNumber),
    Resolved(SubmissionNumber, Resolution),
    /// An operator resumed the account.
    Resumed,
    /// A request left a worker.
    Sent {
        request: u64,
        worker: WorkerNumber,
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
    /// Faults end, all workers run, and operators resolve what is held.
    Calm,
}

/// Identity of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseFacts {
    pub(crate) kind: StepKind,
    pub(crate) fence: u64,
    pub(crate) claimed_by: ClaimId,
}

impl From<&Lease> for LeaseFacts {
    fn from(lease: &Lease) -> Self {
        Self { kind: lease.kind, fence: lease.fence, claimed_by: lease.claimed_by }
    }
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) event: Event,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {:?}", self.at.as_secs_f64(), self.event)
    }
}

/// A submission as the store had it at the end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Last {
    pub(crate) state: State,
    pub(crate) is_cancelling: bool,
    pub(crate) result: Option<Vec<u8>>,
    pub(crate) expected_result: Vec<u8>,
}

/// All that invariants know of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trace {
    pub(crate) entries: Vec<Entry>,
    /// Names of the submissions, by number.
    pub(crate) names: Vec<String>,
    /// The submissions at the end, by number; `None` for one that the store does not have.
    pub(crate) last: Vec<Option<Last>>,
}

/// Records a trace; clones record the same one.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    time: Time,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Recorder {
    pub(crate) fn new(time: Time) -> Self {
        Self { time, entries: Arc::default() }
    }

    pub(crate) fn record(&self, event: Event) {
        let entry = Entry { at: self.time.elapsed(), event };
        self.entries.lock().expect("no test has panicked").push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().expect("no test has panicked").clone()
    }
}
