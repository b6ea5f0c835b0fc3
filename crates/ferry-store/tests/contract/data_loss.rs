//! A store that lost data is detected, whatever other processes write meanwhile.

use std::sync::Arc;

use ferry_store::{ClaimRequest, Store};
use ferry_testing::{RedisServer, own_namespace, shared_server};
use ferry_types::domain::submission::StepKind;

use super::redis_place::{store_at, store_on};
use super::subject::{LEASE, Subject, new};

/// Newest events before and after the loss that a store has detected.
fn loss(store: &dyn Store) -> Option<(u64, u64)> {
    store.continuity().loss().map(|loss| (loss.before.number, loss.after.number))
}

async fn accept(store: &dyn Store, name: &str) {
    store.accept(vec![new(name)]).await.unwrap();
}

pub(super) async fn a_store_names_its_epoch_and_counts_its_events(subject: Subject) {
    subject.accept_all([new("a"), new("b")]).await;
    let standing = subject.store.look().await.unwrap();
    assert_eq!((standing.newest.epoch.len(), standing.newest.number), (16, 2));
    let other = subject.another().await;
    assert_eq!(other.look().await.unwrap().newest, standing.newest);
    assert_eq!(other.events(0, 1).await.unwrap().epoch, standing.newest.epoch);
    assert_eq!(loss(subject.store.as_ref()), None);
}

/// Not of the store in memory, which ends with its process and repeats its runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_new_store_has_an_epoch_of_its_own() {
    let places = [super::redis_place::subject().await, super::sqlite_file::subject().await];
    let mut epochs = std::collections::BTreeSet::new();
    for subject in places {
        for subject in [subject.fresh().await, subject] {
            subject.accept(new("a")).await;
            epochs.insert(subject.store.look().await.unwrap().newest.epoch);
        }
    }
    assert_eq!(epochs.len(), 4, "{epochs:?}");
}

pub(super) async fn an_acknowledgement_gives_a_new_epoch_and_is_no_loss(subject: Subject) {
    subject.accept(new("a")).await;
    let other = subject.another().await;
    let before = other.look().await.unwrap().newest;
    subject.store.acknowledge_loss().await.unwrap();
    subject.store.acknowledge_loss().await.unwrap();
    let after = other.look().await.unwrap().newest;
    assert_eq!((loss(other.as_ref()), after.number), (None, before.number));
    assert_ne!(after.epoch, before.epoch);
    subject.accept(new("b")).await;
    assert_eq!(loss(subject.store.as_ref()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_at_an_empty_namespace_creates_no_epoch() {
    let server = shared_server().await;
    let namespace = own_namespace();
    let store = store_on(&server, &namespace);
    assert_eq!(store.look().await.unwrap().newest.to_string(), "0");
    assert_eq!(store.events(0, 10).await.unwrap().epoch, "");
    let key = format!("{{{namespace}}}:epochs");
    assert_eq!(server.ask_with::<u64>(&["EXISTS", &key]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_change_after_a_flush_detects_it() {
    let server = RedisServer::start(&[]).await;
    let (store, idle) = (store_on(&server, "ferry"), store_on(&server, "ferry"));
    for name in ["a", "b", "c"] {
        accept(&store, name).await;
    }
    idle.look().await.unwrap();
    server.ask::<()>("FLUSHALL").await;
    accept(&store, "d").await;
    assert_eq!(loss(&store), Some((3, 1)));
    accept(&store, "e").await;
    assert_eq!((loss(&store), store.continuity().losses()), (Some((3, 1)), 1));
    // Others have written since, and more than there was.
    for name in ["f", "g", "h"] {
        accept(&store, name).await;
    }
    idle.look().await.unwrap();
    assert_eq!(loss(&idle), Some((3, 5)));
    idle.report_loss(&idle.continuity().loss().unwrap()).await.unwrap();
    let reported = store.look().await.unwrap().reported.unwrap();
    assert!(reported.starts_with("the store lost data"), "{reported}");
    store_on(&server, "ferry").acknowledge_loss().await.unwrap();
    for store in [&store, &idle] {
        assert_eq!(store.look().await.unwrap().reported, None);
        assert_eq!(loss(store), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_store_is_acknowledged_as_it_is() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    accept(&store, "a").await;
    server.ask::<()>("FLUSHALL").await;
    store.look().await.unwrap();
    assert_eq!(loss(&store), Some((1, 0)));
    store_on(&server, "ferry").acknowledge_loss().await.unwrap();
    store.look().await.unwrap();
    assert_eq!(loss(&store), None);
    accept(&store, "b").await;
    assert_eq!(loss(&store), None);
}

/// Puts a replica that follows `master` at its place, behind by what the master takes in meanwhile.
async fn promote_late(master: &RedisServer, replica: &RedisServer, late: impl AsyncFnOnce()) {
    ferry_testing::until("an event on the replica", async || {
        replica.ask::<u64>("LLEN {ferry}:events").await > 0
    })
    .await;
    replica.ask::<()>("REPLICAOF NO ONE").await;
    late().await;
    master.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_lost_events_is_noticed_although_others_wrote_first() {
    let master = RedisServer::start(&["--repl-diskless-sync-delay", "0"]).await;
    let follow = format!("127.0.0.1 {}", master.port());
    let replica = RedisServer::start(&["--replicaof", &follow]).await;
    let both = format!("redis://127.0.0.1:{},127.0.0.1:{}/0", master.port(), replica.port());
    let open = || store_at(&both, "ferry");
    let (knows, other) = (open(), open());
    accept(&knows, "a").await;
    other.look().await.unwrap();
    promote_late(&master, &replica, async || {
        accept(&knows, "b").await;
        accept(&knows, "c").await;
    })
    .await;
    // It continues after its last event, and beyond what was lost.
    for name in ["d", "e", "f"] {
        ferry_testing::until("the new master", async || {
            other.accept(vec![new(name)]).await.is_ok()
        })
        .await;
    }
    assert_eq!(loss(&other), None, "it lost nothing that it knew of");
    ferry_testing::until("the new master", async || knows.look().await.is_ok()).await;
    assert_eq!(loss(&knows), Some((3, 4)), "event 3 is another one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_at_once_see_no_loss_where_there_is_none() {
    let server = shared_server().await;
    let namespace = own_namespace();
    let stores: Vec<_> = (0..3).map(|_| Arc::new(store_on(&server, &namespace))).collect();
    let tasks = (0..60).map(|n| {
        let store = stores[n % stores.len()].clone();
        tokio::spawn(async move {
            accept(store.as_ref(), &format!("{n}")).await;
            let kind = StepKind::Upload;
            let request =
                ClaimRequest { kind, limit: 1, lease: LEASE, account_limits: Arc::default() };
            store.claim(request).await.unwrap();
            store.look().await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert!(stores.iter().all(|store| store.continuity().losses() == 0));
    assert_eq!(stores[0].look().await.unwrap().newest.number, 120);
}
