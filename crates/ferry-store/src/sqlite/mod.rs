//! The store in one SQLite file: for one machine, any number of processes, and nothing to install.
//!
//! One thread writes and groups commits, a few connections read; the write-ahead log keeps them out
//! of each other's way. Every commit is synced to the disk before its caller continues.

mod accept;
mod access;
mod accounts;
mod blobs;
mod changes;
mod check;
mod claim;
mod disk;
mod effects;
mod error;
mod event_pages;
mod events;
#[cfg(test)]
mod full_disk;
mod health;
mod history;
mod last_counts;
mod leases;
mod name_marks;
mod named;
mod operator;
mod process_locks;
mod processes;
mod read;
#[cfg(test)]
mod read_work;
mod records;
mod schema;
mod space;
mod standing;
mod stats;
mod watch;
mod writer;

pub use disk::{free_space, log_without_file};

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::claim_id::ClaimIds;
use super::fair::RoundRobin;
use super::packing::{compress_all, compress_contents};
use super::shown::Shift;
use super::store_time::StoreClock;
use super::{
    Accepted, CheckResult, Claim, ClaimRequest, Claims, Commit, Committed, Continuity, Cursor,
    Events, Filter, Lease, Loss, NewSubmission, Page, Payload, Rescued, Standing, Stats, Store,
    StoreError, StoredProcesses, SubmissionDetail, Wakeups,
};
use access::Access;
use claim::Claiming;
use effects::Effects;
use error::SqliteError;
use ferry_types::clock::Clock;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    LifecycleError, OperatorAction, Ruled, SameName, Submission, TimelineEntry,
};
use ferry_types::domain::{Heartbeat, SubmissionId, Timestamp};
use last_counts::LastCounts;
use named::{Identity, Named};
use process_locks::{EndedProcess, ProcessLocks};
use read::RecordReader;
use records::SqliteRecord;
use writer::Writer;

/// Connections that read at the same time.
const READERS: usize = 4;

/// A store in an SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    access: Access,
    writer: Writer,
    /// Idle connections, each with the file that it reads.
    readers: Arc<Mutex<Vec<(Identity, Connection)>>>,
    reading: Semaphore,
    last_counts: Arc<LastCounts>,
    wakeups: Arc<Wakeups>,
    continuity: Arc<Continuity>,
    named: Arc<Named>,
    clock: Arc<StoreClock>,
    health: HealthPolicy,
    turns: Arc<Mutex<RoundRobin>>,
    claim_ids: ClaimIds,
    process_locks: Arc<ProcessLocks>,
    /// Watches from the first look at the wakeups on: only a worker sleeps.
    watcher: OnceLock<Option<notify::RecommendedWatcher>>,
}

impl SqliteStore {
    /// Opens the file, creating or migrating it as needed. `clock` is the store's time, and `health`
    /// says when an account counts as in an outage.
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        health: HealthPolicy,
    ) -> Result<Self, StoreError> {
        schema::check_kind(path)?;
        // Before SQLite looks at a file that cannot be written, and leaves a log beside it.
        schema::create_private(path)?;
        let connection = space::converted(schema::open_writer(path)?, path)?;
        Self::on(connection, Access::Write, path, clock, health)
    }

    /// The same of a file that is there, and that is only read where this process may not write it: then every
    /// change is an error.
    pub fn open_existing(
        path: &Path,
        clock: Arc<dyn Clock>,
        health: HealthPolicy,
    ) -> Result<Self, StoreError> {
        schema::check_kind(path)?;
        let (connection, access) = Access::open_existing(path)?;
        Self::on(connection, access, path, clock, health)
    }

    fn on(
        connection: Connection,
        access: Access,
        path: &Path,
        clock: Arc<dyn Clock>,
        health: HealthPolicy,
    ) -> Result<Self, StoreError> {
        let wakeups = Arc::new(Wakeups::default());
        let continuity = Arc::<Continuity>::default();
        let named = Arc::new(Named::new(path, &location(path), continuity.clone()));
        let clock = Arc::new(StoreClock::new(clock));
        let writer = Writer::start(
            connection,
            access.clone(),
            wakeups.clone(),
            named.clone(),
            clock.clone(),
        )?;
        let claim_ids = ClaimIds::random();
        Ok(Self {
            path: path.to_owned(),
            access,
            writer,
            readers: Arc::default(),
            reading: Semaphore::new(READERS),
            last_counts: Arc::default(),
            wakeups,
            continuity,
            named,
            clock,
            health,
            turns: Arc::default(),
            process_locks: Arc::new(ProcessLocks::new(path, claim_ids.process())),
            claim_ids,
            watcher: OnceLock::new(),
        })
    }

    /// Runs `op` on one of the connections that read.
    async fn read<T: Send + 'static>(
        &self,
        op: impl FnOnce(&RecordReader<'_>) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _turn = self.reading.acquire().await.expect("the semaphore is never closed");
        let (named, readers) = (self.named.clone(), self.readers.clone());
        let last_counts = self.last_counts.clone();
        let (policy, clock) = (self.health, self.clock.clone());
        let (access, location) = (self.access.clone(), self.location());
        let result = tokio::task::spawn_blocking(move || {
            let idle = || readers.lock();
            named.check().map_err(|error| error.with_location(&location))?;
            let open = named.identity();
            idle().retain(|(file, _)| *file == open);
            let reader = idle().pop().map(|(_, connection)| connection);
            let connection = reader.map_or_else(|| access.open_reader(named.path()), Ok)?;
            let result = within_snapshot(&connection, |connection| {
                let time = clock.read(standing::stored_time(connection)?.unwrap_or_default());
                op(&RecordReader {
                    connection,
                    policy: &policy,
                    now: time.now,
                    offset: time.offset,
                    last_counts: &last_counts,
                })
            });
            // Otherwise the connection may be one to another file.
            named.check().map_err(|error| error.with_location(&location))?;
            access.check(named.path(), &location)?;
            idle().push((open, connection));
            result.map_err(|error| error.with_location(&location))
        });
        result.await.map_err(|_| StoreError::Unavailable {
            location: self.location(),
            cause: "reading was interrupted".to_owned(),
        })?
    }

    /// Changes a submission by a rule that an operator asked for.
    async fn change(
        &self,
        id: SubmissionId,
        rule: impl FnOnce(&mut Submission, &SameName, Timestamp) -> Ruled<LifecycleError>
        + Send
        + 'static,
    ) -> Result<SubmissionDetail, StoreError> {
        self.writer
            .write(move |connection, effects| {
                let now = effects.now();
                let record = SqliteRecord::load(connection, id)?;
                let same_name = operator::same_name(connection, &record)?;
                record.change(connection, effects, |submission| rule(submission, &same_name, now))
            })
            .await?;
        self.get(id).await?.ok_or(StoreError::NotFound(id))
    }

    /// Rescues the steps of processes that have ended, and those whose lease had expired at a monotonic time.
    async fn rescue_lost(&self, expired: Option<i64>) -> Result<Rescued, StoreError> {
        let process_locks = self.process_locks.clone();
        let rescue = move |connection: &Connection, effects: &mut Effects| {
            let ended = process_locks.ended();
            let expired = expired.map(|millis| effects.at_monotonic(millis));
            Ok((leases::rescue(connection, effects, &ended, expired)?, ended))
        };
        let (rescued, ended) = self.writer.write(rescue).await?;
        if rescued == Rescued::default() {
            ended.into_iter().for_each(EndedProcess::forget);
        }
        Ok(rescued)
    }
}

fn location(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// Runs `op` so that all its statements see the same state of the file.
fn within_snapshot<T>(
    connection: &Connection,
    op: impl FnOnce(&Connection) -> Result<T, SqliteError>,
) -> Result<T, SqliteError> {
    op(&*connection.unchecked_transaction()?)
}

#[async_trait]
impl Store for SqliteStore {
    fn location(&self) -> String {
        location(&self.path)
    }

    async fn accept(&self, batch: Vec<NewSubmission>) -> Result<Vec<Accepted>, StoreError> {
        let mut packed = compress_all(batch).await;
        self.writer
            .write(move |connection, effects| {
                for (new, _) in &mut packed {
                    new.shift(-effects.offset());
                }
                accept::accept(connection, effects, &packed)
            })
            .await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, StoreError> {
        let claiming = Claiming { request, policy: self.health, id: self.claim_ids.next() };
        let (turns, process_locks) = (self.turns.clone(), self.process_locks.clone());
        self.writer
            .write(move |connection, effects| {
                process_locks.hold();
                let claims = claim::claim(connection, effects, &claiming, &mut turns.lock())?;
                Ok(Claims { claims: claims.claims.shown(effects.offset()), ..claims })
            })
            .await
    }

    async fn commit(&self, batch: Vec<Commit>) -> Result<Vec<Committed>, StoreError> {
        let packed = compress_contents(batch).await;
        let policy = self.health;
        self.writer
            .write(move |connection, effects| {
                let commits = packed.iter();
                commits.map(|one| leases::commit(connection, effects, one, &policy)).collect()
            })
            .await
    }

    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<bool>, StoreError> {
        self.writer
            .write(move |connection, effects| {
                leases::renew(connection, &leases, lease, effects.now())
            })
            .await
    }

    async fn release(&self, claims: Vec<Claim>) -> Result<(), StoreError> {
        self.writer
            .write(move |connection, effects| {
                claims.iter().try_for_each(|claim| leases::release(connection, effects, claim))
            })
            .await
    }

    async fn rescue(&self) -> Result<Rescued, StoreError> {
        self.rescue_lost(Some(self.clock.monotonic())).await
    }

    async fn rescue_ended(&self) -> Result<Rescued, StoreError> {
        self.rescue_lost(None).await
    }

    fn notices_ended_processes(&self) -> bool {
        true
    }

    fn wakeups(&self) -> &Wakeups {
        self.watcher.get_or_init(|| watch::watch(&self.path, self.writer.clone()));
        &self.wakeups
    }

    fn continuity(&self) -> &Continuity {
        &self.continuity
    }

    async fn look(&self) -> Result<Standing, StoreError> {
        self.compare().await
    }

    async fn report_loss(&self, loss: &Loss) -> Result<(), StoreError> {
        let loss = loss.to_string();
        self.writer.write(move |connection, _| standing::save_loss(connection, &loss)).await
    }

    async fn acknowledge_loss(&self) -> Result<(), StoreError> {
        self.writer.write(|connection, _| standing::renew_epoch(connection)).await
    }

    async fn payload(&self, id: SubmissionId) -> Result<Payload, StoreError> {
        self.read(move |reader| {
            blobs::read_payload(reader.connection, id).map_err(|error| error.of_record(id))
        })
        .await
    }

    async fn content(&self, id: SubmissionId, key: &str) -> Result<Option<Content>, StoreError> {
        let key = key.to_owned();
        self.read(move |reader| {
            blobs::read_content(reader.connection, id, &key).map_err(|error| error.of_record(id))
        })
        .await
    }

    async fn get(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, StoreError> {
        self.read(move |reader| Ok(reader.get(id)?.shown(reader.offset))).await
    }

    async fn timeline(&self, id: SubmissionId) -> Result<Vec<TimelineEntry>, StoreError> {
        self.read(move |reader| {
            let timeline = reader.timeline(id).map_err(|error| error.of_record(id))?;
            Ok(timeline.shown(reader.offset))
        })
        .await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Events, StoreError> {
        self.read(move |reader| {
            let page = reader.events(after, limit)?;
            Ok(Events { events: page.events.shown(reader.offset), ..page })
        })
        .await
    }

    async fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let filter = filter.clone();
        self.read(move |reader| {
            let filter = filter.shown(-reader.offset);
            Ok(reader.list(&filter, after, limit)?.shown(reader.offset))
        })
        .await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.read(|reader| Ok(reader.stats(None)?.shown(reader.offset))).await
    }

    async fn stats_of(&self, account: &str) -> Result<Stats, StoreError> {
        let account = account.to_owned();
        self.read(move |reader| Ok(reader.stats(Some(&account))?.shown(reader.offset))).await
    }

    async fn pause(&self, account: &str, reason: &str) -> Result<(), StoreError> {
        let (account, reason) = (account.to_owned(), reason.to_owned());
        self.writer.write(move |connection, _| operator::pause(connection, &account, &reason)).await
    }

    async fn resume(&self, account: &str) -> Result<bool, StoreError> {
        let mut changed = false;
        loop {
            let account = account.to_owned();
            let resume = move |connection: &Connection, effects: &mut Effects| {
                operator::resume(connection, effects, &account)
            };
            let resumed = self.writer.write(resume).await?;
            changed |= resumed.changed;
            if !resumed.is_partial {
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
        self.change(id, move |submission, same_name, now| {
            action.apply(submission, same_name, deadline, now)
        })
        .await
    }

    async fn declare_ambiguous(&self, id: SubmissionId) -> Result<SubmissionDetail, StoreError> {
        self.change(id, |submission, _, now| submission.declare_ambiguous(now)).await
    }

    async fn sweep(&self, retention: Duration) -> Result<u64, StoreError> {
        let sweep = move |connection: &Connection, effects: &mut Effects| {
            operator::sweep(connection, effects, retention)
        };
        let swept = self.writer.write(sweep).await?;
        // One after the other, so that other jobs of the writer come between them.
        for _ in 0..space::PIECES {
            if !self.writer.write(|connection, _| space::return_pages(connection)).await? {
                break;
            }
        }
        Ok(swept)
    }

    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        let beat = move |connection: &Connection, effects: &mut Effects| {
            processes::beat(connection, &heartbeat, effects.now())
        };
        self.writer.write(beat).await
    }

    async fn end_process(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.writer.write(move |connection, _| processes::end(connection, &id)).await
    }

    async fn processes(&self) -> Result<StoredProcesses, StoreError> {
        self.read(|reader| Ok(processes::list(reader)?.shown(reader.offset))).await
    }

    async fn probe_write(&self) -> Result<(), StoreError> {
        self.writer.write(|connection, _| standing::touch(connection)).await
    }

    async fn check(&self) -> Result<Vec<CheckResult>, StoreError> {
        let is_written = matches!(self.access, Access::Write);
        let mut findings = self.read(move |reader| check::check(reader, is_written)).await?;
        findings.extend(is_written.then(|| free_space(&self.path)).flatten());
        Ok(findings)
    }
}
