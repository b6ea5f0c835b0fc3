//! The store as one worker reaches it: each call of a step is a pending call of the history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ferry_store::memory::MemoryStore;
use ferry_store::{
    Accepted, CheckResult, Claim, ClaimRequest, Claims, Commit, Committed, Continuity, Cursor,
    Events, Filter, Lease, Loss, NewSubmission, Page, Payload, Rescued, Standing, Stats, Store,
    StoreError, SubmissionDetail, Wakeups,
};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{Resolution, TimelineEntry};
use futures_util::FutureExt;

use crate::calls::{Calls, Destination};
use crate::planted::Saboteur;
use crate::trace::{Event, Recorder, SubmissionNumber, WorkerNumber};

/// Numbers of the submissions by id.
pub(crate) type Numbers = Arc<BTreeMap<SubmissionId, SubmissionNumber>>;

/// The store of one worker.
#[derive(Debug)]
pub(crate) struct WorkerStore {
    pub(crate) worker: WorkerNumber,
    pub(crate) inner: MemoryStore,
    pub(crate) calls: Calls,
    pub(crate) recorder: Recorder,
    pub(crate) numbers: Numbers,
    pub(crate) saboteur: Arc<Saboteur>,
    pub(crate) wakeups: Wakeups,
}

type Answer<T> = Result<T, StoreError>;

/// The result of a call of the store in memory, which never waits.
pub(crate) fn at_once<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never().expect("the store in memory answers at once")
}

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
}

#[async_trait]
impl Store for WorkerStore {
    async fn claim(&self, request: ClaimRequest) -> Answer<Claims> {
        let (inner, worker, recorder) = (self.inner.clone(), self.worker, self.recorder.clone());
        let (numbers, saboteur) = (self.numbers.clone(), self.saboteur.clone());
        let claim = move || {
            let mut claims = at_once(inner.claim(request)).expect("it never fails");
            for claim in &mut claims.claims {
                saboteur.claimed(claim);
                recorder.record(Event::Claimed {
                    worker,
                    of: numbers[&claim.lease.id],
                    lease: (&claim.lease).into(),
                    ambiguous: claim.submission.upload_ambiguous,
                });
            }
            let touched = claims.claims.iter().map(|claim| claim.lease.id).collect();
            (Ok(claims), touched)
        };
        self.call("claim", claim).await
    }

    async fn commit(&self, batch: Vec<Commit>) -> Answer<Vec<Committed>> {
        let (inner, worker, recorder) = (self.inner.clone(), self.worker, self.recorder.clone());
        let (numbers, saboteur) = (self.numbers.clone(), self.saboteur.clone());
        let commit = move || {
            let touched = batch.iter().map(|commit| commit.lease.id).collect();
            let mut given = batch.clone();
            for commit in &mut given {
                saboteur.committing(commit);
            }
            let outcomes = at_once(inner.commit(given)).expect("it never fails");
            for (commit, outcome) in batch.iter().zip(&outcomes) {
                let (of, lease) = (numbers[&commit.lease.id], (&commit.lease).into());
                let outcome = outcome.clone();
                recorder.record(Event::Committed { worker, of, lease, outcome });
            }
            (Ok(outcomes), touched)
        };
        self.call("commit", commit).await
    }

    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Answer<Vec<bool>> {
        let inner = self.inner.clone();
        self.call("renew", move || (at_once(inner.renew(leases, lease)), Vec::new())).await
    }

    async fn release(&self, claims: Vec<Claim>) -> Answer<()> {
        let inner = self.inner.clone();
        let touched = claims.iter().map(|claim| claim.lease.id).collect();
        self.call("release", move || (at_once(inner.release(claims)), touched)).await
    }

    async fn rescue(&self) -> Answer<Rescued> {
        let (inner, recorder) = (self.inner.clone(), self.recorder.clone());
        let numbers = self.numbers.clone();
        let rescue = move || {
            let rescued = at_once(inner.rescue()).expect("it never fails");
            if rescued == Rescued::default() {
                return (Ok(rescued), Vec::new());
            }
            recorder.record(Event::Rescued(rescued.due + rescued.held + rescued.cancelled));
            (Ok(rescued), numbers.keys().copied().collect())
        };
        self.call("rescue", rescue).await
    }

    async fn payload(&self, id: SubmissionId) -> Answer<Payload> {
        let inner = self.inner.clone();
        self.call("payload", move || (at_once(inner.payload(id)), Vec::new())).await
    }

    async fn sweep(&self, retention: Duration) -> Answer<u64> {
        self.inner.sweep(retention).await
    }

    fn wakeups(&self) -> &Wakeups {
        &self.wakeups
    }

    // No step calls what follows.

    fn location(&self) -> String {
        self.inner.location()
    }

    async fn accept(&self, batch: Vec<NewSubmission>) -> Answer<Vec<Accepted>> {
        self.inner.accept(batch).await
    }

    fn continuity(&self) -> &Continuity {
        self.inner.continuity()
    }

    async fn look(&self) -> Answer<Standing> {
        self.inner.look().await
    }

    async fn report_loss(&self, loss: &Loss) -> Answer<()> {
        self.inner.report_loss(loss).await
    }

    async fn acknowledge_loss(&self) -> Answer<()> {
        self.inner.acknowledge_loss().await
    }

    async fn content(&self, id: SubmissionId, key: &str) -> Answer<Option<Content>> {
        self.inner.content(id, key).await
    }

    async fn get(&self, id: SubmissionId) -> Answer<Option<SubmissionDetail>> {
        self.inner.get(id).await
    }

    async fn timeline(&self, id: SubmissionId) -> Answer<Vec<TimelineEntry>> {
        self.inner.timeline(id).await
    }

    async fn events(&self, after: u64, limit: usize) -> Answer<Events> {
        self.inner.events(after, limit).await
    }

    async fn list(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Answer<Page> {
        self.inner.list(filter, after, limit).await
    }

    async fn stats(&self) -> Answer<Stats> {
        self.inner.stats().await
    }

    async fn pause(&self, account: &str, reason: &str) -> Answer<()> {
        self.inner.pause(account, reason).await
    }

    async fn resume(&self, account: &str) -> Answer<bool> {
        self.inner.resume(account).await
    }

    async fn cancel(&self, id: SubmissionId) -> Answer<SubmissionDetail> {
        self.inner.cancel(id).await
    }

    async fn retry(&self, id: SubmissionId, deadline: Duration) -> Answer<SubmissionDetail> {
        self.inner.retry(id, deadline).await
    }

    async fn refetch(&self, id: SubmissionId, deadline: Duration) -> Answer<SubmissionDetail> {
        self.inner.refetch(id, deadline).await
    }

    async fn resolve(
        &self,
        id: SubmissionId,
        resolution: Resolution,
        deadline: Duration,
    ) -> Answer<SubmissionDetail> {
        self.inner.resolve(id, resolution, deadline).await
    }

    async fn declare_ambiguous(&self, id: SubmissionId) -> Answer<SubmissionDetail> {
        self.inner.declare_ambiguous(id).await
    }

    async fn redeliver(&self, id: SubmissionId) -> Answer<SubmissionDetail> {
        self.inner.redeliver(id).await
    }

    async fn probe_write(&self) -> Answer<()> {
        self.inner.probe_write().await
    }

    async fn check(&self) -> Answer<Vec<CheckResult>> {
        self.inner.check().await
    }
}
