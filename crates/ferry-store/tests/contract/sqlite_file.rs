//! SQLite as a subject of the contracts, and what only a file can promise.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ferry_store::sqlite::SqliteStore;
use ferry_store::{
    Accepted, Claim, Commit, Committed, Filter, NewSubmission, Rescued, Store, StoreError,
};
use ferry_types::domain::Heartbeat;
use ferry_types::domain::submission::{LATE_UPLOAD, State, StepKind};
use rusqlite::Connection;

use super::subject::{DAY, ManualClock, Place, Subject, health_policy, ids, millis, new, on};
use super::transitions as t;
use super::waking::{asleep, wakes};

/// A file in a directory of its own.
#[derive(Clone)]
pub(super) struct SqliteFile {
    dir: Arc<tempfile::TempDir>,
    clock: Arc<ManualClock>,
}

impl SqliteFile {
    pub(super) fn new() -> Self {
        let clock = ManualClock::new();
        Self { dir: Arc::new(tempfile::tempdir().unwrap()), clock }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("ferry.db")
    }

    fn open_store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.path(), self.clock.clone(), health_policy()).unwrap())
    }

    /// A look past the store.
    pub(super) fn connection(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// Brings all that is in the log into the file.
    pub(super) fn checkpoint(&self) {
        let checkpoint = "PRAGMA wal_checkpoint(truncate)";
        let busy: i64 = self.connection().query_row(checkpoint, [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0);
    }
}

#[async_trait]
impl Place for SqliteFile {
    async fn open(&self) -> Arc<dyn Store> {
        self.open_store()
    }

    async fn fresh(&self) -> Subject {
        subject().await
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

pub(super) async fn subject() -> Subject {
    Subject::at(SqliteFile::new()).await
}

#[tokio::test]
async fn what_was_accepted_and_begun_survives_the_end_of_the_process() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let [queued, started] = subject.accept_all([new("a"), new("b")]).await[..] else { panic!() };
    subject.store.cancel(queued).await.unwrap();
    let claim = subject.claim_one(StepKind::Upload).await;
    drop(subject);
    let subject = Subject::at(file).await;
    assert_eq!(subject.state(queued).await, State::Cancelled);
    let submission = subject.get(started).await;
    assert_eq!((submission.state, submission.upload_attempts), (State::Uploading, 1));
    assert_eq!(submission.leased_until, claim.submission.leased_until);
    subject.store.payload(started).await.unwrap();
    subject.commit(&claim, t::uploaded(millis(0))).await;
}

#[tokio::test]
async fn a_write_without_the_stored_time_fails_and_the_next_one_succeeds() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let rename = |from: &str, to: &str| {
        let sql = format!("ALTER TABLE store RENAME COLUMN {from} TO {to}");
        file.connection().execute(&sql, []).unwrap();
    };
    rename("clock_offset", "other");
    let failed = subject.store.accept(vec![new("a")]).await.unwrap_err();
    assert!(failed.to_string().contains("clock_offset"), "{failed}");
    rename("other", "clock_offset");
    subject.accept(new("a")).await;
}

#[tokio::test]
async fn a_commit_is_in_the_file_when_it_returns() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    for n in 0..3 {
        subject.accept(new(&format!("{n}"))).await;
        let count = "SELECT count(*) FROM submissions";
        let count: i64 = file.connection().query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(count, n + 1);
    }
    let mode: String =
        file.connection().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert!(subject.store.check().await.unwrap().iter().all(|finding| finding.ok));
}

#[tokio::test]
async fn a_reopened_file_is_watched_although_its_log_was_gone() {
    let file = SqliteFile::new();
    drop(Subject::at(file.clone()).await);
    let mut log = file.path().into_os_string();
    log.push("-wal");
    // The thread that writes closes the file in its own time.
    ferry_testing::until("the end of the log", async || !Path::new(&log).exists()).await;
    let subject = Subject::at(file.clone()).await;
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    file.open_store().accept(vec![new("a")]).await.unwrap();
    wakes(sleeper).await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    subject.accept(new("a")).await;
    for entry in std::fs::read_dir(file.dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn a_store_that_another_process_writes_to_for_a_while_is_waited_for() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let other = file.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = subject.store.clone();
    let accepting = tokio::spawn(async move { store.accept(vec![new("a")]).await });
    // Readers do not wait.
    assert!(subject.listed(&Filter::default()).await.is_empty());
    assert!(!accepting.is_finished());
    other.execute_batch("COMMIT").unwrap();
    let accepted = accepting.await.unwrap().unwrap();
    assert!(matches!(accepted[..], [Accepted::New(_)]));
}

#[tokio::test]
async fn where_no_store_can_be_the_error_names_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new;
    let open = |path: &Path| SqliteStore::open(path, clock(), health_policy()).unwrap_err();
    let missing = dir.path().join("missing").join("ferry.db");
    let below_a_file = dir.path().join("file").join("ferry.db");
    std::fs::write(dir.path().join("file"), "").unwrap();
    for path in [&missing, &below_a_file, &dir.path().to_owned()] {
        let error = open(path);
        assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
        let text = error.to_string();
        let location = path.display().to_string();
        assert!(text.starts_with("cannot open the store") && text.contains(&location), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_file_fails_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (pipe, socket) = (dir.path().join("pipe"), dir.path().join("socket"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let device = Path::new("/dev/null").to_owned();
    for (path, kind) in [(pipe, "pipe"), (socket, "socket"), (device, "device")] {
        let opened = ferry_testing::blocking_within(kind, {
            let path = path.clone();
            move || SqliteStore::open(&path, ManualClock::new(), health_policy()).map(drop)
        });
        let text = opened.unwrap_err().to_string();
        let expected = format!(
            "cannot open the store `{}`: it is a {kind}, and `store` must name a file",
            path.display()
        );
        assert_eq!(text, expected);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_directory_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o500)).unwrap();
    // Root may write everywhere, so it gets a directory that denies even root.
    let denying = match std::fs::write(dir.path().join("probe"), "") {
        Ok(()) => Path::new("/proc/self/fdinfo"),
        Err(_) => dir.path(),
    };
    let clock = ManualClock::new();
    let path = denying.join("ferry.db");
    let error = SqliteStore::open(&path, clock, health_policy()).unwrap_err();
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_damaged_row_is_listed_by_its_id_beside_the_others() {
    for damage in [
        "state = 'lost'",
        "upload_attempts = 'many'",
        "upload_attempts = -1",
        "cold = x'00'",
        "cold = 'text'",
        "priority = 7",
    ] {
        let file = SqliteFile::new();
        let subject = Subject::at(file.clone()).await;
        let damaged = subject.accept(new("a")).await;
        file.connection().execute_batch(&format!("UPDATE submissions SET {damage}")).unwrap();
        let sound = subject.accept(new("b")).await;
        let page = subject.store.list(&Filter::default(), None, 10).await.unwrap();
        assert_eq!(page.found[0].submission.id, sound, "{damage}");
        assert_eq!(page.damaged.len(), 1, "{damage}");
        assert_eq!(page.damaged[0].id, damaged.to_string(), "{damage}");
        let error = subject.store.get(damaged).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { id, .. } if id == damaged), "{error:?}");
    }
}

#[tokio::test]
async fn a_process_whose_heartbeat_cannot_be_read_is_listed_as_damaged() {
    let of = |id: &str| Heartbeat { id: id.to_owned(), ..Heartbeat::default() };
    let newer = r#"heartbeat = '{"id":"b","roles":["oracle"]}'"#;
    for damage in [newer, "heartbeat = ''", "heartbeat = 7", "at = 'noon'"] {
        let file = SqliteFile::new();
        let subject = Subject::at(file.clone()).await;
        for id in ["a", "b"] {
            subject.store.beat(of(id)).await.unwrap();
        }
        let sql = format!("UPDATE processes SET {damage} WHERE id = 'b'");
        file.connection().execute_batch(&sql).unwrap();
        let processes = subject.store.processes().await.unwrap();
        assert_eq!(processes.found.len(), 1, "{damage}");
        assert_eq!(processes.found[0].heartbeat, of("a"), "{damage}");
        let [damaged] = &processes.damaged[..] else { panic!("{damage}: {processes:?}") };
        assert_eq!((&*damaged.process, damaged.cause.is_empty()), ("b", false), "{damage}");
    }
}

#[tokio::test]
async fn a_damaged_row_keeps_no_other_from_its_step() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let names = ["waits", "runs", "is lost", "is sound", "is lost too"];
    let [waits, runs, lost, sound, lost_too] = subject.accept_all(names.map(new)).await[..] else {
        panic!()
    };
    let spoil = |id| {
        let sql = "UPDATE submissions SET cold = x'00' WHERE id = ?1";
        assert_eq!(file.connection().execute(sql, [format!("{id}")]).unwrap(), 1);
    };
    spoil(waits);
    let claims = subject.claim(StepKind::Upload, 10).await;
    assert_eq!(ids(&claims), [runs, lost, sound, lost_too]);
    assert!(subject.claim(StepKind::Upload, 10).await.is_empty(), "it is not looked at again");
    spoil(runs);
    let commit = |claim: &Claim| Commit { lease: claim.lease, transition: t::uploaded(millis(0)) };
    let committed = subject.store.commit(vec![commit(&claims[0]), commit(&claims[2])]).await;
    let done = Committed::Done(State::Uploading, State::Processing);
    assert_eq!(committed.unwrap(), [Committed::Stale, done]);
    subject.store.release(vec![claims[0].clone()]).await.unwrap();
    spoil(lost);
    assert_eq!(subject.lose_workers().await, Rescued { due: 1, ..Rescued::default() });
    assert_eq!(subject.lose_workers().await, Rescued::default(), "once");
    assert_eq!(subject.step_stats("main", StepKind::Upload).await.running, 0);
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, lost_too);
}

#[tokio::test]
async fn a_damaged_row_that_may_have_been_uploaded_marks_its_name() {
    for began in [true, false] {
        let file = SqliteFile::new();
        let subject = Subject::at(file.clone()).await;
        let first = subject.accept(new("a")).await;
        let next = subject.accept(new("a")).await;
        if began {
            subject.claim_one(StepKind::Upload).await;
        }
        let spoil = "UPDATE submissions SET cold = x'00' WHERE id = ?1";
        file.connection().execute(spoil, [format!("{first}")]).unwrap();
        subject.lose_workers().await;
        // Without a lease, the claim finds the damage.
        let mut claims = subject.claim(StepKind::Upload, 10).await;
        claims.extend(subject.claim(StepKind::Upload, 10).await);
        assert_eq!(claims.is_empty(), began, "it may still arrive: {claims:?}");
        subject.advance(LATE_UPLOAD).await;
        claims.extend(subject.claim(StepKind::Upload, 10).await);
        assert_eq!(ids(&claims), [next], "{began}");
        assert_eq!(claims[0].name_mark, began.then_some(first), "{began}");
        let spoil = "UPDATE name_marks SET submission = x'00'";
        assert_eq!(file.connection().execute(spoil, []).unwrap(), usize::from(began));
        subject.store.release(claims).await.unwrap();
        let claim = subject.claim_one(StepKind::Upload).await;
        assert_eq!(claim.name_mark.is_some(), began, "{began}");
    }
}

#[tokio::test]
async fn a_damaged_row_keeps_no_other_from_its_removal() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let labels = [("k".to_owned(), "v".to_owned())].into();
    subject.accept(NewSubmission { labels, ..new("spoiled") }).await;
    subject.bring_to(State::Failed).await;
    file.connection().execute_batch("UPDATE submissions SET cold = x'00'").unwrap();
    subject.accept(new("sound")).await;
    subject.bring_to(State::Failed).await;
    subject.advance(DAY).await;
    assert_eq!(subject.store.sweep(millis(0)).await.unwrap(), 2);
    let count = "SELECT count(*) FROM labels";
    let count: i64 = file.connection().query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!((count, subject.listed(&Filter::default()).await.len()), (0, 0));
}

#[tokio::test]
async fn an_account_whose_health_is_damaged_is_paused_and_costs_no_other_anything() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    subject.accept(on("damaged", new("a"))).await;
    let sound = subject.accept(new("a")).await;
    let damage = "UPDATE accounts SET health = '{' WHERE name = 'damaged'";
    file.connection().execute_batch(damage).unwrap();
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, sound);
    let paused = subject.account("damaged").await.health.pause_reason.unwrap();
    assert!(paused.contains("cannot be read"), "{paused}");
    assert!(subject.store.resume("damaged").await.unwrap());
    subject.claim_one(StepKind::Upload).await;
}

#[tokio::test]
async fn damaged_contents_are_reported_with_their_submission() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let damaged = subject.accept(new("a")).await;
    subject.bring_to(State::Completed).await;
    let damage = "UPDATE payloads SET data = x'00'; UPDATE contents SET body = x'00'";
    file.connection().execute_batch(damage).unwrap();
    let errors = [
        subject.store.payload(damaged).await.unwrap_err(),
        subject.store.content(damaged, "tableofresultids").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Damaged { id, .. } if id == damaged), "{error:?}");
    }
}

#[tokio::test]
async fn nothing_of_a_removed_submission_stays_in_the_file() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let labels = [("a".to_owned(), "1".to_owned()), ("b\0\"".to_owned(), "{}".to_owned())].into();
    subject.accept(NewSubmission { labels, ..new("a") }).await;
    subject.bring_to(State::Completed).await;
    subject.advance(DAY).await;
    assert_eq!(subject.store.sweep(millis(0)).await.unwrap(), 1);
    for table in ["submissions", "payloads", "contents", "timeline", "labels"] {
        let count = format!("SELECT count(*) FROM {table}");
        let count: i64 = file.connection().query_row(&count, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{table}");
    }
}

#[tokio::test]
async fn the_history_of_events_is_bounded() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    subject.accept(new("a")).await;
    let older = "WITH RECURSIVE s(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM s WHERE n < 100999)
                 INSERT INTO events SELECT n, at, submission, account, name, state, reason_code
                 FROM s CROSS JOIN events";
    file.connection().execute_batch(older).unwrap();
    subject.accept(new("b")).await;
    let page = subject.store.events(0, 1).await.unwrap();
    assert_eq!((page.oldest, page.newest, page.events[0].cursor), (1000, 101_000, 1001));
}
