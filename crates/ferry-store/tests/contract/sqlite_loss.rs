//! A file that is deleted, replaced or restored under an open store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferry_store::sqlite::SqliteStore;
use ferry_store::{ClaimRequest, Store, StoreError};
use ferry_testing::pause;
use ferry_types::clock::SystemClock;
use ferry_types::domain::submission::StepKind;
use rusqlite::Connection;
use tempfile::TempDir;

use super::subject::{LEASE, health_policy, new};

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A store that watches its file, as that of a worker does.
    fn open(&self, name: &str) -> SqliteStore {
        let clock = Arc::new(SystemClock);
        let store = SqliteStore::open(&self.at(name), clock, health_policy()).unwrap();
        store.wakeups().all();
        store
    }

    /// Copies the store as an operator does for a backup.
    fn back_up(&self, to: &str) {
        let into = format!("VACUUM INTO '{}'", self.at(to).display());
        Connection::open(self.at("ferry.db")).unwrap().execute_batch(&into).unwrap();
    }

    fn count(&self, name: &str) -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(self.at(name), flags).unwrap();
        connection.query_row("SELECT count(*) FROM submissions", [], |row| row.get(0)).unwrap()
    }
}

async fn accept(store: &SqliteStore, names: &[&str]) {
    store.accept(names.iter().map(|name| new(name)).collect()).await.unwrap();
}

/// Asserts that an operation of a store that lost data fails.
#[track_caller]
fn fails<T: std::fmt::Debug>(response: &Result<T, StoreError>, cause: &str) {
    let text = format!("{response:?}");
    assert!(
        matches!(response, Err(StoreError::Unavailable { .. })) && text.contains(cause),
        "{text}"
    );
}

async fn all_fails(store: &SqliteStore, cause: &str) {
    let kind = StepKind::Upload;
    let request = ClaimRequest { kind, limit: 9, lease: LEASE, account_limits: Arc::default() };
    fails(&store.accept(vec![new("lost")]).await, cause);
    fails(&store.claim(request).await, cause);
    fails(&store.stats().await, cause);
    fails(&store.events(0, 10).await, cause);
}

/// Waits until the store noticed by itself.
async fn until_noticed(store: &SqliteStore) {
    let started = Instant::now();
    while store.continuity().loss().is_none() {
        assert!(started.elapsed() < Duration::from_secs(10), "the loss is not noticed");
        pause().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_file_is_noticed_at_once_and_nothing_is_written_any_more() {
    let file = File::new();
    let store = file.open("ferry.db");
    accept(&store, &["a", "b"]).await;
    for name in ["ferry.db", "ferry.db-wal", "ferry.db-shm"] {
        std::fs::remove_file(file.at(name)).unwrap();
    }
    until_noticed(&store).await;
    all_fails(&store, "its file was deleted").await;
    let loss = store.continuity().loss().unwrap();
    assert_eq!((loss.before.number, loss.after.number, store.continuity().losses()), (2, 0, 1));
    assert_eq!(std::fs::read_dir(file.0.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_comes_back_is_used_again_and_nothing_is_lost() {
    for is_folder_there in [false, true] {
        let file = File::new();
        let store = file.open("ferry.db");
        accept(&store, &["a"]).await;
        std::fs::rename(file.at("ferry.db"), file.at("away.db")).unwrap();
        if is_folder_there {
            std::fs::create_dir(file.at("ferry.db")).unwrap();
        }
        until_noticed(&store).await;
        all_fails(&store, "deleted").await;
        if is_folder_there {
            std::fs::remove_dir(file.at("ferry.db")).unwrap();
        }
        std::fs::rename(file.at("away.db"), file.at("ferry.db")).unwrap();
        store.look().await.unwrap();
        assert_eq!(store.continuity().loss(), None);
        accept(&store, &["b"]).await;
        assert_eq!(file.count("ferry.db"), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_is_left_alone_until_an_operator_acknowledges_it() {
    let file = File::new();
    let store = file.open("ferry.db");
    accept(&store, &["a"]).await;
    file.back_up("backup.db");
    accept(&store, &["b", "c"]).await;
    // Readers that are idle have the old file open.
    store.stats().await.unwrap();
    std::fs::rename(file.at("backup.db"), file.at("ferry.db")).unwrap();
    until_noticed(&store).await;
    all_fails(&store, "its file was replaced").await;
    assert!(!log_of(&file.at("ferry.db")).exists(), "the log of the old file is not mixed in");
    store.look().await.unwrap();
    let loss = store.continuity().loss().unwrap();
    assert_eq!((loss.before.number, file.count("ferry.db")), (3, 1));
    // The operator's own process.
    file.open("ferry.db").acknowledge_loss().await.unwrap();
    let started = Instant::now();
    while store.continuity().loss().is_some() {
        store.look().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(10), "it is not acknowledged");
    }
    accept(&store, &["d"]).await;
    assert_eq!((store.look().await.unwrap().newest.number, file.count("ferry.db")), (2, 2));
    assert_eq!(store.stats().await.unwrap().unfinished(), 2);
    assert_eq!(store.continuity().losses(), 1);
    drop(store);
    assert_eq!(file.count("ferry.db"), 2);
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_restored_into_the_file_is_noticed_by_the_next_transaction() {
    let file = File::new();
    let store = file.open("ferry.db");
    accept(&store, &["a"]).await;
    // As a restored backup has it.
    let back = "DELETE FROM events WHERE cursor > 1; DELETE FROM submissions WHERE seq > 1;
                DELETE FROM payloads WHERE submission > 1; DELETE FROM timeline WHERE submission > 1;
                UPDATE sqlite_sequence SET seq = 1";
    accept(&store, &["b", "c"]).await;
    file.back_up("backup.db");
    Connection::open(file.at("ferry.db")).unwrap().execute_batch(back).unwrap();
    until_noticed(&store).await;
    accept(&store, &["d", "e", "f"]).await;
    let loss = store.continuity().loss().unwrap();
    assert_eq!((loss.before.number, loss.after.number), (3, 1));
    store.report_loss(&loss).await.unwrap();
    assert!(store.look().await.unwrap().reported.unwrap().contains("-3`"));
    store.acknowledge_loss().await.unwrap();
    assert_eq!(store.look().await.unwrap().reported, None);
    assert_eq!(store.continuity().loss(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_were_removed_are_a_loss_for_old_and_new_processes() {
    for (removed, left) in [("DELETE FROM events", 0), ("DELETE FROM events WHERE cursor > 1", 1)] {
        let file = File::new();
        let store = file.open("ferry.db");
        accept(&store, &["a", "b", "c"]).await;
        Connection::open(file.at("ferry.db")).unwrap().execute_batch(removed).unwrap();
        until_noticed(&store).await;
        let fresh = file.open("ferry.db");
        fresh.look().await.unwrap();
        for store in [&store, &fresh] {
            let loss = store.continuity().loss().expect(removed);
            assert_eq!((loss.before.number, loss.after.number), (3, left), "{loss}");
        }
        fresh.acknowledge_loss().await.unwrap();
        for store in [&store, &fresh, &file.open("ferry.db")] {
            store.look().await.unwrap();
            assert_eq!(store.continuity().loss(), None);
        }
        accept(&fresh, &["d"]).await;
        assert_eq!(file.open("ferry.db").look().await.unwrap().newest.number, left + 1);
    }
}
