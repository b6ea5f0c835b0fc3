//! A server that accepts no writes can be read, and its error is reported with its reason.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferry_store::redis::RedisStore;
use ferry_store::{ClaimRequest, Filter, Store, StoreError, UnwritableReason};
use ferry_testing::{RedisServer, own_namespace, pause, shared_server};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{State, StepKind};

use super::redis_place::store_on;
use super::subject::{LEASE, new};

/// Calls every operation that only reads, over the connection that there is or a new one.
async fn read_everything(store: &RedisStore, id: SubmissionId) {
    assert_eq!(store.stats().await.unwrap().count(State::Queued), 1);
    assert_eq!(store.list(&Filter::default(), None, 10).await.unwrap().found.len(), 1);
    assert_eq!(store.get(id).await.unwrap().unwrap().submission.id, id);
    assert_eq!(store.timeline(id).await.unwrap().len(), 1);
    assert_eq!(store.events(0, 10).await.unwrap().events.len(), 1);
    assert_eq!(store.look().await.unwrap().newest.number, 1);
    assert!(store.payload(id).await.unwrap().bytes() > 0);
    assert!(store.content(id, "status").await.unwrap().is_none());
    assert!(!store.check().await.unwrap().is_empty());
}

fn is<T>(response: &Result<T, StoreError>, expected: UnwritableReason) -> bool {
    matches!(response, Err(StoreError::NotWritable { reason, .. }) if *reason == expected)
}

/// Calls operations that write until the server accepts none: it may notice with the first of them.
async fn write_in_vain(store: &RedisStore, id: SubmissionId, expected: UnwritableReason) {
    let started = Instant::now();
    while store.probe_write().await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(30), "the server takes writes");
        pause().await;
    }
    let request = ClaimRequest {
        kind: StepKind::Upload,
        limit: 1,
        lease: LEASE,
        account_limits: Arc::default(),
    };
    assert!(is(&store.probe_write().await, expected), "{:?}", store.probe_write().await);
    let accepted = store.accept(vec![new("b")]).await;
    assert!(is(&accepted, expected), "{accepted:?}");
    assert!(is(&store.cancel(id).await, expected));
    assert!(is(&store.pause("main", "no").await, expected));
    assert!(is(&store.claim(request).await, expected));
    let StoreError::NotWritable { cause, .. } = accepted.unwrap_err() else { unreachable!() };
    assert!(cause.contains(code(expected)), "the server's own words: {cause}");
}

fn code(reason: UnwritableReason) -> &'static str {
    match reason {
        UnwritableReason::Full | UnwritableReason::DiskError | UnwritableReason::MissingRights => {
            ""
        }
        UnwritableReason::ReadOnly => "READONLY",
        UnwritableReason::TooFewReplicas => "NOREPLICAS",
        UnwritableReason::Paused => "no write in time",
    }
}

async fn writes_again(store: &RedisStore) {
    let started = Instant::now();
    while let Err(error) = store.probe_write().await {
        assert!(error.is_temporary() && started.elapsed() < Duration::from_secs(30), "{error}");
        pause().await;
    }
    store.accept(vec![new("c")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_no_writes_can_be_read_and_recovers() {
    for (forbid, allow, reason) in [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", UnwritableReason::Full),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            UnwritableReason::TooFewReplicas,
        ),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", UnwritableReason::ReadOnly),
    ] {
        let server = RedisServer::start(&[]).await;
        let store = store_on(&server, "ferry");
        let submission = new("a");
        let id = submission.id;
        store.accept(vec![submission]).await.unwrap();
        server.ask::<()>(forbid).await;
        read_everything(&store, id).await;
        read_everything(&store_on(&server, "ferry"), id).await;
        write_in_vain(&store, id, reason).await;
        read_everything(&store, id).await;
        server.ask::<()>(allow).await;
        writes_again(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_pauses_writes_and_knows_no_script_can_be_read() {
    let server = RedisServer::start(&[]).await;
    let submission = new("a");
    let id = submission.id;
    store_on(&server, "ferry").accept(vec![submission]).await.unwrap();
    server.ask::<()>("SCRIPT FLUSH").await;
    server.ask::<()>("CLIENT PAUSE 100000 WRITE").await;
    let store = store_on(&server, "ferry");
    read_everything(&store, id).await;
    let probed = store.probe_write().await;
    assert!(is(&probed, UnwritableReason::Paused), "{probed:?}");
    server.ask::<()>("CLIENT UNPAUSE").await;
    writes_again(&store).await;
}

/// Lets the newest file of the append-only log end at a device that is always full.
fn fill_the_disk(dir: &Path) {
    let files = fs::read_dir(dir.join("appendonlydir")).unwrap().map(|file| file.unwrap().path());
    let log = files.into_iter().find(|file| file.to_str().unwrap().ends_with(".incr.aof")).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0, "the log was rewritten");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_full_disk_can_be_read_and_reports_a_full_store() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    let submission = new("a");
    let id = submission.id;
    store.accept(vec![submission]).await.unwrap();
    server.ask::<String>("BGREWRITEAOF").await;
    let started = Instant::now();
    loop {
        let info: String = server.ask("INFO persistence").await;
        if info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrites:1") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{info}");
        pause().await;
    }
    server.kill();
    fill_the_disk(server.dir());
    server.resume().await;
    write_in_vain(&store, id, UnwritableReason::Full).await;
    read_everything(&store, id).await;
    read_everything(&store_on(&server, "ferry"), id).await;
    let findings = store.check().await.unwrap();
    assert!(findings.iter().any(|found| !found.ok && found.text.contains("could not write")));
}

/// Changes of the data since the server started, and keys.
async fn written(server: &RedisServer) -> (String, u64) {
    let info: String = server.ask("INFO persistence").await;
    let line = info.lines().find(|line| line.starts_with("rdb_changes_since_last_save")).unwrap();
    (line.to_owned(), server.ask("DBSIZE").await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_writes_nothing() {
    let server = RedisServer::start(&[]).await;
    let empty = written(&server).await;
    let store = store_on(&server, "ferry");
    assert!(store.stats().await.unwrap().accounts.is_empty());
    assert!(store.list(&Filter::default(), None, 10).await.unwrap().found.is_empty());
    store.check().await.unwrap();
    assert_eq!(written(&server).await, empty, "of a namespace that is not there");
    let submission = new("a");
    let id = submission.id;
    store.accept(vec![submission]).await.unwrap();
    let before = written(&server).await;
    read_everything(&store_on(&server, "ferry"), id).await;
    assert_eq!(written(&server).await, before);
    store.probe_write().await.unwrap();
    assert_eq!(written(&server).await.1, before.1, "an attempt to write is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_change_of_a_namespace_writes_its_layout_and_fails_on_a_foreign_one() {
    let (server, namespace) = (shared_server().await, own_namespace());
    let (early, late) = (store_on(&server, &namespace), store_on(&server, &namespace));
    assert!(early.stats().await.unwrap().accounts.is_empty());
    let layout = format!("{{{namespace}}}:layout");
    assert_eq!(server.ask_with::<Option<u32>>(&["GET", &layout]).await, None);
    late.accept(vec![new("a")]).await.unwrap();
    assert!(server.ask_with::<Option<u32>>(&["GET", &layout]).await.is_some());
    server.ask_with::<()>(&["SET", &layout, "99"]).await;
    let failed = early.accept(vec![new("b")]).await;
    assert!(matches!(&failed, Err(StoreError::Unusable(why)) if why.contains("99")), "{failed:?}");
}
