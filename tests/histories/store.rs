//! The store as one worker reaches it: each call of a step is a pending call of the history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ferry_store::{
    Accepted, CheckResult, Claim, ClaimRequest, Claims, Commit, Committed, Continuity, Cursor,
    Events, Filter, Lease, Loss, NewSubmission, Page, Payload, Rescued, Standing, Stats, Store,
    StoreError, StoredProcesses, SubmissionDetail, Wakeups,
};
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{OperatorAction, Submission, TimelineEntry};
use ferry_types::domain::{Heartbeat, SubmissionId};

use crate::backing::Backing;
use crate::calls::{Calls, Destination};
use crate::planted::Saboteur;
use crate::recorder::Recorder;
use crate::trace::{Event, SubmissionNumber, WorkerNumber};

/// Numbers of the submissions by id.
pub(crate) type Numbers = Arc<BTreeMap<SubmissionId, SubmissionNumber>>;

/// A store that a process has opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) backing: Arc<Backing>,
}

impl Opened {
    pub(crate) fn new(backing: &Arc<Backing>, machine: usize) -> Self {
        Self { store: backing.open(machine), backing: backing.clone() }
    }

    /// The submissions before a commit of which the response will be lost.
    fn states_if_losing(&self, ids: &[SubmissionId]) -> Vec<Option<Submission>> {
        if !self.backing.is_losing() {
            return Vec::new();
        }
        let get = |id: &SubmissionId| self.run(self.store.get(*id)).ok().flatten();
        ids.iter().map(|id| get(id).map(|detail| detail.submission)).collect()
    }

    /// Outcomes of the commits. Nothing else changes the submissions meanwhile.
    fn outcomes_of_lost(
        &self,
        ids: &[SubmissionId],
        before: Vec<Option<Submission>>,
    ) -> Vec<Committed> {
        let after = self.states_if_losing(ids);
        let outcome = |pair: (Option<Submission>, Option<Submission>)| match pair {
            (Some(before), Some(after)) if before != after => {
                Committed::Done(before.state, after.state)
            }
            _ => Committed::Stale,
        };
        before.into_iter().zip(after).map(outcome).collect()
    }

    /// Waits for a call.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.backing.run(call)
    }
}

/// The store of one worker.
#[derive(Debug)]
pub(crate) struct WorkerStore {
    pub(crate) worker: WorkerNumber,
    pub(crate) inner: Opened,
    pub(crate) calls: Calls,
    pub(crate) recorder: Recorder,
    pub(crate) numbers: Numbers,
    pub(crate) saboteur: Arc<Saboteur>,
    pub(crate) wakeups: Wakeups,
}

type Answer<T> = Result<T, StoreError>;

impl WorkerStore {
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> (Answer<T>, Vec<SubmissionId>) + Send + 'static,
    ) -> Answer<T> {
        let (worker, recorder) = (self.worker, self.recorder.clone());
        let lost = move |carried_out| {
            recorder.record(Event::StoreCallLost { worker, call: what, carried_out });
            Err(StoreError::Unavailable { location: "memory".into(), cause: "no response".into() })
        };
        self.calls.call(worker, Destination::Store(what), |_| work(), lost).await
    }

    fn claimed(&self) -> impl FnMut(&mut Claim) + use<> {
        let (worker, recorder) = (self.worker, self.recorder.clone());
        let (numbers, saboteur) = (self.numbers.clone(), self.saboteur.clone());
        move |claim| {
            saboteur.claimed(claim);
            recorder.record(Event::Claimed {
                worker,
                of: numbers[&claim.lease.id],
                lease: recorder.claimed(worker, &claim.lease),
                ambiguous: claim.submission.upload_ambiguous,
                requests: claim.submission.requests(claim.kind),
            });
        }
    }
}

#[async_trait]
impl Store for WorkerStore {
    async fn claim(&self, mut request: ClaimRequest) -> Answer<Claims> {
        let (inner, mut claimed) = (self.inner.clone(), self.claimed());
        self.saboteur.claiming(&mut request);
        let claim = move || {
            let claims = inner.run(inner.store.claim(request));
            let Ok(mut claims) = claims else { return (claims, Vec::new()) };
            claims.claims.iter_mut().for_each(&mut claimed);
            let touched = claims.claims.iter().map(|claim| claim.lease.id).collect();
            (Ok(claims), touched)
        };
        self.call("claim", claim).await
    }

    async fn commit(&self, batch: Vec<Commit>) -> Answer<Vec<Committed>> {
        let (inner, worker, recorder) = (self.inner.clone(), self.worker, self.recorder.clone());
        let (numbers, saboteur) = (self.numbers.clone(), self.saboteur.clone());
        let commit = move || {
            let touched: Vec<_> = batch.iter().map(|commit| commit.lease.id).collect();
            if touched.iter().collect::<BTreeSet<_>>().len() < touched.len() {
                // How a submission changed does not say which of two commits did it.
                inner.backing.lose_no_response();
            }
            let given = saboteur.committing(&batch);
            let before = inner.states_if_losing(&touched);
            let outcomes = inner.run(inner.store.commit(given));
            let lost = inner.outcomes_of_lost(&touched, before);
            for lease in batch.iter().zip(&lost).map(|(commit, _)| &commit.lease) {
                recorder.repeats(lease);
            }
            let known = outcomes.as_deref().unwrap_or(&lost);
            for (commit, outcome) in batch.iter().zip(known) {
                if outcomes.is_ok() && recorder.is_repeated(&commit.lease, outcome) {
                    continue;
                }
                recorder.record(Event::Committed {
                    worker,
                    of: numbers[&commit.lease.id],
                    lease: recorder.lease(worker, &commit.lease),
                    outcome: outcome.clone(),
                    signal: commit.transition.signal.clone(),
                });
            }
            saboteur.committed(&batch);
            (outcomes, touched)
        };
        self.call("commit", commit).await
    }

    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Answer<Vec<bool>> {
        let inner = self.inner.clone();
        self.call("renew", move || (inner.run(inner.store.renew(leases, lease)), Vec::new())).await
    }

    async fn release(&self, claims: Vec<Claim>) -> Answer<()> {
        let (inner, worker, recorder) = (self.inner.clone(), self.worker, self.recorder.clone());
        let numbers = self.numbers.clone();
        let release = move || {
            let touched: Vec<_> = claims.iter().map(|claim| claim.lease.id).collect();
            let leases: Vec<_> = claims.iter().map(|claim| claim.lease).collect();
            let released = inner.run(inner.store.release(claims));
            for lease in leases.iter().filter(|_| released.is_ok() || inner.backing.is_losing()) {
                let (of, lease) = (numbers[&lease.id], recorder.lease(worker, lease));
                recorder.record(Event::Released { of, lease });
            }
            (released, touched)
        };
        self.call("release", release).await
    }

    async fn rescue(&self) -> Answer<Rescued> {
        let (inner, recorder) = (self.inner.clone(), self.recorder.clone());
        let (numbers, saboteur) = (self.numbers.clone(), self.saboteur.clone());
        let rescue = move || {
            if !saboteur.rescues() {
                return (Ok(Rescued::default()), Vec::new());
            }
            let rescued = inner.run(inner.store.rescue());
            let Some(found) = rescued.clone().ok().filter(|found| *found != Rescued::default())
            else {
                return (rescued, Vec::new());
            };
            recorder.record(Event::Rescued(found.due + found.held + found.cancelled));
            (rescued, numbers.keys().copied().collect())
        };
        self.call("rescue", rescue).await
    }

    /// Another process rescues, which was in contact with the store all the time.
    async fn rescue_ended(&self) -> Answer<Rescued> {
        self.rescue().await
    }

    async fn payload(&self, id: SubmissionId) -> Answer<Payload> {
        let inner = self.inner.clone();
        self.call("payload", move || (inner.run(inner.store.payload(id)), Vec::new())).await
    }

    async fn sweep(&self, _: Duration) -> Answer<u64> {
        // Nothing in a history is as old as that.
        Ok(0)
    }

    fn wakeups(&self) -> &Wakeups {
        &self.wakeups
    }

    // No step calls what follows.

    fn location(&self) -> String {
        self.inner.store.location()
    }

    async fn accept(&self, batch: Vec<NewSubmission>) -> Answer<Vec<Accepted>> {
        self.inner.store.accept(batch).await
    }

    fn continuity(&self) -> &Continuity {
        self.inner.store.continuity()
    }

    async fn look(&self) -> Answer<Standing> {
        let inner = self.inner.clone();
        self.call("look", move || (inner.run(inner.store.look()), Vec::new())).await
    }

    async fn beat(&self, heartbeat: Heartbeat) -> Answer<()> {
        self.inner.store.beat(heartbeat).await
    }

    async fn end_process(&self, id: &str) -> Answer<()> {
        self.inner.store.end_process(id).await
    }

    async fn processes(&self) -> Answer<StoredProcesses> {
        self.inner.store.processes().await
    }

    async fn report_loss(&self, loss: &Loss) -> Answer<()> {
        self.inner.store.report_loss(loss).await
    }

    async fn acknowledge_loss(&self) -> Answer<()> {
        self.inner.store.acknowledge_loss().await
    }

    async fn content(&self, id: SubmissionId, key: &str) -> Answer<Option<Content>> {
        self.inner.store.content(id, key).await
    }

    async fn get(&self, id: SubmissionId) -> Answer<Option<SubmissionDetail>> {
        self.inner.store.get(id).await
    }

    async fn timeline(&self, id: SubmissionId) -> Answer<Vec<TimelineEntry>> {
        self.inner.store.timeline(id).await
    }

    async fn events(&self, after: u64, limit: usize) -> Answer<Events> {
        self.inner.store.events(after, limit).await
    }

    async fn list(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Answer<Page> {
        self.inner.store.list(filter, after, limit).await
    }

    async fn stats(&self) -> Answer<Stats> {
        self.inner.store.stats().await
    }

    async fn stats_of(&self, account: &str) -> Answer<Stats> {
        self.inner.store.stats_of(account).await
    }

    async fn pause(&self, account: &str, reason: &str) -> Answer<()> {
        self.inner.store.pause(account, reason).await
    }

    async fn resume(&self, account: &str) -> Answer<bool> {
        self.inner.store.resume(account).await
    }

    async fn operate(
        &self,
        id: SubmissionId,
        action: OperatorAction,
        deadline: Duration,
    ) -> Answer<SubmissionDetail> {
        self.inner.store.operate(id, action, deadline).await
    }

    async fn declare_ambiguous(&self, id: SubmissionId) -> Answer<SubmissionDetail> {
        self.inner.store.declare_ambiguous(id).await
    }

    async fn probe_write(&self) -> Answer<()> {
        self.inner.store.probe_write().await
    }

    async fn check(&self) -> Answer<Vec<CheckResult>> {
        self.inner.store.check().await
    }
}
