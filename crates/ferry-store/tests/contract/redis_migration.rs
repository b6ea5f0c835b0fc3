//! Namespaces of the layout before are migrated, once no process of an older version uses them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferry_store::{Filter, NewSubmission, Store, StoreError};
use ferry_testing::RedisServer;
use ferry_types::domain::SubmissionId;
use futures_util::StreamExt;

use super::redis_place::store_on;
use super::subject::{new, on};

/// More than one step of a migration moves.
const SUBMISSIONS: usize = 700;

fn labels(n: usize) -> BTreeMap<String, String> {
    let value = if n.is_multiple_of(3) { "süd" } else { "4:main:1:x" };
    [("main", value), ("common", "yes")].map(|(name, value)| (name.into(), value.into())).into()
}

/// Moves the labels of submissions after the place ARGV[1] back to where layout 3 had them.
const BACK: &str = "
    local found = redis.call('ZRANGEBYSCORE', '{ferry}:all', '(' .. ARGV[1], '+inf', 'WITHSCORES')
    for n = 1, #found, 2 do
        local id, seq = found[n], tonumber(found[n + 1])
        local account = seq % 2 == 1 and 'main' or 'other'
        local value = (seq - 1) % 3 == 0 and 'süd' or '4:main:1:x'
        for name, value in pairs({ main = value, common = 'yes' }) do
            local old = '{ferry}:l:' .. #name .. ':' .. name .. ':' .. value
            local key = '{ferry}:label:' .. #account .. ':' .. account .. ':' .. #name .. ':' .. name .. ':' .. value
            assert(redis.call('ZREM', key, id) == 1)
            redis.call('ZADD', old, seq, id)
        end
    end";

/// A namespace of layout 3 with labels of two accounts, as a migration has it that moved those up to `moved`;
/// and the ids, oldest first.
async fn older(server: &RedisServer, moved: Option<usize>) -> Vec<SubmissionId> {
    let store = store_on(server, "ferry");
    let accounts = ["main", "other"].into_iter().cycle();
    let all = accounts.take(SUBMISSIONS).enumerate().map(|(n, account)| NewSubmission {
        labels: labels(n),
        ..on(account, new(&format!("{n}")))
    });
    let all: Vec<_> = all.collect();
    let ids = all.iter().map(|new| new.id).collect();
    store.accept(all).await.unwrap();
    let after = moved.unwrap_or_default().to_string();
    server.ask_with::<()>(&["EVAL", BACK, "0", &after]).await;
    match moved {
        None => server.ask::<()>("SET {ferry}:layout 3").await,
        Some(_) => server.ask_with::<()>(&["SET", "{ferry}:migrating", &after]).await,
    }
    ids
}

async fn labeled(
    store: &dyn Store,
    account: Option<&str>,
    label: (&str, &str),
) -> Vec<SubmissionId> {
    let labels = [(label.0.to_owned(), label.1.to_owned())].into();
    let filter = Filter {
        labels,
        accounts: account.into_iter().map(str::to_owned).collect(),
        ..Filter::default()
    };
    let page = store.list(&filter, None, 1000).await.unwrap();
    assert_eq!((page.damaged.len(), page.next), (0, None));
    page.found.iter().rev().map(|found| found.submission.id).collect()
}

async fn is_migrated(server: &RedisServer, ids: &[SubmissionId]) {
    let store = store_on(server, "ferry");
    let thirds: Vec<_> = ids.iter().step_by(3).copied().collect();
    let of_main: Vec<_> = ids.iter().step_by(2).copied().collect();
    assert_eq!(labeled(&store, None, ("common", "yes")).await, ids);
    assert_eq!(labeled(&store, None, ("main", "süd")).await, thirds);
    assert_eq!(labeled(&store, Some("main"), ("common", "yes")).await, of_main);
    let layout: Vec<Option<u32>> = server.ask("MGET {ferry}:layout {ferry}:migrating").await;
    assert_eq!(layout, [Some(4), None]);
    let old: Vec<String> = server.ask("KEYS {ferry}:l:*").await;
    assert_eq!(old, [""; 0]);
}

/// Lets the time pass after which no server or worker of an older version can be left.
async fn is_left(server: &RedisServer) {
    ferry_testing::until("an idle namespace", async || {
        server.ask::<u64>("OBJECT IDLETIME {ferry}:epochs").await >= 4
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_of_the_layout_before_is_migrated() {
    let server = RedisServer::start(&[]).await;
    let ids = older(&server, None).await;
    is_left(&server).await;
    // All of them at once, as after an update.
    let stores: Vec<_> = (0..3).map(|_| store_on(&server, "ferry")).collect();
    let looks = stores.iter().map(Store::stats);
    for stats in futures_util::future::join_all(looks).await {
        assert_eq!(stats.unwrap().unfinished(), SUBMISSIONS as u64);
    }
    is_migrated(&server, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_broken_off_continues() {
    let server = RedisServer::start(&[]).await;
    let ids = older(&server, Some(300)).await;
    is_migrated(&server, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_does_not_end_a_migration() {
    let server = RedisServer::start(&[]).await;
    let ids = older(&server, Some(0)).await;
    server.ask_with::<()>(&["SET", &format!("{{ferry}}:s:{}", ids[1]), "none of ours"]).await;
    let store = store_on(&server, "ferry");
    assert_eq!(labeled(&store, Some("other"), ("common", "yes")).await.len(), SUBMISSIONS / 2 - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_waits_for_processes_of_an_older_version() {
    let server = RedisServer::start(&[]).await;
    let ids = older(&server, None).await;
    is_left(&server).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut old_worker = client.get_async_pubsub().await.unwrap();
    old_worker.subscribe("{ferry}:wake").await.unwrap();
    let response = store_on(&server, "ferry").stats().await;
    let is_reported = matches!(&response, Err(error @ StoreError::Unavailable { cause, .. })
        if cause.contains("stop them") && error.is_temporary());
    assert!(is_reported, "{response:?}");
    assert_eq!(old_worker.on_message().next().await.unwrap().get_payload_bytes(), b"all");
    drop(old_worker);
    // An old server without workers reads the history: in a thread of its own, whatever the others do.
    let is_read = Arc::new(AtomicBool::new(true));
    let continues = is_read.clone();
    let mut connection = client.get_connection().unwrap();
    let (reads, has_read) = tokio::sync::oneshot::channel();
    let reading = std::thread::spawn(move || {
        let mut reads = Some(reads);
        let wait = ferry_testing::Wait::begin("the end of the test");
        while continues.load(Ordering::SeqCst) {
            wait.check();
            redis::cmd("GET").arg("{ferry}:epochs").exec(&mut connection).unwrap();
            reads.take().map(|reads| reads.send(()));
        }
    });
    ferry_testing::within("a first read", has_read).await.unwrap();
    let response = store_on(&server, "ferry").stats().await;
    is_read.store(false, Ordering::SeqCst);
    reading.join().unwrap();
    assert!(matches!(response, Err(StoreError::Unavailable { .. })), "{response:?}");
    let layout: u32 = server.ask("GET {ferry}:layout").await;
    assert_eq!(layout, 3);
    is_left(&server).await;
    is_migrated(&server, &ids).await;
}
