//! A store that counts how long another one takes, and how it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::metrics::{Metrics, Operation, StoreErrorKind};
use ferry_store::{
    Accepted, CheckResult, Claim, ClaimRequest, Claims, Commit, Committed, Continuity, Cursor,
    Events, Filter, Lease, Loss, NewSubmission, Page, Payload, Rescued, Standing, Stats, Store,
    StoreError, SubmissionDetail, Wakeups,
};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{Resolution, TimelineEntry};

/// Counts the calls of a store and passes them on.
#[derive(Debug)]
pub struct InstrumentedStore {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl InstrumentedStore {
    /// Counts the calls of `store`.
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    async fn count<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let response = call.await;
        self.metrics.store_operation(operation, started.elapsed());
        if let Err(error) = &response {
            self.metrics.store_error(kind_of(error));
        }
        response
    }
}

fn kind_of(error: &StoreError) -> StoreErrorKind {
    match error {
        StoreError::NotFound(_) => StoreErrorKind::NotFound,
        StoreError::UnknownAccount(_) => StoreErrorKind::UnknownAccount,
        StoreError::NotAllowed(_) | StoreError::Taken(_) | StoreError::TooLarge(_) => {
            StoreErrorKind::NotAllowed
        }
        StoreError::Damaged { .. } | StoreError::Unusable(_) => StoreErrorKind::Unusable,
        StoreError::WriteRefused { .. } | StoreError::Unavailable { .. } => {
            StoreErrorKind::Unavailable
        }
    }
}

#[async_trait]
impl Store for InstrumentedStore {
    fn location(&self) -> String {
        self.store.location()
    }

    fn wakeups(&self) -> &Wakeups {
        self.store.wakeups()
    }

    fn continuity(&self) -> &Continuity {
        self.store.continuity()
    }

    async fn look(&self) -> Result<Standing, StoreError> {
        self.count(Operation::Read, self.store.look()).await
    }

    async fn report_loss(&self, loss: &Loss) -> Result<(), StoreError> {
        self.count(Operation::Operate, self.store.report_loss(loss)).await
    }

    async fn acknowledge_loss(&self) -> Result<(), StoreError> {
        self.count(Operation::Operate, self.store.acknowledge_loss()).await
    }

    async fn accept(&self, batch: Vec<NewSubmission>) -> Result<Vec<Accepted>, StoreError> {
        self.count(Operation::Accept, self.store.accept(batch)).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError> {
        self.count(Operation::Claim, self.store.claim(request)).await
    }

    async fn commit(&self, batch: Vec<Commit>) -> Result<Vec<Committed>, StoreError> {
        self.count(Operation::Commit, self.store.commit(batch)).await
    }

    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<bool>, StoreError> {
        self.count(Operation::Renew, self.store.renew(leases, lease)).await
    }

    async fn release(&self, claims: Vec<Claim>) -> Result<(), StoreError> {
        self.count(Operation::Release, self.store.release(claims)).await
    }

    async fn rescue(&self) -> Result<Rescued, StoreError> {
        self.count(Operation::Rescue, self.store.rescue()).await
    }

    async fn payload(&self, id: SubmissionId) -> Result<Payload, StoreError> {
        self.count(Operation::Payload, self.store.payload(id)).await
    }

    async fn content(&self, id: SubmissionId, key: &str) -> Result<Option<Content>, StoreError> {
        self.count(Operation::Content, self.store.content(id, key)).await
    }

    async fn get(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
        self.count(Operation::Read, self.store.get(id)).await
    }

    async fn timeline(&self, id: SubmissionId) -> Result<Vec<TimelineEntry>, StoreError> {
        self.count(Operation::Read, self.store.timeline(id)).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Events, StoreError> {
        self.count(Operation::Read, self.store.events(after, limit)).await
    }

    async fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.count(Operation::Read, self.store.list(filter, after, limit)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.count(Operation::Stats, self.store.stats()).await
    }

    async fn pause(&self, account: &str, reason: &str) -> Result<(), StoreError> {
        self.count(Operation::Operate, self.store.pause(account, reason)).await
    }

    async fn resume(&self, account: &str) -> Result<bool, StoreError> {
        self.count(Operation::Operate, self.store.resume(account)).await
    }

    async fn cancel(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.cancel(id)).await
    }

    async fn retry(
        &self,
        id: SubmissionId,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.retry(id, deadline)).await
    }

    async fn refetch(
        &self,
        id: SubmissionId,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.refetch(id, deadline)).await
    }

    async fn resolve(
        &self,
        id: SubmissionId,
        resolution: Resolution,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.resolve(id, resolution, deadline)).await
    }

    async fn declare_ambiguous(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.declare_ambiguous(id)).await
    }

    async fn redeliver(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.redeliver(id)).await
    }

    async fn sweep(&self, retention: Duration) -> Result<u64, StoreError> {
        self.count(Operation::Sweep, self.store.sweep(retention)).await
    }

    async fn probe_write(&self) -> Result<(), StoreError> {
        self.count(Operation::Check, self.store.probe_write()).await
    }

    async fn check(&self) -> Result<Vec<CheckResult>, StoreError> {
        self.count(Operation::Check, self.store.check()).await
    }
}
