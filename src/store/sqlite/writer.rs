//! The one thread that writes: it takes whatever jobs are waiting into one transaction, so that many
//! of them share one sync to the disk, and answers them when that is done.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::effects::Effects;
use super::fault::Fault;
use crate::store::{StoreError, Wakeups};

/// The most jobs that share a transaction.
const GROUP: usize = 128;

/// Tells a job's caller what became of it, once the transaction is committed or not.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Runs inside the transaction, or learns that there is none.
type Job = Box<dyn FnOnce(Result<(&Connection, &mut Effects), StoreError>) -> Answer + Send>;

/// Hands jobs to the thread that writes. The thread ends with the last handle.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::UnboundedSender<Job>,
    place: Arc<str>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        path: &Path,
        wakeups: Arc<Wakeups>,
    ) -> Result<Self, StoreError> {
        let (jobs, incoming) = mpsc::unbounded_channel();
        let place: Arc<str> = path.display().to_string().into();
        let thread = WriterThread { connection, wakeups, place: place.clone(), version: None };
        thread::Builder::new()
            .name("ferry-sqlite".to_owned())
            .spawn(move || thread.run(incoming))
            .map_err(|error| StoreError::Unusable(format!("cannot start a thread: {error}")))?;
        Ok(Self { jobs, place })
    }

    /// Runs `op` inside a transaction, shared with whatever else is waiting; if `op` fails, nothing
    /// of it is kept. Returns when the transaction is on the disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        op: impl FnOnce(&Connection, &mut Effects) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, answer) = oneshot::channel();
        let place = self.place.clone();
        let job: Job = Box::new(move |transaction| {
            let result = transaction.and_then(|(connection, effects)| {
                apart(connection, effects, op).map_err(|fault| fault.at(&place))
            });
            Box::new(move |committed: Result<(), StoreError>| {
                // A caller that was dropped no longer listens; what it asked for is done all the same.
                let _ = sender.send(committed.and(result));
            })
        });
        let gone = || StoreError::Unavailable {
            place: self.place.to_string(),
            cause: "its writer has ended".to_owned(),
        };
        self.jobs.send(job).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Has the writer look whether another process has written.
    pub(super) fn look(&self) {
        // A writer that has ended has nobody to wake.
        let _ = self.jobs.send(Box::new(|_| Box::new(|_| ())));
    }
}

/// Runs one job so that its failure does not touch the others of the group.
fn apart<T>(
    connection: &Connection,
    effects: &mut Effects,
    op: impl FnOnce(&Connection, &mut Effects) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mark = effects.mark();
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let result = op(connection, effects);
    if result.is_err() {
        effects.rewind(mark);
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    result
}

struct WriterThread {
    connection: Connection,
    wakeups: Arc<Wakeups>,
    place: Arc<str>,
    /// Changes when another connection has written.
    version: Option<i64>,
}

impl WriterThread {
    fn run(mut self, mut incoming: mpsc::UnboundedReceiver<Job>) {
        let mut group = Vec::with_capacity(GROUP);
        while incoming.blocking_recv_many(&mut group, GROUP) > 0 {
            self.run_group(&mut group);
        }
    }

    fn run_group(&mut self, group: &mut Vec<Job>) {
        let mut effects = Effects::default();
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        let begun = begun.map_err(|error| Fault::from(error).at(&self.place));
        let answers: Vec<Answer> = group
            .drain(..)
            .map(|job| job(begun.clone().map(|()| (&self.connection, &mut effects))))
            .collect();
        let outcome = begun.and_then(|()| self.commit(&effects));
        if outcome.is_ok() {
            effects.wake(&self.wakeups);
        }
        self.notice_others();
        for answer in answers {
            answer(outcome.clone());
        }
    }

    fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        let saved = effects.save_counts(&self.connection);
        let committed = saved.and_then(|()| Ok(self.connection.execute_batch("COMMIT")?));
        committed.map_err(|fault| {
            if !self.connection.is_autocommit() {
                // Where this fails too, the next BEGIN does, and says why.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            fault.at(&self.place)
        })
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
