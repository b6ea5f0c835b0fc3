//! Keeps submissions and leases out their steps: one trait, so that workers and commands need not
//! know where the data lies.
//!
//! Time is the store's: a caller passes durations and reads timestamps, so that a worker with a
//! wrong clock does no harm.

mod accepting;
mod backoff;
mod claim_id;
mod cold;
mod compression;
mod continuity;
mod error;
mod events;
mod fair;
mod listing;
mod packing;
mod processes;
mod shown;
mod stats;
mod store_time;

pub mod memory;
pub mod redis;
pub mod selection;
pub mod sqlite;
mod wakeups;

pub use accepting::{Deadline, NewSubmission, Payload};
pub use backoff::store_backoff;
pub use claim_id::ClaimId;
pub use compression::compute;
pub use continuity::{Continuity, Loss, Standing};
pub use error::{DamagedRecord, StoreError, UnwritableReason};
pub use events::{Event, Events};
pub use listing::{Cursor, Filter, LOOKED_AT, Page, SubmissionDetail, most_looked_at};
pub use processes::{
    DamagedHeartbeat, MOST_PROCESSES, SILENT_LISTED, StoredProcess, StoredProcesses,
};
pub use stats::{AccountStats, CheckResult, ServerState, Stats, StepStats};
pub use wakeups::Wakeups;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    IllegalTransitionError, OperatorAction, Resolution, State, StepKind, Submission, TimelineEntry,
    Transition,
};
use ferry_types::domain::{Heartbeat, SubmissionId, Timestamp};

/// The response to one accepted submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored.
    New(SubmissionId),
    /// The same dataset name, dataset, permission to overwrite and result keys were accepted before with
    /// this idempotency key, under this id; nothing was stored.
    Duplicate(SubmissionId),
    /// The idempotency key belongs to this submission, which has other content; nothing was stored.
    Conflict(SubmissionId),
}

/// A poll or fetch that is due later than this was postponed by a `Retry-After` of the Platform, or by a
/// configured delay that is as long: [`Store::resume`] brings it forward.
pub const POSTPONED: Duration = Duration::from_mins(1);

/// Maximum number of lines of a timeline: the first, and the newest.
pub(crate) const TIMELINE: usize = 200;

/// Maximum number of submissions that one call rescues, removes, migrates or brings forward.
pub(crate) const BATCH: usize = 200;

/// Asks for due steps.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Of which kind.
    pub kind: StepKind,
    /// Maximum number of steps.
    pub limit: usize,
    /// Duration of their leases.
    pub lease: Duration,
    /// The limits of accounts, by name; the others have none.
    pub account_limits: LimitsByAccount,
}

/// The limits of accounts, by name.
pub type LimitsByAccount = Arc<BTreeMap<String, AccountLimits>>;

/// Names a leased step: only the holder of the newest claim may commit, renew or release it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// The submission.
    pub id: SubmissionId,
    /// The kind of step.
    pub kind: StepKind,
    /// Grows with every claim of the submission.
    pub fence: u64,
    /// The call that claimed it. A store that went back in time gives a fence out again, and never to
    /// the same call.
    pub claimed_by: ClaimId,
}

/// A step leased to a worker.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Names it.
    pub lease: Lease,
    /// Kind of the step.
    pub kind: StepKind,
    /// The submission, as it is after the claim: state `uploading` and the attempt counted if this
    /// is an upload.
    pub submission: Submission,
    /// Of an upload, the submission of the same account and name that ended last without it being known
    /// whether its dataset is at the Platform, if nothing has settled that since: a rejection may be about
    /// that dataset.
    pub name_mark: Option<SubmissionId>,
    /// The time of the claim.
    pub now: Timestamp,
    /// Milliseconds by which `now`, and the times of `submission`, are ahead of the store's own time: they
    /// are by the wall clock.
    pub offset: i64,
    /// Time from due to claimed.
    pub lag: Duration,
}

/// The response to a [`ClaimRequest`].
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The leased steps.
    pub claims: Vec<Claim>,
    /// The store's own time, for [`Wakeups::sleep`]; it differs from the wall clock after a step.
    pub now: Timestamp,
    /// Delay before the next claim, if nothing wakes the caller earlier: until the next due time, or
    /// until an account is no longer blocked. Zero if `limit` left steps unclaimed, `None` if nothing
    /// is scheduled. Steps that `resume` or `rescue` makes runnable wake the caller.
    pub next: Option<Duration>,
}

/// A worker's decision about a step that it owns.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The step.
    pub lease: Lease,
    /// The decision.
    pub transition: Transition,
}

/// Outcome of a [`Commit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is durable; the submission went from the first state to the second.
    Done(State, State),
    /// Another worker owns the step by now, or it ended: nothing was changed but the account's health,
    /// if the Platform asks something of the whole account.
    Stale,
    /// The transition is not in the table: nothing was changed.
    Illegal(IllegalTransitionError),
}

/// Counts of the steps that [`Store::rescue`] took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Steps that are due again.
    pub due: u64,
    /// Submissions held, because their step crashed its worker too often.
    pub held: u64,
    /// Submissions cancelled, because that was requested.
    pub cancelled: u64,
}

impl Rescued {
    /// A submission was rescued in the state `before`.
    fn count(&mut self, before: State, after: State) {
        match after {
            State::Cancelled if after != before => self.cancelled += 1,
            State::Held => self.held += 1,
            _ => self.due += 1,
        }
    }
}

/// Keeps submissions and leases out their steps.
///
/// Every method is atomic, and durable when it returns. None is slower for a longer backlog than
/// its response asks for.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Returns the location of the data for people, without a password.
    fn location(&self) -> String;

    /// Stores new submissions, all or none; the responses are in the order of `batch`. An id that is
    /// taken is an error. A submission that waits for an earlier one of its account and name is not
    /// due before that one is final.
    async fn accept(&self, batch: Vec<NewSubmission>) -> Result<Vec<Accepted>, StoreError>;

    /// Leases due steps, fairly between accounts, and of one account in the order of priority and
    /// due time. An upload's attempt is durable when this returns.
    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError>;

    /// Records what was decided about steps that the worker owns, in the order of `batch`, each on its own.
    async fn commit(&self, batch: Vec<Commit>) -> Result<Vec<Committed>, StoreError>;

    /// Extends leases by `lease` from now. Returns `true` for each that is still owned; an expired
    /// lease is, until `rescue` takes it.
    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<bool>, StoreError>;

    /// Gives steps back that were not begun: due at once, and as if they had not been claimed.
    async fn release(&self, claims: Vec<Claim>) -> Result<(), StoreError>;

    /// Makes steps due again whose lease had run out when this was called, or whose process has ended, at most
    /// a few hundred a call; holds those that crashed their worker five times.
    async fn rescue(&self) -> Result<Rescued, StoreError>;

    /// The same of steps alone whose process is known to have ended, which some stores never know: then it
    /// shows that the store responds.
    async fn rescue_ended(&self) -> Result<Rescued, StoreError>;

    /// True if it may know at any time that a process has ended, and not only when its leases have.
    fn notices_ended_processes(&self) -> bool {
        false
    }

    /// Wakes workers when a step may have become due. The first call, which is made within a runtime of
    /// tokio, begins to watch for what other processes write.
    fn wakeups(&self) -> &Wakeups;

    /// History of the store as this process saw it. Every response to a change is compared with it.
    fn continuity(&self) -> &Continuity;

    /// Reads the newest event, and compares the history with [`Store::continuity`]. Writes nothing.
    async fn look(&self) -> Result<Standing, StoreError>;

    /// Saves a loss for [`Standing::reported`].
    async fn report_loss(&self, loss: &Loss) -> Result<(), StoreError>;

    /// Takes the store as it is: it gets a new epoch, which ends the loss in every process.
    async fn acknowledge_loss(&self) -> Result<(), StoreError>;

    /// The dataset; an error if retention has removed it.
    async fn payload(&self, id: SubmissionId) -> Result<Payload, StoreError>;

    /// A result, or the feedback; none if there is none under `key`.
    async fn content(&self, id: SubmissionId, key: &str) -> Result<Option<Content>, StoreError>;

    /// A submission.
    async fn get(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError>;

    /// Returns the timeline of a submission, oldest first; of a long one, the first and the newest
    /// entries.
    async fn timeline(&self, id: SubmissionId) -> Result<Vec<TimelineEntry>, StoreError>;

    /// Returns the events after the cursor `after`, oldest first, at most `limit`. The store writes
    /// each event together with its change, atomically.
    async fn events(&self, after: u64, limit: usize) -> Result<Events, StoreError>;

    /// Submissions, newest first. Of one account, the work depends on what this account has, and on no other
    /// one.
    async fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Returns the numbers of steps and submissions. Where counting steps takes milliseconds, those of ready and
    /// scheduled ones may be a few seconds old.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// Returns those of one account, none if the store does not know it. The work depends on what this
    /// account has, and on no other one.
    async fn stats_of(&self, account: &str) -> Result<Stats, StoreError>;

    /// Yields no more steps of the account, known or not yet known.
    async fn pause(&self, account: &str, reason: &str) -> Result<(), StoreError>;

    /// Ends a pause, a throttling and an open circuit breaker, and makes polls and fetches due that are
    /// [`POSTPONED`]. Returns `true` if there was any.
    async fn resume(&self, account: &str) -> Result<bool, StoreError>;

    /// Changes a submission by an action of an operator ([`OperatorAction::apply`]); one that continues has
    /// another `deadline`. The five methods below name the actions.
    async fn operate(
        &self,
        id: SubmissionId,
        action: OperatorAction,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError>;

    /// Cancels a submission: at once or, if a step of it is running, as soon as that ends.
    async fn cancel(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.operate(id, OperatorAction::Cancel, Duration::ZERO).await
    }

    /// Resumes a failed submission where it stopped, for another `deadline`. It queues behind an earlier
    /// one of its name; an error while a newer one is unfinished, or if its upload could overwrite that of
    /// a newer one.
    async fn retry(
        &self,
        id: SubmissionId,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.operate(id, OperatorAction::Retry, deadline).await
    }

    /// Fetches results or feedback of a final submission again, within another `deadline`. The state stays
    /// what it is, unless the Platform's verdict was not known before.
    async fn refetch(
        &self,
        id: SubmissionId,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.operate(id, OperatorAction::Refetch, deadline).await
    }

    /// Decides about a held submission, for another `deadline` if it is resumed.
    async fn resolve(
        &self,
        id: SubmissionId,
        resolution: Resolution,
        deadline: Duration,
    ) -> Result<SubmissionDetail, StoreError> {
        self.operate(id, OperatorAction::resolve(resolution), deadline).await
    }

    /// Schedules the webhook of a final submission, even if it was delivered before. Fails if the
    /// submission has no webhook.
    async fn redeliver(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.operate(id, OperatorAction::Redeliver, Duration::ZERO).await
    }

    /// Declares an unfinished submission ambiguous, after the store went back in time.
    async fn declare_ambiguous(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError>;

    /// Removes final submissions, with payloads, results and timelines, that ended longer ago than
    /// `retention`, at most a few hundred a call. Returns their number.
    async fn sweep(&self, retention: Duration) -> Result<u64, StoreError>;

    /// Saves the heartbeat of a process in the place of its last one. Forgets processes that have been silent
    /// for [`SILENT_LISTED`], and beyond [`MOST_PROCESSES`] those with the oldest heartbeats.
    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError>;

    /// Forgets a process, which ends.
    async fn end_process(&self, id: &str) -> Result<(), StoreError>;

    /// Returns the processes that use the store.
    async fn processes(&self) -> Result<StoredProcesses, StoreError>;

    /// Writes something that no other operation reads, and removes it: fails as they would.
    async fn probe_write(&self) -> Result<(), StoreError>;

    /// Checks that stored submissions are durable. Writes nothing.
    async fn check(&self) -> Result<Vec<CheckResult>, StoreError>;

    /// Returns the state of the store's server; none where there is no server.
    async fn server(&self) -> Result<Option<ServerState>, StoreError> {
        Ok(None)
    }
}
