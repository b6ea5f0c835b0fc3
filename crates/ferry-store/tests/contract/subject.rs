//! The subject of a contract: a store, a way to let its time pass, and short names for common calls.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ferry_store::{
    Accepted, AccountStats, Claim, ClaimRequest, Claims, Commit, Committed, Deadline, Filter,
    NewSubmission, Payload, Rescued, StepStats, Store,
};
use ferry_types::clock::Clock;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{State, StepKind, Submission, Transition};
use ferry_types::domain::{SubmissionId, Timestamp, timestamp};

/// For how long contracts lease steps.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// The deadline of submissions that name no other.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// The account of submissions that name no other.
pub(super) const ACCOUNT: &str = "main";

/// Policy by which the stores under test block an account.
pub(super) fn health_policy() -> HealthPolicy {
    HealthPolicy {
        breaker_failures: 3,
        breaker_initial: millis(1000),
        breaker_open_max: millis(60_000),
        ramp_step: millis(250),
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(super) struct ManualClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
    boot: AtomicU64,
}

impl ManualClock {
    pub(super) fn new() -> Arc<Self> {
        let wall = AtomicI64::new(1_700_000_000_000);
        Arc::new(Self { wall, monotonic: AtomicU64::new(0), boot: AtomicU64::new(1) })
    }

    /// Lets time pass.
    pub(super) fn advance(&self, duration: Duration) {
        let millis = duration.as_millis() as u64;
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
        self.step(millis as i64);
    }

    /// From now on, processes start on another machine.
    pub(super) fn change_machine(&self) {
        self.boot.fetch_add(1, Ordering::SeqCst);
    }

    /// Sets the wall clock.
    pub(super) fn step(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::SeqCst))
    }

    fn boot(&self) -> Option<u64> {
        Some(self.boot.load(Ordering::SeqCst))
    }
}

/// A future whose type is hidden: the code that awaits a contract exists once, and not for each contract and
/// store, which halves the time to build the contracts.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// Longer than any contract takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(10);

/// Checks a contract on a new subject.
pub(super) fn check(open: fn() -> Boxed<Subject>, contract: fn(Subject) -> Boxed<()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    // Also of one that reads page after page of a list that has no last one.
    let ended = async { tokio::time::timeout(LIMIT, contract(open().await)).await };
    runtime.block_on(ended).expect("the contract has an end");
}

/// Location of the data of one contract.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// Another handle on the same data, as another process would have it.
    async fn open(&self) -> Arc<dyn Store>;

    /// An empty store of the same kind.
    async fn fresh(&self) -> Subject;

    /// The clock of the store.
    fn clock(&self) -> &ManualClock;
}

/// A store under test.
pub(super) struct Subject {
    pub(super) store: Arc<dyn Store>,
    location: Box<dyn Place>,
}

impl Subject {
    pub(super) async fn at(location: impl Place + 'static) -> Self {
        Self { store: location.open().await, location: Box::new(location) }
    }

    /// Another handle on the same data.
    pub(super) async fn another(&self) -> Arc<dyn Store> {
        self.location.open().await
    }

    /// An empty store of the same kind.
    pub(super) async fn fresh(&self) -> Self {
        self.location.fresh().await
    }

    #[expect(clippy::unused_async, reason = "contracts await all that a store does")]
    pub(super) async fn advance(&self, duration: Duration) {
        self.location.clock().advance(duration);
    }

    /// Lets the wall clock of the store step.
    #[expect(clippy::unused_async, reason = "contracts await all that a store does")]
    pub(super) async fn step_clock(&self, millis: i64) {
        self.location.clock().step(millis);
    }

    /// From now on, processes of the store start on another machine.
    pub(super) fn change_machine(&self) {
        self.location.clock().change_machine();
    }

    /// The time that the wall clock of the store shows.
    pub(super) fn wall_clock(&self) -> Timestamp {
        self.location.clock().now()
    }

    pub(super) async fn accept(&self, new: NewSubmission) -> SubmissionId {
        let responses = self.store.accept(vec![new]).await.unwrap();
        let [Accepted::New(id)] = responses[..] else {
            panic!("expected a new one: {responses:?}")
        };
        id
    }

    pub(super) async fn accept_all(
        &self,
        batch: impl IntoIterator<Item = NewSubmission>,
    ) -> Vec<SubmissionId> {
        let responses = self.store.accept(batch.into_iter().collect()).await.unwrap();
        let new = |response| match response {
            Accepted::New(id) => id,
            known => panic!("expected a new one: {known:?}"),
        };
        responses.into_iter().map(new).collect()
    }

    pub(super) async fn ask(&self, kind: StepKind, limit: usize) -> Claims {
        self.store
            .claim(ClaimRequest { kind, limit, lease: LEASE, account_limits: Arc::default() })
            .await
            .unwrap()
    }

    pub(super) async fn claim(&self, kind: StepKind, limit: usize) -> Vec<Claim> {
        self.ask(kind, limit).await.claims
    }

    /// The only step of `kind` that is due.
    pub(super) async fn claim_one(&self, kind: StepKind) -> Claim {
        let mut claims = self.claim(kind, 10).await;
        assert_eq!(claims.len(), 1, "expected one due `{kind}`: {claims:?}");
        claims.remove(0)
    }

    pub(super) async fn assert_nothing_due(&self, kind: StepKind) {
        let claims = self.claim(kind, 10).await;
        assert!(claims.is_empty(), "expected no due `{kind}`: {claims:?}");
    }

    /// Asserts that the webhooks of exactly these are due.
    pub(super) async fn assert_due(&self, expected: &[SubmissionId]) {
        let claims = self.claim(StepKind::Deliver, 10).await;
        let mut due = ids(&claims);
        due.sort_unstable();
        assert_eq!(due, expected);
        self.store.release(claims).await.unwrap();
    }

    pub(super) async fn try_commit(&self, claim: &Claim, transition: Transition) -> Committed {
        let batch = vec![Commit { lease: claim.lease, transition }];
        let mut committed = self.store.commit(batch).await.unwrap();
        assert_eq!(committed.len(), 1);
        committed.remove(0)
    }

    pub(super) async fn commit(&self, claim: &Claim, transition: Transition) {
        let committed = self.try_commit(claim, transition).await;
        assert!(matches!(committed, Committed::Done(..)), "{committed:?}");
    }

    /// Claims the step of `kind` that is due for the newest submission.
    async fn claim_newest(&self, kind: StepKind) -> Claim {
        let mut claims = self.claim(kind, 10).await;
        claims.sort_by_key(|claim| claim.lease.id);
        let newest = claims.pop().expect("a step is due");
        self.store.release(claims).await.unwrap();
        newest
    }

    async fn step_newest(&self, kind: StepKind, transition: Transition) {
        let claim = self.claim_newest(kind).await;
        self.commit(&claim, transition).await;
    }

    /// Claims the only due step of `kind` and commits `transition`.
    pub(super) async fn step(&self, kind: StepKind, transition: Transition) -> Claim {
        let claim = self.claim_one(kind).await;
        self.commit(&claim, transition).await;
        claim
    }

    /// Brings the newest submission, which was just accepted, into `state`.
    pub(super) async fn bring_to(&self, state: State) {
        use super::transitions as t;
        let uploads = matches!(state, State::Processing | State::Collecting | State::Completed);
        if uploads {
            self.step_newest(StepKind::Upload, t::uploaded(millis(0))).await;
        }
        if uploads && state != State::Processing {
            self.step_newest(StepKind::Poll, t::decided()).await;
        }
        match state {
            State::Queued | State::Processing | State::Collecting => {}
            State::Uploading => drop(self.claim_newest(StepKind::Upload).await),
            State::Completed => self.step_newest(StepKind::Collect, t::completed()).await,
            State::Rejected => self.step_newest(StepKind::Upload, t::upload_rejected()).await,
            State::Failed => self.step_newest(StepKind::Upload, t::failed()).await,
            State::Held => self.step_newest(StepKind::Upload, t::held()).await,
            State::Cancelled => {
                let claim = self.claim_newest(StepKind::Upload).await;
                self.store.cancel(claim.lease.id).await.unwrap();
                self.commit(&claim, t::uploaded(millis(0))).await;
            }
        }
    }

    pub(super) async fn get(&self, id: SubmissionId) -> Submission {
        self.store.get(id).await.unwrap().expect("the submission is there").submission
    }

    pub(super) async fn state(&self, id: SubmissionId) -> State {
        self.get(id).await.state
    }

    /// The states and texts of the timeline.
    pub(super) async fn timeline(&self, id: SubmissionId) -> Vec<(State, String)> {
        let timeline = self.store.timeline(id).await.unwrap();
        timeline.into_iter().map(|entry| (entry.state, entry.message)).collect()
    }

    pub(super) async fn listed(&self, filter: &Filter) -> Vec<SubmissionId> {
        let page = self.store.list(filter, None, 1000).await.unwrap();
        page.found.into_iter().map(|found| found.submission.id).collect()
    }

    pub(super) async fn step_stats(&self, account: &str, kind: StepKind) -> StepStats {
        let stats = self.store.stats().await.unwrap();
        let mut steps = stats.steps.into_iter();
        let found = steps.find(|step| step.account == account && step.kind == kind);
        found.unwrap_or_else(|| StepStats::none(account, kind))
    }

    pub(super) async fn account(&self, account: &str) -> AccountStats {
        let stats = self.store.stats().await.unwrap();
        let mut accounts = stats.accounts.into_iter();
        accounts.find(|known| known.account == account).expect("the account is known")
    }

    /// Lets all leases run out, and rescues their steps.
    pub(super) async fn lose_workers(&self) -> Rescued {
        self.advance(LEASE + millis(1)).await;
        self.store.rescue().await.unwrap()
    }
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A small submission of this name.
pub(super) fn new(name: &str) -> NewSubmission {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let random = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = SubmissionId::new(timestamp(1_700_000_000_000), random.into());
    let payload = Payload { data: format!("{name},01/02/2024,10:00"), event_data: None };
    let result_keys = vec!["tableofresultids".to_owned()];
    let deadline = Deadline::After(DAY);
    NewSubmission { result_keys, ..NewSubmission::new(id, ACCOUNT, name, payload, deadline) }
}

/// The same on another account.
pub(super) fn on(account: &str, new: NewSubmission) -> NewSubmission {
    NewSubmission { account: account.to_owned(), ..new }
}

pub(super) fn ids(claims: &[Claim]) -> Vec<SubmissionId> {
    claims.iter().map(|claim| claim.lease.id).collect()
}

pub(super) fn accounts(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.submission.account.as_str()).collect()
}
