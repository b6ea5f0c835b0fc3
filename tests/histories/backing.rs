//! The store behind a history: in memory, an SQLite file in memory, or a namespace of a Redis server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ferry_store::Store;
use ferry_store::memory::{MemoryStore, Snapshot};
use ferry_store::redis::{Durability, RedisAddress, RedisStore};
use ferry_store::sqlite::SqliteStore;
use ferry_testing::{RedisServer, own_namespace};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::SubmissionParts;
use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::time::Time;

/// The kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Memory,
    Sqlite,
    Redis,
}

/// The store of a history. Each worker opens it for itself.
#[derive(Debug)]
pub(crate) struct Backing {
    time: Time,
    place: Place,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
enum Place {
    Memory(MemoryStore),
    Sqlite(TempDir),
    Redis(Box<RedisAddress>),
}

impl Backing {
    pub(crate) fn new(kind: StoreKind, time: &Time) -> Self {
        let place = match kind {
            StoreKind::Memory => {
                Place::Memory(MemoryStore::new(Arc::new(time.clone()), HealthPolicy::default()))
            }
            StoreKind::Sqlite => Place::Sqlite(migrated_copy()),
            StoreKind::Redis => {
                let address = RedisAddress::new(&server().url()).expect("a URL");
                Place::Redis(Box::new(address.with_namespace(&own_namespace())))
            }
        };
        let runtime = (kind != StoreKind::Memory)
            .then(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
        Self { time: time.clone(), place, runtime }
    }

    /// Opens the store, as a process does.
    pub(crate) fn open(&self) -> Arc<dyn Store> {
        let (clock, health) = (Arc::new(self.time.clone()), HealthPolicy::default());
        match &self.place {
            Place::Memory(store) => Arc::new(store.clone()),
            Place::Sqlite(dir) => {
                let store = self.run(async { SqliteStore::open(&file(dir.path()), clock, health) });
                Arc::new(store.expect("the file can be opened"))
            }
            Place::Redis(address) => {
                let store = RedisStore::new(address, Durability::Server, health);
                Arc::new(store.expect("the address is valid").with_clock(clock))
            }
        }
    }

    /// Waits for a call of a store.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.block_on(call),
            None => call.now_or_never().expect("the store in memory answers at once"),
        }
    }

    /// Snapshot of the store, if it can go back.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.memory().map(MemoryStore::snapshot)
    }

    pub(crate) fn restore(&self, snapshot: Snapshot) {
        if let Some(store) = self.memory() {
            store.restore(snapshot);
        }
    }

    /// Plants an error.
    pub(crate) fn spoil(&self, id: SubmissionId, change: impl FnOnce(&mut SubmissionParts)) {
        if let Some(store) = self.memory() {
            store.spoil(id, change);
        }
    }

    fn memory(&self) -> Option<&MemoryStore> {
        match &self.place {
            Place::Memory(store) => Some(store),
            Place::Sqlite(_) | Place::Redis(_) => None,
        }
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join("ferry.db")
}

/// In memory where the system has such a directory: SQLite syncs each transaction.
fn directory() -> TempDir {
    let shared = Path::new("/dev/shm");
    let dir = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    dir.expect("a directory")
}

/// A copy of a file that was migrated once for all histories.
fn migrated_copy() -> TempDir {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let dir = directory();
        let (clock, health) = (Arc::new(Time::default()), HealthPolicy::default());
        let path = file(dir.path());
        drop(SqliteStore::open(&path, clock, health).expect("it can be made"));
        let connection = rusqlite::Connection::open(&path).expect("it was just made");
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(checkpoint, [], |_| Ok(())).expect("no other has it open");
        std::fs::read(path).expect("it was just made")
    });
    let dir = directory();
    std::fs::write(file(dir.path()), template).expect("there is room");
    dir
}

/// One server for all histories of a run.
fn server() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(RedisServer::start(&["--appendonly", "no"]))
    })
}
