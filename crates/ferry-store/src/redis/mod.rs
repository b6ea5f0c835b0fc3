//! The store on a Redis or Valkey server: for any number of processes on any number of machines.
//!
//! Every change is one script, and so atomic; the server's time counts, so that clocks need not
//! agree. Claims and commits of a batch take one round trip each.

mod accept;
mod address;
mod blob_format;
mod changing;
mod check;
mod clock;
mod connection;
mod durable_writes;
mod error;
mod events;
mod fuzzed;
mod greeting;
mod history;
mod layout;
mod leases;
mod listen;
mod missing_rights;
mod owned;
mod pages;
mod processes;
mod pushed;
mod read;
mod record;
mod rights;
mod scripts;
mod server;
mod server_time;
mod standing;
mod steps;
mod strays;
mod topology;
mod unacknowledged;
mod values;

pub use address::{Durability, RedisAddress};
#[doc(hidden)]
pub use fuzzed::read_stored;
pub use pushed::{DeadLetter, PushedRequests, Task};

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use redis::Value;
use tokio::task::AbortHandle;

use super::compression::compute;
use super::packing::{compress_all, compress_contents};
use super::{
    Accepted, BATCH, CheckResult, Claim, ClaimRequest, Claims, Commit, Committed, Continuity,
    Cursor, Events, Filter, Lease, Loss, NewSubmission, POSTPONED, Page, Payload, Rescued,
    ServerState, Standing, Stats, Store, StoreError, StoredProcesses, SubmissionDetail, Wakeups,
};
use connection::RedisConnection;
use durable_writes::{Ack, DurableWrites};
use error::RedisError;
use ferry_types::clock::Clock;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    LifecycleError, OperatorAction, Ruled, SameName, Submission, TimelineEntry,
};
use ferry_types::domain::{Heartbeat, SubmissionId, Timestamp};
use owned::OwnedSteps;
use scripts::{Script, ScriptCall, Scripts};
use server_time::ServerTime;
use unacknowledged::UnacknowledgedClaims;

/// Commits that one script records: what comes with every script is shared by them, and others are
/// not delayed for long.
const COMMITS: usize = 64;

/// More of results is recorded by more scripts.
const COMMITTED_BYTES: usize = 8 << 20;

/// Leases that one script renews or releases.
const LEASES: usize = 500;

/// Events that one script reads.
const EVENTS: usize = 1000;

/// A store on a Redis server.
#[derive(Debug)]
pub struct RedisStore {
    location: String,
    link: Arc<RedisConnection>,
    /// Instead of `link`, where submissions and commands of operators wait for the server's disk, or a
    /// replica.
    accepting: Option<DurableWrites>,
    /// The same for claims of uploads: the attempt is to be known before the request leaves.
    beginning: Option<DurableWrites>,
    replicated: bool,
    scripts: &'static Scripts,
    wakeups: Arc<Wakeups>,
    continuity: Arc<Continuity>,
    /// Listens from the first look at the wakeups on: only a worker sleeps.
    listener: OnceLock<AbortHandle>,
    owned: OwnedSteps,
    lost: UnacknowledgedClaims,
    /// Cursor of the look for strays, and its last end.
    strays: Mutex<(u64, Option<Instant>)>,
    health: HealthPolicy,
    /// Instead of the server's time.
    clock: Option<Arc<dyn Clock>>,
    /// The last reading of the store's time.
    server_time: Mutex<Option<ServerTime>>,
    /// Monotonic time, in milliseconds, at which this process first compared the clocks.
    unsure_since: Mutex<Option<i64>>,
}

impl RedisStore {
    /// A store at `address`; the server is asked when something is to be done. `health` says when an
    /// account counts as in an outage.
    pub fn new(
        address: &RedisAddress,
        durability: Durability,
        health: HealthPolicy,
    ) -> Result<Self, StoreError> {
        let topology = address.topology();
        let base = address.base();
        let continuity = Arc::<Continuity>::default();
        let link =
            || RedisConnection::new(topology.clone(), base.clone()).comparing(continuity.clone());
        let confirmed = || match durability {
            Durability::Server => None,
            Durability::Fsynced => Some(DurableWrites::new(Ack::Disk, link())),
            Durability::Replicated => Some(DurableWrites::new(Ack::Replica, link())),
        };
        Ok(Self {
            location: address.location().to_owned(),
            accepting: confirmed(),
            beginning: confirmed(),
            replicated: durability == Durability::Replicated,
            link: Arc::new(link()),
            scripts: Scripts::all(),
            wakeups: Arc::default(),
            continuity: continuity.clone(),
            listener: OnceLock::new(),
            owned: OwnedSteps::default(),
            lost: UnacknowledgedClaims::new(),
            strays: Mutex::default(),
            health,
            clock: None,
            server_time: Mutex::default(),
            unsure_since: Mutex::default(),
        })
    }

    /// The same with a time of its own, for rehearsals and tests: not the server's time counts, but
    /// that of `clock`, which all handles of the namespace must share.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The same with a client that loses responses, for rehearsals and tests: after each change that the
    /// server has made, `is_lost` is true if its response does not arrive.
    #[must_use]
    pub fn losing_responses(self, is_lost: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        self.link.lose_responses(is_lost);
        self
    }

    /// A call that writes what was decided at `now`, by the store's time.
    fn call_at(&self, script: &Script, now: Timestamp) -> ScriptCall {
        ScriptCall::new(script, self.link.base(), &format!("={}", now.timestamp_millis()))
    }

    async fn run(&self, script: &Script, script_call: ScriptCall) -> Result<Value, RedisError> {
        self.link.run_one(script, script_call).await
    }

    /// Runs a call whose effect must not be lost once it is reported.
    async fn run_durably(
        &self,
        script: &Script,
        script_call: ScriptCall,
    ) -> Result<Value, RedisError> {
        match &self.accepting {
            Some(confirmed) => confirmed.run(script, script_call).await,
            None => self.run(script, script_call).await,
        }
    }

    fn with_location<T>(&self, result: Result<T, RedisError>) -> Result<T, StoreError> {
        result.map_err(|error| error.with_location(&self.location))
    }

    /// The same where the damage is that of one submission.
    fn of_record<T>(
        &self,
        id: SubmissionId,
        result: Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.with_location(result.map_err(|error| error.in_record_of(id)))
    }

    /// Subscribes this process to due times, once.
    fn listen(&self) {
        self.listener.get_or_init(|| {
            let listening =
                listen::listen(self.link.clone(), self.location.clone(), self.wakeups.clone());
            tokio::spawn(listening).abort_handle()
        });
    }

    /// Changes a submission by a rule, and shows it.
    async fn rule(
        &self,
        id: SubmissionId,
        rule: impl Fn(&mut Submission, &SameName, Timestamp) -> Ruled<LifecycleError>,
    ) -> Result<SubmissionDetail, StoreError> {
        let changed = self.change(id, rule).await;
        self.with_location(changed)?;
        self.get(id).await?.ok_or(StoreError::NotFound(id))
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn accept(&self, batch: Vec<NewSubmission>) -> Result<Vec<Accepted>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = batch.iter().map(|new| new.payload.bytes()).sum();
        let packed = compress_all(batch).await;
        self.with_location(self.know_clock().await)?;
        let script_call = self.script_call(&self.scripts.accept);
        let script_call = compute(bytes, move || accept::describe(script_call, &packed)).await;
        let response = self.run_durably(&self.scripts.accept, script_call).await;
        self.with_location(response.and_then(accept::responses))
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError> {
        self.with_location(self.lease(request).await)
    }

    async fn commit(&self, batch: Vec<Commit>) -> Result<Vec<Committed>, StoreError> {
        let packed = compress_contents(batch).await;
        self.with_location(self.record(packed).await)
    }

    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<bool>, StoreError> {
        self.with_location(self.extend(&leases, lease).await)
    }

    async fn release(&self, claims: Vec<Claim>) -> Result<(), StoreError> {
        let leases: Vec<_> = claims.iter().map(|claim| claim.lease).collect();
        self.with_location(self.give_back(&leases).await)
    }

    async fn rescue(&self) -> Result<Rescued, StoreError> {
        self.with_location(self.rescue_some().await)
    }

    async fn rescue_ended(&self) -> Result<Rescued, StoreError> {
        self.with_location(self.compare_clocks().await).map(|_| Rescued::default())
    }

    fn wakeups(&self) -> &Wakeups {
        self.listen();
        &self.wakeups
    }

    fn continuity(&self) -> &Continuity {
        &self.continuity
    }

    async fn look(&self) -> Result<Standing, StoreError> {
        self.with_location(self.compare(&self.continuity).await)
    }

    async fn report_loss(&self, loss: &Loss) -> Result<(), StoreError> {
        self.with_location(self.save_loss(loss).await)
    }

    async fn acknowledge_loss(&self) -> Result<(), StoreError> {
        self.with_location(self.renew_epoch().await)
    }

    async fn payload(&self, id: SubmissionId) -> Result<Payload, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(blob_format::payload_key(self.link.base(), id));
        let found = self.link.command(get).await.and_then(values::maybe_bytes);
        let bytes = self.of_record(id, found)?.ok_or(StoreError::NotFound(id))?;
        let read = compute(bytes.len() as u64, move || blob_format::read_payload(&bytes)).await;
        self.of_record(id, read)
    }

    async fn content(&self, id: SubmissionId, key: &str) -> Result<Option<Content>, StoreError> {
        let mut get = redis::cmd("HGET");
        get.arg(blob_format::contents_key(self.link.base(), id)).arg(key);
        let found = self.link.command(get).await.and_then(values::maybe_bytes);
        let Some(bytes) = self.of_record(id, found)? else { return Ok(None) };
        let read = compute(bytes.len() as u64, move || blob_format::read_content(&bytes)).await;
        self.of_record(id, read).map(Some)
    }

    async fn get(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
        let script = &self.scripts.read;
        let script_call = self.script_call(script).arg(1).arg(id.to_string());
        let response = self.with_location(self.run(script, script_call).await)?;
        let found = values::tuple(response).and_then(|[now, shown]| {
            let [shown] = values::tuple(shown)?;
            read::found(now, shown, &self.health)
        });
        self.of_record(id, found)
    }

    async fn timeline(&self, id: SubmissionId) -> Result<Vec<TimelineEntry>, StoreError> {
        let script = &self.scripts.read;
        let script_call = self.script_call(script).arg(1).arg(id.to_string());
        let response = self.with_location(self.run(script, script_call).await)?;
        let timeline = values::tuple(response).and_then(|[now, shown]| {
            let [shown] = values::tuple(shown)?;
            read::timeline(now, shown)
        });
        self.of_record(id, timeline)?.ok_or(StoreError::NotFound(id))
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Events, StoreError> {
        let script = &self.scripts.events;
        let response =
            self.run(script, self.script_call(script).arg(after).arg(limit.min(EVENTS))).await;
        self.with_location(response.and_then(|response| events::read(after, response)))
    }

    async fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.with_location(self.page(filter, after, limit).await)
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.with_location(self.all_stats().await)
    }

    async fn stats_of(&self, account: &str) -> Result<Stats, StoreError> {
        self.with_location(self.stats_of_one(account).await)
    }

    async fn pause(&self, account: &str, reason: &str) -> Result<(), StoreError> {
        let script = &self.scripts.pause;
        let script_call = self.script_call(script).arg(account).arg(reason);
        let response = self.run_durably(script, script_call).await;
        self.with_location(response.map(drop))
    }

    async fn resume(&self, account: &str) -> Result<bool, StoreError> {
        let script = &self.scripts.resume;
        let mut changed = false;
        loop {
            let call = self.script_call(script).arg(account).duration(POSTPONED).arg(BATCH);
            let response = self.run_durably(script, call).await.and_then(values::tuple);
            let [known, ended, moved] = self.with_location(response)?;
            if self.with_location(values::text(known))? == "unknown" {
                return Err(StoreError::UnknownAccount(account.to_owned()));
            }
            let ended = self.with_location(values::number(ended))?;
            let moved = self.with_location(values::number(moved))?;
            changed |= ended + moved > 0;
            if moved < BATCH as u64 {
                return Ok(changed);
            }
        }
    }

    async fn operate(
        &self,
        id: SubmissionId,
        action: OperatorAction,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.rule(id, |submission, same_name, now| {
            action.apply(submission, same_name, deadline, now)
        })
        .await
    }

    async fn declare_ambiguous(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.rule(id, |submission, _, now| submission.declare_ambiguous(now)).await
    }

    async fn sweep(&self, retention: Duration) -> Result<u64, StoreError> {
        let script = &self.scripts.sweep;
        let response =
            self.run(script, self.script_call(script).duration(retention).arg(BATCH)).await;
        let removed = self.with_location(response.and_then(values::number))?;
        self.with_location(self.put_strays_back().await)?;
        Ok(removed)
    }

    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        self.with_location(self.save_heartbeat(&heartbeat).await)
    }

    async fn end_process(&self, id: &str) -> Result<(), StoreError> {
        self.with_location(self.report(id, "").await)
    }

    async fn processes(&self) -> Result<StoredProcesses, StoreError> {
        self.with_location(self.list_processes().await)
    }

    async fn probe_write(&self) -> Result<(), StoreError> {
        check::probe_write(&self.link, &self.location).await
    }

    async fn check(&self) -> Result<Vec<CheckResult>, StoreError> {
        let mut findings = self.with_location(check::check(&self.link, self.replicated).await)?;
        if let Some(durable) = &self.accepting {
            findings.extend(durable.unable().await);
        }
        Ok(findings)
    }

    async fn server(&self) -> Result<Option<ServerState>, StoreError> {
        self.with_location(server::state(&self.link).await.map(Some))
    }
}
