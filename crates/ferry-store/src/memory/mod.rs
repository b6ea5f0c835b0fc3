//! The store in memory, for tests and simulations: the pure rules with nothing around them, as plain as can
//! be. It is looked through from end to end, keeps nothing when the process ends, and can be set back to an
//! earlier state.

mod claim;
mod data;
mod read;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::claim_id::ClaimIds;
use super::shown::Shift;
use super::store_time::{StoreClock, StoreTime};
use super::{
    Accepted, CheckResult, Claim, ClaimRequest, Claims, Commit, Committed, Continuity, Cursor,
    Events, Filter, Lease, Loss, NewSubmission, Page, Payload, Rescued, Standing, Stats, Store,
    StoreError, StoredProcesses, SubmissionDetail, Wakeups,
};
use data::{Data, Row};
use ferry_types::clock::Clock;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    IllegalTransitionError, LifecycleError, OperatorAction, Ruled, SameName, State, Submission,
    SubmissionParts, TimelineEntry,
};
use ferry_types::domain::{Heartbeat, SubmissionId, Timestamp, later};

/// A handle on a store in memory; clones are further handles on the same one.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    clock: Arc<StoreClock>,
    health: HealthPolicy,
    continuity: Arc<Continuity>,
}

#[derive(Debug)]
struct Shared {
    data: Mutex<Data>,
    wakeups: Wakeups,
    claim_ids: ClaimIds,
}

/// All that a store held at one time.
#[derive(Debug, Clone)]
pub struct Snapshot(Data);

impl MemoryStore {
    /// An empty store. `clock` is its time, and `health` says when an account counts as in an outage.
    pub fn new(clock: Arc<dyn Clock>, health: HealthPolicy) -> Self {
        let shared = Shared {
            data: Mutex::default(),
            wakeups: Wakeups::default(),
            claim_ids: ClaimIds::numbered(0),
        };
        let clock = Arc::new(StoreClock::new(clock));
        Self { shared: Arc::new(shared), clock, health, continuity: Arc::default() }
    }

    /// All that it holds now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.with(|data| data.clone()))
    }

    /// Goes back to what it held then, as a store does that was restored from a backup.
    pub fn restore(&self, snapshot: Snapshot) {
        self.with(|data| *data = snapshot.0);
        self.shared.wakeups.all();
    }

    /// Changes a submission past every rule, as a store with a bug would: tests prove with it that they
    /// notice.
    pub fn spoil(&self, id: SubmissionId, change: impl FnOnce(&mut SubmissionParts)) {
        self.with(|data| data.spoil(id, change));
        self.shared.wakeups.all();
    }

    /// Forgets which uploads may still arrive, as a store with a bug would.
    pub fn forget_late_uploads(&self) {
        self.with(|data| data.late.clear());
    }

    fn with<T>(&self, op: impl FnOnce(&mut Data) -> T) -> T {
        self.at(|data, _| op(data))
    }

    /// The same with the store's time.
    fn at<T>(&self, op: impl FnOnce(&mut Data, &StoreTime) -> T) -> T {
        // A panic inside of it is a bug of a test.
        let data = &mut self.shared.data.lock();
        let time = self.clock.read(data.time);
        data.time = time.to_store(true).unwrap_or(data.time);
        if time.step() != 0 {
            data.move_starts(time.step(), time.now);
        }
        self.clock.passed(&time, "memory");
        op(data, &time)
    }

    /// The same for what may make steps due.
    fn change<T>(&self, op: impl FnOnce(&mut Data, &StoreTime) -> T) -> T {
        let requested = self.continuity.ask();
        let (changed, standing) =
            self.at(|data, time| (op(data, time), data.standing(requested.number())));
        self.continuity.saw(&requested, &standing);
        self.shared.wakeups.all();
        changed
    }

    /// Changes a submission by a rule that an operator asked for.
    fn rule(
        &self,
        id: SubmissionId,
        rule: impl FnOnce(&mut Submission, &SameName, Timestamp) -> Ruled<LifecycleError>,
    ) -> Result<SubmissionDetail, StoreError> {
        self.change(|data, time| {
            let seq = data.seq_of(id).ok_or(StoreError::NotFound(id))?;
            let same_name = data.same_name(seq);
            data.apply(seq, time.now, |submission| rule(submission, &same_name, time.now))?;
            let found = data.found(id, &self.health, time.now).ok_or(StoreError::NotFound(id))?;
            Ok(found.shown(time.offset))
        })
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn accept(&self, batch: Vec<NewSubmission>) -> Result<Vec<Accepted>, StoreError> {
        self.change(|data, time| {
            let before = data.seq;
            let batch = batch.shown(-time.offset);
            let accepted: Result<_, _> =
                batch.iter().map(|new| data.accept(new, time.now)).collect();
            if accepted.is_err() {
                data.forget_after(before);
            }
            accepted
        })
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError> {
        let id = self.shared.claim_ids.next();
        Ok(self.at(|data, time| {
            let claims = data.claim(&request, &self.health, time.now, id);
            Claims { claims: claims.claims.shown(time.offset), ..claims }
        }))
    }

    async fn commit(&self, batch: Vec<Commit>) -> Result<Vec<Committed>, StoreError> {
        let commit = |data: &mut Data, time: &StoreTime| {
            batch.iter().map(|commit| data.commit(commit, &self.health, time.now)).collect()
        };
        Ok(self.change(commit))
    }

    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<bool>, StoreError> {
        let renew = |data: &mut Data, time: &StoreTime| {
            let until = later(time.now, lease);
            let renew =
                |lease: &Lease| data.owned_row(lease).map(|row| row.leased_until = Some(until));
            leases.iter().map(renew).map(|renewed| renewed.is_some()).collect()
        };
        Ok(self.at(renew))
    }

    async fn release(&self, claims: Vec<Claim>) -> Result<(), StoreError> {
        self.change(|data, time| {
            for claim in claims {
                if data.owned_row(&claim.lease).is_some()
                    && let Some(seq) = data.seq_of(claim.lease.id)
                {
                    data.apply(seq, time.now, |submission| submission.release(time.now))
                        .map_err(illegal)?;
                }
            }
            Ok(())
        })
    }

    async fn rescue(&self) -> Result<Rescued, StoreError> {
        self.change(|data, time| data.rescue(time.now)).map_err(illegal)
    }

    async fn rescue_ended(&self) -> Result<Rescued, StoreError> {
        Ok(Rescued::default())
    }

    fn wakeups(&self) -> &Wakeups {
        &self.shared.wakeups
    }

    fn continuity(&self) -> &Continuity {
        &self.continuity
    }

    async fn look(&self) -> Result<Standing, StoreError> {
        if let Some(requested) = self.continuity.ask_for_lost() {
            let standing = self.with(|data| data.standing(requested.number()));
            self.continuity.saw_lost(&requested, &standing);
        }
        let requested = self.continuity.ask();
        let standing = self.with(|data| data.standing(requested.number()));
        self.continuity.saw(&requested, &standing);
        Ok(standing)
    }

    async fn report_loss(&self, loss: &Loss) -> Result<(), StoreError> {
        self.with(|data| data.lost = Some(loss.to_string()));
        Ok(())
    }

    async fn acknowledge_loss(&self) -> Result<(), StoreError> {
        self.change(|data, _| data.renew_epoch());
        Ok(())
    }

    async fn payload(&self, id: SubmissionId) -> Result<Payload, StoreError> {
        self.with(|data| {
            data.row(id).map(|row| row.payload.clone()).ok_or(StoreError::NotFound(id))
        })
    }

    async fn content(&self, id: SubmissionId, key: &str) -> Result<Option<Content>, StoreError> {
        Ok(self.with(|data| data.row(id).and_then(|row| row.contents.get(key).cloned())))
    }

    async fn get(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
        Ok(self.at(|data, time| data.found(id, &self.health, time.now).shown(time.offset)))
    }

    async fn timeline(&self, id: SubmissionId) -> Result<Vec<TimelineEntry>, StoreError> {
        self.at(|data, time| {
            let timeline = |row: &Row| row.timeline.clone().shown(time.offset);
            data.row(id).map(timeline).ok_or(StoreError::NotFound(id))
        })
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Events, StoreError> {
        Ok(self.at(|data, time| {
            let page = data.events(after, limit);
            Events { events: page.events.shown(time.offset), ..page }
        }))
    }

    async fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        Ok(self.at(|data, time| {
            let filter = filter.clone().shown(-time.offset);
            data.list(&filter, after, limit, &self.health, time.now).shown(time.offset)
        }))
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(self.at(|data, time| data.stats(time.now).shown(time.offset)))
    }

    async fn stats_of(&self, account: &str) -> Result<Stats, StoreError> {
        Ok(self.at(|data, time| data.stats_of(account, time.now).shown(time.offset)))
    }

    async fn pause(&self, account: &str, reason: &str) -> Result<(), StoreError> {
        self.with(|data| {
            data.accounts.entry(account.to_owned()).or_default().health.pause_reason =
                Some(reason.to_owned());
        });
        Ok(())
    }

    async fn resume(&self, account: &str) -> Result<bool, StoreError> {
        self.change(|data, time| {
            let known = data.accounts.get_mut(account);
            let known = known.ok_or_else(|| StoreError::UnknownAccount(account.to_owned()))?;
            let ended = known.health.resume();
            Ok(data.bring_forward(account, time.now) > 0 || ended)
        })
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
    }

    async fn declare_ambiguous(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.rule(id, |submission, _, now| submission.declare_ambiguous(now))
    }

    async fn sweep(&self, retention: Duration) -> Result<u64, StoreError> {
        Ok(self.at(|data, time| data.sweep(retention, time.now)))
    }

    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        self.at(|data, time| data.beat(heartbeat, time.now));
        Ok(())
    }

    async fn end_process(&self, id: &str) -> Result<(), StoreError> {
        self.with(|data| data.processes.remove(id));
        Ok(())
    }

    async fn processes(&self) -> Result<StoredProcesses, StoreError> {
        let found = self.at(|data, time| data.processes(time.now).shown(time.offset));
        Ok(StoredProcesses { found, damaged: Vec::new() })
    }

    async fn probe_write(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn check(&self) -> Result<Vec<CheckResult>, StoreError> {
        let text = "the store is in memory: all is lost when the process ends".to_owned();
        let hint = Some("use a file or a Redis server".to_owned());
        Ok(vec![CheckResult { ok: false, text, hint }])
    }
}

/// Of a rule that no operator asked for.
fn illegal(illegal: IllegalTransitionError) -> StoreError {
    LifecycleError::from(illegal).into()
}

/// True if a submission in this state waits for no step of its own.
fn is_at_rest(state: State) -> bool {
    state.is_final() || state == State::Held
}
