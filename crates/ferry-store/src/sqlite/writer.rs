//! The one thread that writes: it takes whatever jobs are waiting into one transaction, so that many
//! of them share one sync to the disk, and responds to them when that is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::access::Access;
use super::effects::Effects;
use super::error::SqliteError;
use super::named::Named;
use super::{accept, schema, standing};
use crate::continuity::Asked;
use crate::store_time::{StoreClock, StoreTime, StoredTime};
use crate::{StoreError, UnwritableReason, Wakeups};

/// The most jobs that share a transaction.
const GROUP: usize = 128;

/// Reports the outcome to a job's caller, once the transaction is committed or has failed.
type WriteReply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Runs inside the transaction, or learns that there is none.
type Work = Box<dyn FnOnce(Result<(&Connection, &mut Effects), StoreError>) -> WriteReply + Send>;

enum WriteJob {
    Work(Work),
    /// Look whether another process has written.
    Look,
    /// Open the file that is at the path now.
    Reopen(oneshot::Sender<Result<(), StoreError>>),
}

/// Sends jobs to the thread that writes. The thread ends with the last handle.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::UnboundedSender<WriteJob>,
    /// True while a look is already requested.
    looking: Arc<AtomicBool>,
    location: Arc<str>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        access: Access,
        wakeups: Arc<Wakeups>,
        named: Arc<Named>,
        clock: Arc<StoreClock>,
    ) -> Result<Self, StoreError> {
        let (jobs, incoming) = mpsc::unbounded_channel();
        let location: Arc<str> = named.location().into();
        let looking = Arc::<AtomicBool>::default();
        let mut thread = WriterThread {
            connection,
            access,
            wakeups,
            named,
            clock,
            location: location.clone(),
            looking: looking.clone(),
            version: None,
        };
        // From here on nothing that others write is missed.
        thread.notice_others();
        thread.compare(&thread.named.continuity().ask());
        thread::Builder::new()
            .name("ferry-sqlite".to_owned())
            .spawn(move || thread.run(incoming))
            .map_err(|error| StoreError::Unusable(format!("cannot start a thread: {error}")))?;
        Ok(Self { jobs, looking, location })
    }

    /// Runs `op` inside a transaction, shared with whatever else is waiting; if `op` fails, nothing
    /// of it is stored. Returns when the transaction is on the disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        op: impl FnOnce(&Connection, &mut Effects) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, response) = oneshot::channel();
        let location = self.location.clone();
        let work: Work = Box::new(move |transaction| {
            let result = transaction.and_then(|(connection, effects)| {
                apart(connection, effects, op).map_err(|error| error.with_location(&location))
            });
            Box::new(move |committed: Result<(), StoreError>| {
                // A caller that was dropped no longer listens; what it asked for is done all the same.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value)));
            })
        });
        self.jobs.send(WriteJob::Work(work)).map_err(|_| self.ended())?;
        response.await.map_err(|_| self.ended())?
    }

    /// Opens the file that is at the path now, instead of the one that was there.
    pub(super) async fn reopen(&self) -> Result<(), StoreError> {
        let (sender, response) = oneshot::channel();
        self.jobs.send(WriteJob::Reopen(sender)).map_err(|_| self.ended())?;
        response.await.map_err(|_| self.ended())?
    }

    fn ended(&self) -> StoreError {
        let cause = "its writer has ended".to_owned();
        StoreError::Unavailable { location: self.location.to_string(), cause }
    }

    /// Has the writer look whether another process has written.
    pub(super) fn look(&self) {
        // This process's own commits cause many looks: one at a time is enough.
        if !self.looking.swap(true, Ordering::SeqCst) {
            // A writer that has ended wakes no worker.
            let _ = self.jobs.send(WriteJob::Look);
        }
    }
}

/// Runs one job so that its failure does not touch the others of the group.
fn apart<T>(
    connection: &Connection,
    effects: &mut Effects,
    op: impl FnOnce(&Connection, &mut Effects) -> Result<T, SqliteError>,
) -> Result<T, SqliteError> {
    let mark = effects.mark();
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let result = op(connection, effects);
    if result.is_err() {
        effects.rewind(mark);
    }
    let ended = end_savepoint(connection, result.is_ok());
    if ended.is_err() && !connection.is_autocommit() {
        // What the job left behind must not be committed with the others. Where this fails too, the
        // COMMIT does, and says why.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result.and_then(|value| ended.map(|()| value))
}

fn end_savepoint(connection: &Connection, keep: bool) -> Result<(), SqliteError> {
    if !keep {
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}

/// Without its writer a process can record nothing, and would hold its steps for ever: it ends
/// instead, and another one takes them over.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!("the store's writer panicked: ending the process");
            std::process::abort();
        }
    }
}

struct WriterThread {
    connection: Connection,
    access: Access,
    wakeups: Arc<Wakeups>,
    named: Arc<Named>,
    clock: Arc<StoreClock>,
    location: Arc<str>,
    looking: Arc<AtomicBool>,
    /// Changes when another connection has written.
    version: Option<i64>,
}

impl WriterThread {
    fn run(mut self, mut incoming: mpsc::UnboundedReceiver<WriteJob>) {
        let _guard = AbortOnPanic;
        let mut group = Vec::with_capacity(GROUP);
        while incoming.blocking_recv_many(&mut group, GROUP) > 0 {
            self.run_group(&mut group);
        }
        self.save_deleted_log();
    }

    fn run_group(&mut self, group: &mut Vec<WriteJob>) {
        // Before looking: what is written from now on is worth another look.
        self.looking.store(false, Ordering::SeqCst);
        let mut work = Vec::with_capacity(group.len());
        for job in group.drain(..) {
            match job {
                WriteJob::Work(job) => work.push(job),
                WriteJob::Look => {}
                // A caller that was dropped no longer listens.
                WriteJob::Reopen(response) => drop(response.send(self.reopen())),
            }
        }
        // Also for a look alone: another process's writing is announced before it is committed, and
        // a transaction begins when that is done.
        let (responses, outcome) = self.transact(work);
        self.notice_others();
        for response in responses {
            response(outcome.clone());
        }
    }

    fn transact(&self, work: Vec<Work>) -> (Vec<WriteReply>, Result<(), StoreError>) {
        let requested = self.named.continuity().ask();
        // Nothing is written to a file that has no name any more.
        let named = self.named.check().inspect_err(|_| self.save_deleted_log());
        let started = named.and_then(|()| self.begin());
        let started = started.map_err(|error| error.with_location(&self.location));
        let stored = started.and_then(|()| self.stored_time());
        let known = stored.as_ref().is_ok_and(Option::is_some);
        let time = self.clock.read(stored.as_ref().ok().copied().flatten().unwrap_or_default());
        let mut started = stored.and_then(|_| self.move_starts(&time));
        let mut effects = Effects::at(time);
        let changes = self.connection.total_changes();
        let mut responses = Vec::with_capacity(work.len());
        for work in work {
            responses.push(work(started.clone().map(|()| (&self.connection, &mut effects))));
            // A full disk, for one, ends the transaction of all: no job may continue without one.
            if started.is_ok() && self.connection.is_autocommit() {
                let cause = "the transaction had to be rolled back".to_owned();
                started =
                    Err(StoreError::Unavailable { location: self.location.to_string(), cause });
            }
        }
        let is_changed = self.connection.total_changes() != changes;
        let outcome = started
            .and_then(|()| self.commit(&effects, time.to_store(is_changed).filter(|_| known)));
        if outcome.is_ok() {
            self.clock.passed(&time, &self.location);
            self.compare(&requested);
            effects.wake(&self.wakeups);
        }
        (responses, outcome)
    }

    fn begin(&self) -> Result<(), SqliteError> {
        if let Access::Read { cause, .. } = &self.access {
            let (location, cause) = (self.location.to_string(), cause.clone());
            let reason = UnwritableReason::ReadOnly;
            let error = StoreError::NotWritable { location, reason, cause };
            return Err(SqliteError::Store(error));
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Writes into the file what only the deleted log has, before this process ends and with it the last copy.
    fn save_deleted_log(&self) {
        if !self.named.has_lost_its_log() {
            return;
        }
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let pages = self
            .connection
            .query_row(checkpoint, [], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?)));
        match pages {
            Ok((false, ..=0)) => {}
            Ok((false, pages)) => {
                info!(pages, "saved what the deleted write-ahead log had");
            }
            Ok((true, _)) => {
                warn!("cannot save the deleted write-ahead log yet, retrying: it is in use");
            }
            Err(error) => warn!(%error, "cannot save the deleted write-ahead log yet, retrying"),
        }
    }

    fn stored_time(&self) -> Result<Option<StoredTime>, StoreError> {
        standing::stored_time(&self.connection).map_err(|error| {
            // Where this fails too, the next BEGIN does, and says why.
            let _ = self.connection.execute_batch("ROLLBACK");
            error.with_location(&self.location)
        })
    }

    /// Before the jobs of the transaction, which may bring further starts.
    fn move_starts(&self, time: &StoreTime) -> Result<(), StoreError> {
        if time.step() == 0 {
            return Ok(());
        }
        accept::move_starts(&self.connection, time.step(), time.now).map_err(|error| {
            // Where this fails too, the next BEGIN does, and says why.
            let _ = self.connection.execute_batch("ROLLBACK");
            error.with_location(&self.location)
        })
    }

    fn commit(&self, effects: &Effects, time: Option<StoredTime>) -> Result<(), StoreError> {
        let saved = effects
            .save(&self.connection)
            .and_then(|()| time.map_or(Ok(()), |time| standing::save_time(&self.connection, time)));
        let committed = saved.and_then(|()| {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        });
        // Acknowledged is only what can be found again.
        let committed = committed.and_then(|()| self.named.check());
        committed.map_err(|error| {
            if !self.connection.is_autocommit() {
                // Where this fails too, the next BEGIN does, and says why.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            error.with_location(&self.location)
        })
    }

    /// Compares the history of events with what this process has seen of it.
    fn compare(&self, requested: &Asked) {
        // What cannot be read proves nothing; the next transaction does.
        if let Ok(standing) = standing::read(&self.connection, requested.number()) {
            self.named.continuity().saw(requested, &standing);
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let path = self.named.path();
        self.connection = match &self.access {
            Access::Write => schema::open_writer(path)?,
            access @ Access::Read { .. } => access.open_reader(path)?,
        };
        self.named.reopened();
        self.version = None;
        self.wakeups.all();
        Ok(())
    }

    fn notice_others(&mut self) {
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        if let Ok(version) = version
            && self.version.replace(version).is_some_and(|before| before != version)
        {
            self.wakeups.all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer whose file cannot grow beyond a few pages.
    fn small() -> (tempfile::TempDir, Writer) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("small.db");
        let connection = Connection::open(&path).unwrap();
        let setup = "PRAGMA journal_mode = wal; CREATE TABLE counts (account, state, submissions);
             CREATE TABLE store (clock_offset, clock_seen, clock_monotonic, clock_boot);
             CREATE TABLE kept (text); PRAGMA max_page_count = 40";
        connection.execute_batch(setup).unwrap();
        let named = Arc::new(Named::new(&path, "a small disk", Arc::default()));
        let clock = Arc::new(StoreClock::new(Arc::new(ferry_types::clock::SystemClock)));
        let writer = Writer::start(connection, Access::Write, Arc::default(), named, clock);
        (dir, writer.unwrap())
    }

    fn keep(writer: &Writer, text: String) -> tokio::task::JoinHandle<Result<(), StoreError>> {
        let writer = writer.clone();
        tokio::spawn(async move {
            let insert = move |connection: &Connection, _: &mut Effects| {
                connection.execute("INSERT INTO kept VALUES (?1)", [text])?;
                Ok(())
            };
            writer.write(insert).await
        })
    }

    async fn count(writer: &Writer) -> i64 {
        let count = |connection: &Connection, _: &mut Effects| {
            Ok(connection.query_row("SELECT count(*) FROM kept", [], |row| row.get(0))?)
        };
        writer.write(count).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_accepted_is_stored_although_the_disk_is_full() {
        let (_dir, writer) = small();
        let (started, mut starts) = mpsc::unbounded_channel();
        let (open, opened) = std::sync::mpsc::channel::<()>();
        let blocker = writer.clone();
        let blocker = tokio::spawn(async move {
            let wait = move |_: &Connection, _: &mut Effects| {
                started.send(()).map_err(SqliteError::corrupt)?;
                opened.recv().map_err(SqliteError::corrupt)
            };
            blocker.write(wait).await
        });
        starts.recv().await.unwrap();
        // These share a transaction: they wait together.
        let mut jobs = Vec::new();
        for text in ["a", "b", &"too much".repeat(100_000), "c"] {
            jobs.push(keep(&writer, text.to_owned()));
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();
        blocker.await.unwrap().unwrap();
        let mut kept = 0;
        for job in jobs {
            kept += i64::from(job.await.unwrap().is_ok());
        }
        assert_eq!(count(&writer).await, kept);
        keep(&writer, "later".to_owned()).await.unwrap().unwrap();
        assert_eq!(count(&writer).await, kept + 1);
    }

    #[tokio::test]
    async fn a_failed_job_leaves_the_others_of_its_transaction_alone() {
        let (_dir, writer) = small();
        let failing = {
            let writer = writer.clone();
            tokio::spawn(async move {
                let fail = |connection: &Connection, _: &mut Effects| {
                    connection.execute("INSERT INTO kept VALUES ('half done')", [])?;
                    Err::<(), _>(SqliteError::Corrupt("no".to_owned()))
                };
                writer.write(fail).await
            })
        };
        let good = keep(&writer, "good".to_owned());
        assert!(matches!(failing.await.unwrap(), Err(StoreError::Unusable(_))));
        good.await.unwrap().unwrap();
        assert_eq!(count(&writer).await, 1);
    }
}
