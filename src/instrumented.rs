//! A store that counts how long another one takes, and how it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::metrics::{Counter, Histogram, Metrics, label, metrics};
use crate::store_failures::StoreFailures;
use ferry_store::{
    Accepted, CheckResult, Claim, ClaimRequest, Claims, Commit, Committed, Continuity, Cursor,
    Events, Filter, Lease, Loss, NewSubmission, Page, Payload, Rescued, ServerState, Standing,
    Stats, Store, StoreError, StoredProcesses, SubmissionDetail, Wakeups,
};
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{OperatorAction, TimelineEntry};
use ferry_types::domain::{Heartbeat, SubmissionId};

const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

metrics! {
    /// The metrics of the operations of a store.
    pub struct StoreMetrics {
        /// Durations of store operations, in seconds.
        durations: Histogram<Operation> = "ferry_store_operation_duration_seconds" in SECONDS;
        /// Failed store operations, by kind of error.
        errors: Counter<StoreErrorKind> = "ferry_store_errors_total";
    }
}

label! {
    /// A call of the store.
    pub enum Operation: "operation" {
        /// `Store::accept`.
        Accept = "accept",
        /// `Store::claim`.
        Claim = "claim",
        /// `Store::commit`.
        Commit = "commit",
        /// `Store::renew`.
        Renew = "renew",
        /// `Store::release`.
        Release = "release",
        /// `Store::rescue`.
        Rescue = "rescue",
        /// `Store::payload`.
        Payload = "payload",
        /// `Store::content`.
        Content = "content",
        /// `Store::get`, `Store::timeline`, `Store::list`, `Store::events` and `Store::processes`.
        Read = "read",
        /// `Store::stats`.
        Stats = "stats",
        /// An operator's request: pause, resume, cancel, retry, resolve, redeliver.
        Operate = "operate",
        /// `Store::sweep`.
        Sweep = "sweep",
        /// `Store::beat` and `Store::end_process`.
        Heartbeat = "heartbeat",
        /// `Store::check`.
        Check = "check",
    }
}

impl Operation {
    /// True if it may fail because of the submission that is meant.
    const fn is_of_one_submission(self) -> bool {
        matches!(self, Self::Accept | Self::Payload | Self::Content | Self::Read | Self::Operate)
    }
}

label! {
    /// The kind of error of a call of the store.
    pub enum StoreErrorKind: "kind" {
        /// The submission does not exist.
        NotFound = "not_found",
        /// The account does not exist.
        UnknownAccount = "unknown_account",
        /// The submission's state does not allow it.
        NotAllowed = "not_allowed",
        /// The data cannot be used.
        Unusable = "unusable",
        /// The store could not be reached, or failed.
        Unavailable = "unavailable",
    }
}

/// Counts the calls of a store and passes them on.
#[derive(Debug)]
pub struct InstrumentedStore {
    store: Arc<dyn Store>,
    metrics: Arc<StoreMetrics>,
    failures: StoreFailures,
}

impl InstrumentedStore {
    /// Counts the calls of `store`, and records in `failures` those that it could not serve.
    pub fn new(store: Arc<dyn Store>, metrics: &Metrics, failures: StoreFailures) -> Self {
        Self { store, metrics: metrics.of(), failures }
    }

    async fn count<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let response = call.await;
        self.metrics.durations.observe(operation, started.elapsed().as_secs_f64());
        if let Err(error) = &response {
            self.metrics.errors.inc(kind_of(error));
        }
        match &response {
            Err(error) if error.is_of_store() || !operation.is_of_one_submission() => {
                self.failures.failed(operation.as_str(), error);
            }
            _ => self.failures.worked(operation.as_str()),
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
        StoreError::NotWritable { .. } | StoreError::Unavailable { .. } => {
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

    async fn rescue_ended(&self) -> Result<Rescued, StoreError> {
        self.count(Operation::Rescue, self.store.rescue_ended()).await
    }

    fn notices_ended_processes(&self) -> bool {
        self.store.notices_ended_processes()
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

    async fn stats_of(&self, account: &str) -> Result<Stats, StoreError> {
        self.count(Operation::Stats, self.store.stats_of(account)).await
    }

    async fn pause(&self, account: &str, reason: &str) -> Result<(), StoreError> {
        self.count(Operation::Operate, self.store.pause(account, reason)).await
    }

    async fn resume(&self, account: &str) -> Result<bool, StoreError> {
        self.count(Operation::Operate, self.store.resume(account)).await
    }

    async fn operate(
        &self,
        id: SubmissionId,
        action: OperatorAction,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.operate(id, action, deadline)).await
    }

    async fn declare_ambiguous(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.count(Operation::Operate, self.store.declare_ambiguous(id)).await
    }

    async fn sweep(&self, retention: Duration) -> Result<u64, StoreError> {
        self.count(Operation::Sweep, self.store.sweep(retention)).await
    }

    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        self.count(Operation::Heartbeat, self.store.beat(heartbeat)).await
    }

    async fn end_process(&self, id: &str) -> Result<(), StoreError> {
        self.count(Operation::Heartbeat, self.store.end_process(id)).await
    }

    async fn processes(&self) -> Result<StoredProcesses, StoreError> {
        self.count(Operation::Read, self.store.processes()).await
    }

    async fn probe_write(&self) -> Result<(), StoreError> {
        self.count(Operation::Check, self.store.probe_write()).await
    }

    async fn check(&self) -> Result<Vec<CheckResult>, StoreError> {
        self.count(Operation::Check, self.store.check()).await
    }

    async fn server(&self) -> Result<Option<ServerState>, StoreError> {
        // No work needs it. If only this fails, the store does not: who reads it logs that.
        self.store.server().await
    }
}
