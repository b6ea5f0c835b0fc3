//! The store behind a history: in memory, an SQLite file in memory, or a namespace of a Redis server.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ferry_store::Store;
use ferry_store::memory::MemoryStore;
use ferry_store::redis::{Durability, RedisAddress, RedisStore};
use ferry_store::sqlite::SqliteStore;
use ferry_testing::{RedisServer, own_namespace};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::SubmissionParts;
use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::earlier::{Earlier, read_file, read_keys, replace_file, replace_keys};
use crate::time::{Machine, Time};

/// The kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Memory,
    Sqlite,
    Redis,
}

thread_local! {
    /// Of all histories that a thread runs one after the other.
    static RUNTIME: Runtime = runtime();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The store of a history. Each worker opens it for itself.
#[derive(Debug)]
pub(crate) struct Backing {
    time: Time,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(MemoryStore),
    Sqlite(TempDir),
    Redis(Box<RedisPlace>),
}

/// A namespace of a Redis server.
#[derive(Debug)]
struct RedisPlace {
    address: RedisAddress,
    namespace: String,
    responses: Arc<Responses>,
}

/// Responses of the Redis server that do not arrive.
#[derive(Debug, Default)]
struct Responses {
    loses_next: AtomicBool,
    has_lost: AtomicBool,
}

impl Responses {
    /// True if the response that just came is lost.
    fn is_lost(&self) -> bool {
        let is_lost = self.loses_next.swap(false, Ordering::Relaxed);
        self.has_lost.fetch_or(is_lost, Ordering::Relaxed);
        is_lost
    }
}

impl Backing {
    pub(crate) fn new(kind: StoreKind, time: &Time) -> Self {
        let place = match kind {
            StoreKind::Memory => {
                Place::Memory(MemoryStore::new(Arc::new(time.clone()), HealthPolicy::default()))
            }
            StoreKind::Sqlite => Place::Sqlite(migrated_copy()),
            StoreKind::Redis => {
                let (namespace, responses) = (own_namespace(), Arc::default());
                let address = RedisAddress::new(&server().url()).expect("a URL");
                let address = address.with_namespace(&namespace);
                Place::Redis(Box::new(RedisPlace { address, namespace, responses }))
            }
        };
        Self { time: time.clone(), place }
    }

    /// Opens the store, as a process on a machine does. A file is on one machine.
    pub(crate) fn open(&self, machine: usize) -> Arc<dyn Store> {
        let (clock, health) = (Arc::new(self.time.clone()), HealthPolicy::default());
        match &self.place {
            Place::Memory(store) => Arc::new(store.clone()),
            Place::Sqlite(dir) => {
                let store = self.run(async { SqliteStore::open(&file(dir.path()), clock, health) });
                Arc::new(store.expect("the file can be opened"))
            }
            Place::Redis(place) => {
                let store = RedisStore::new(&place.address, Durability::Server, health);
                let clock = Machine(self.time.clone(), machine as u64);
                let store = store.expect("the address is valid").with_clock(Arc::new(clock));
                let responses = place.responses.clone();
                Arc::new(store.losing_responses(Arc::new(move || responses.is_lost())))
            }
        }
    }

    /// Waits for a call of a store.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> T {
        match &self.place {
            Place::Memory(_) => call.now_or_never().expect("the store in memory answers at once"),
            Place::Sqlite(_) | Place::Redis(_) => RUNTIME.with(|runtime| runtime.block_on(call)),
        }
    }

    /// All that the store has now.
    pub(crate) fn save(&self) -> Earlier {
        match &self.place {
            Place::Memory(store) => Earlier::Memory(Box::new(store.snapshot())),
            Place::Sqlite(dir) => Earlier::Sqlite(read_file(&file(dir.path()))),
            Place::Redis(place) => Earlier::Redis(read_keys(&mut connection(), &place.namespace)),
        }
    }

    /// Goes back to what the store had then.
    pub(crate) fn go_back(&self, earlier: Earlier) {
        match (&self.place, earlier) {
            (Place::Memory(store), Earlier::Memory(snapshot)) => store.restore(*snapshot),
            (Place::Sqlite(dir), Earlier::Sqlite(content)) => {
                replace_file(&file(dir.path()), &content);
            }
            (Place::Redis(place), Earlier::Redis(keys)) => {
                replace_keys(&mut connection(), &place.namespace, &keys);
            }
            _ => unreachable!("it was saved by the same store"),
        }
    }

    /// True if no process outlives a going back: that of SQLite is a restored file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.place, Place::Sqlite(_))
    }

    /// Has the next response to a change get lost on its way, if the store has a server.
    pub(crate) fn lose_next_response(&self) {
        if let Place::Redis(place) = &self.place {
            place.responses.loses_next.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn lose_no_response(&self) {
        if let Place::Redis(place) = &self.place {
            place.responses.loses_next.store(false, Ordering::Relaxed);
        }
    }

    /// True from then on, until [`Backing::has_lost_response`] is called.
    pub(crate) fn is_losing(&self) -> bool {
        let Place::Redis(place) = &self.place else { return false };
        place.responses.loses_next.load(Ordering::Relaxed)
            || place.responses.has_lost.load(Ordering::Relaxed)
    }

    /// True if a response got lost. The next one arrives.
    pub(crate) fn has_lost_response(&self) -> bool {
        self.lose_no_response();
        let Place::Redis(place) = &self.place else { return false };
        place.responses.has_lost.swap(false, Ordering::Relaxed)
    }

    /// Plants an error.
    pub(crate) fn spoil(&self, id: SubmissionId, change: impl FnOnce(&mut SubmissionParts)) {
        if let Some(store) = self.memory() {
            store.spoil(id, change);
        }
    }

    /// Plants an error.
    pub(crate) fn forget_late_uploads(&self) {
        self.memory().into_iter().for_each(MemoryStore::forget_late_uploads);
    }

    fn memory(&self) -> Option<&MemoryStore> {
        match &self.place {
            Place::Memory(store) => Some(store),
            Place::Sqlite(_) | Place::Redis(_) => None,
        }
    }
}

impl Drop for Backing {
    /// Other histories use the server, too.
    fn drop(&mut self) {
        if let Place::Redis(place) = &self.place {
            replace_keys(&mut connection(), &place.namespace, &[]);
        }
    }
}

fn connection() -> redis::Connection {
    let client = redis::Client::open(server().url()).expect("a URL");
    client.get_connection().expect("the server is there")
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
    SERVER.get_or_init(|| runtime().block_on(RedisServer::start(&["--appendonly", "no"])))
}
