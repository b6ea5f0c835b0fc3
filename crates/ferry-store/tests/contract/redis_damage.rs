//! A record that was removed or corrupted by hand costs its own submission alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferry_store::redis::RedisStore;
use ferry_store::{ClaimRequest, Commit, Committed, Filter, Store};
use ferry_testing::{RedisServer, own_namespace, pause, shared_server};
use ferry_types::contract::WaitingFor;
use ferry_types::domain::submission::{State, StepKind};
use ferry_types::domain::{Heartbeat, SubmissionId};

use super::redis_place::store_on;
use super::subject::{millis, new};
use super::transitions as t;

/// A store, and how to spoil what it holds.
struct Damaged {
    server: Arc<RedisServer>,
    namespace: String,
    store: RedisStore,
}

impl Damaged {
    async fn new() -> Self {
        let server = shared_server().await;
        let namespace = own_namespace();
        let store = store_on(&server, &namespace);
        Self { server, namespace, store }
    }

    async fn accept(&self, name: &str) -> SubmissionId {
        let new = new(name);
        let id = new.id;
        self.store.accept(vec![new]).await.unwrap();
        id
    }

    fn record(&self, id: SubmissionId) -> String {
        format!("{{{}}}:s:{id}", self.namespace)
    }

    async fn remove(&self, id: SubmissionId) {
        assert_eq!(self.server.ask_with::<u32>(&["DEL", &self.record(id)]).await, 1);
    }

    async fn spoil(&self, id: SubmissionId) {
        self.server.ask_with::<()>(&["SET", &self.record(id), "none of ours"]).await;
    }

    async fn claim(&self) -> Vec<ferry_store::Claim> {
        let request = ClaimRequest {
            kind: StepKind::Upload,
            limit: 10,
            lease: millis(300),
            account_limits: Arc::default(),
        };
        self.store.claim(request).await.unwrap().claims
    }

    /// Upload steps that are ready, and that are leased.
    async fn uploads(&self) -> (u64, u64) {
        let steps = self.store.stats().await.unwrap().steps;
        let of = steps.iter().filter(|step| step.kind == StepKind::Upload);
        of.fold((0, 0), |sum, step| (sum.0 + step.ready, sum.1 + step.running))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_removed_or_spoiled_keeps_no_other_from_its_step() {
    let damaged = Damaged::new().await;
    let removed = damaged.accept("removed").await;
    let spoiled = damaged.accept("spoiled").await;
    let lost = damaged.accept("lost").await;
    let sound = damaged.accept("sound").await;
    damaged.remove(removed).await;
    damaged.spoil(spoiled).await;
    let claims = damaged.claim().await;
    let ids: Vec<_> = claims.iter().map(|claim| claim.lease.id).collect();
    assert_eq!(ids, [lost, sound]);
    assert_eq!(damaged.uploads().await, (0, 2), "what is removed or damaged is not leased");
    damaged.remove(lost).await;
    let commit = Commit { lease: claims[1].lease, transition: t::uploaded(millis(0)) };
    let committed = damaged.store.commit(vec![commit]).await.unwrap();
    assert_eq!(committed, [Committed::Done(State::Uploading, State::Processing)]);
    // The store must not count them as leased for ever, or the account's limit would shrink.
    let started = Instant::now();
    while damaged.uploads().await != (0, 0) {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", damaged.uploads().await);
        damaged.store.rescue().await.unwrap();
        pause().await;
    }
    assert!(damaged.claim().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_spoiled_keeps_no_other_from_its_removal() {
    let damaged = Damaged::new().await;
    let spoiled = damaged.accept("spoiled").await;
    let sound = damaged.accept("sound").await;
    for id in [spoiled, sound] {
        damaged.store.cancel(id).await.unwrap();
    }
    damaged.spoil(spoiled).await;
    let started = Instant::now();
    let mut removed = 0;
    // What ended in this very millisecond stays for another one.
    while removed < 2 {
        assert!(started.elapsed() < Duration::from_secs(30), "{removed} were removed");
        removed += damaged.store.sweep(Duration::ZERO).await.unwrap();
    }
    assert!(damaged.store.get(sound).await.unwrap().is_none());
    assert!(damaged.store.list(&Filter::default(), None, 10).await.unwrap().found.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_blocks_its_name_and_is_named_until_it_is_removed() {
    let damaged = Damaged::new().await;
    let first = damaged.accept("march").await;
    damaged.spoil(first).await;
    let second = damaged.accept("march").await;
    let waiting = damaged.store.get(second).await.unwrap().unwrap().waiting_for;
    assert_eq!(waiting, Some(WaitingFor::Predecessor { submission: first }));
    let listed = damaged.store.list(&Filter::default(), None, 10).await.unwrap().damaged;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, first.to_string());
    damaged.remove(first).await;
    damaged.store.cancel(second).await.unwrap();
    let third = damaged.accept("march").await;
    let claims = damaged.claim().await;
    assert_eq!(claims.iter().map(|claim| claim.lease.id).collect::<Vec<_>>(), [third]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_heartbeat_cannot_be_read_is_listed_as_damaged() {
    let damaged = Damaged::new().await;
    let of = |id: &str| Heartbeat { id: id.to_owned(), ..Heartbeat::default() };
    for id in ["a", "newer", "odd", "gone"] {
        damaged.store.beat(of(id)).await.unwrap();
    }
    let processes = format!("{{{}}}:processes", damaged.namespace);
    let newer = r#"{"id":"newer","roles":["oracle"]}"#;
    damaged.server.ask_with::<()>(&["HSET", &processes, "newer", newer, "odd", "text"]).await;
    damaged.server.ask_with::<()>(&["HDEL", &processes, "gone"]).await;
    let processes = damaged.store.processes().await.unwrap();
    assert_eq!(processes.found.len(), 1, "{processes:?}");
    assert_eq!(processes.found[0].heartbeat, of("a"));
    let mut ids: Vec<&str> = processes.damaged.iter().map(|one| &*one.process).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["gone", "newer", "odd"]);
    assert!(processes.damaged.iter().all(|one| !one.cause.is_empty()), "{processes:?}");
}
