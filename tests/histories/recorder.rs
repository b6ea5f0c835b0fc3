//! Records the trace of a history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use ferry_store::{ClaimId, Committed, Lease};
use ferry_types::domain::SubmissionId;

use crate::time::Time;
use crate::trace::{Entry, Event, LeaseFacts, SubmissionNumber, WorkerNumber};

/// Records a trace; clones record the same one.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    time: Time,
    records: Arc<Mutex<Records>>,
}

#[derive(Debug, Default)]
struct Records {
    entries: Vec<Entry>,
    /// Leases that the store gave to workers, in order. The number of a claim is its place: whatever a store takes
    /// for the identity of a lease, each is a claim of its own.
    claims: Vec<(WorkerNumber, Lease)>,
    /// Leases of commits of which the response was lost: they are known to be done.
    repeated: BTreeSet<(SubmissionId, ClaimId)>,
    /// Submissions by the processing token of an upload.
    tokens: BTreeMap<String, SubmissionNumber>,
}

impl Recorder {
    pub(crate) fn new(time: Time) -> Self {
        Self { time, records: Arc::default() }
    }

    pub(crate) fn record(&self, event: Event) {
        let entry = Entry { at: self.time.elapsed(), event, is_undone: false };
        self.records().entries.push(entry);
    }

    /// The store went back: what it did since it was saved counts as undone.
    pub(crate) fn undo(&self) {
        let mut records = self.records();
        for entry in records.entries.iter_mut().rev() {
            if matches!(entry.event, Event::Saved) {
                break;
            }
            entry.is_undone |= matches!(
                entry.event,
                Event::Claimed { .. }
                    | Event::Committed { .. }
                    | Event::Released { .. }
                    | Event::Rescued(_)
                    | Event::Changed { .. }
                    | Event::Explained(_)
            );
        }
    }

    /// The store gives a step to a worker.
    pub(crate) fn claimed(&self, worker: WorkerNumber, lease: &Lease) -> LeaseFacts {
        self.records().claims.push((worker, *lease));
        self.lease(worker, lease)
    }

    /// The newest claim of a worker that has this lease.
    pub(crate) fn lease(&self, worker: WorkerNumber, lease: &Lease) -> LeaseFacts {
        let claim = self.records().claims.iter().rposition(|known| *known == (worker, *lease));
        LeaseFacts { kind: lease.kind, claim: claim.expect("a worker has what it claimed") }
    }

    /// The response to a commit was lost: the worker repeats it.
    pub(crate) fn repeats(&self, lease: &Lease) {
        self.records().repeated.insert((lease.id, lease.claimed_by));
    }

    /// True for the response to a commit that was done, and recorded, before.
    pub(crate) fn is_repeated(&self, lease: &Lease, outcome: &Committed) -> bool {
        let is_repeated = self.records().repeated.remove(&(lease.id, lease.claimed_by));
        is_repeated && matches!(outcome, Committed::Done(..))
    }

    pub(crate) fn stored(&self, token: &str, of: SubmissionNumber) {
        self.records().tokens.insert(token.to_owned(), of);
    }

    pub(crate) fn of_token(&self, token: &str) -> Option<SubmissionNumber> {
        self.records().tokens.get(token).copied()
    }

    /// Takes the recorded entries, at the end.
    pub(crate) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.records().entries)
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("no test has panicked")
    }
}
