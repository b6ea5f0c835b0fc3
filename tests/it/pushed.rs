//! Requests that other Rust services push with plain apalis-redis are accepted, once each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::TaskSink;
use apalis_redis::{Config, RedisStorage};
use ferry_store::Filter;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::State;

use crate::support::{World, dataset, of_environment, prompt};
use crate::worker::Worker;
use ferry_testing::{RedisServer, Wait, own_namespace, shared_server};

async fn world() -> (Arc<RedisServer>, World) {
    let server = shared_server().await;
    let (url, namespace) = (server.url(), own_namespace());
    let world = World::idle(prompt(), &[("STORE", &url), ("NAMESPACE", &namespace)]).await;
    (server, world)
}

/// As any other service would: nothing of Ferry but the type.
async fn storage<
    T: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + Unpin + 'static,
>(
    world: &World,
) -> RedisStorage<T> {
    let connection = apalis_redis::connect(world.env["FERRY_STORE"].as_str()).await.unwrap();
    let queue = format!("{{{}}}:intake", world.env["FERRY_NAMESPACE"]);
    RedisStorage::new(connection).with_config(Config::default().queue(queue))
}

async fn push(world: &World, count: u64) {
    let mut requests = storage::<SubmissionRequest>(world).await;
    for n in 0..count {
        requests.push(dataset(&format!("p{n:06}"))).await.unwrap();
    }
}

async fn is_empty(world: &World) -> bool {
    world.app.pushed.as_ref().unwrap().waiting().await.unwrap() == 0
}

/// Number of submissions in the store.
async fn count(world: &World) -> u64 {
    let accounts = world.stats().await.accounts;
    accounts.iter().flat_map(|account| account.states.values()).sum()
}

/// Waits until everything that was pushed is accepted.
async fn taken_in(world: &World) {
    let wait = Wait::begin("an empty intake queue").at_most(Duration::from_mins(5));
    while !is_empty(world).await {
        wait.pause_or(|| world.log()).await;
    }
}

/// For a longer run by hand: `PUSHED_REQUESTS=100000 cargo test --release --test it pushed_while`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_pushed_while_no_worker_ran_are_all_accepted_once_despite_kills() {
    let (_server, world) = world().await;
    let total = of_environment("PUSHED_REQUESTS", 2000);
    push(&world, total).await;
    let started = Instant::now();
    for part in 1..=3 {
        let worker = Worker::start(&world, &[]);
        let wait = Wait::begin("accepted requests").at_most(Duration::from_mins(5));
        while count(&world).await < total * part / 4 {
            wait.pause_or(|| world.log()).await;
        }
        worker.kill();
    }
    let worker = Worker::start(&world, &[("LEASE", "1s")]);
    taken_in(&world).await;
    println!(
        "{total} pushed requests taken in, by four workers of which three were killed, in {:?}",
        started.elapsed()
    );
    assert_eq!(count(&world).await, total, "{:#?}", world.stats().await);
    assert!(worker.terminate().success(), "{}", world.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pushed_request_that_is_too_large_is_put_aside_and_not_read() {
    let server = shared_server().await;
    let (url, namespace) = (server.url(), own_namespace());
    let settings = [("STORE", &*url), ("NAMESPACE", &namespace), ("MAX_DATASET_BYTES", "4096")];
    let world = World::idle(prompt(), &settings).await;
    let mut large = dataset("large");
    large.data = large.data.repeat(1000);
    storage::<SubmissionRequest>(&world).await.push(large).await.unwrap();
    push(&world, 1).await;
    let requests = world.app.pushed.clone().unwrap();
    let tasks = requests.peek(1 << 16).await.unwrap();
    let unread: Vec<u64> = tasks.iter().filter_map(|task| task.args.clone().err()).collect();
    assert!(tasks.len() == 2 && unread.len() == 1 && unread[0] > 73_728, "{unread:?}");
    let mut world = world;
    world.start_workers();
    taken_in(&world).await;
    let (letters, _) = requests.dead_letters(0).await.unwrap();
    let reason = &letters[0].1.reason;
    assert!(reason.ends_with("bytes, more than 73728 (`max_dataset_bytes`)"), "{reason}");
    assert_eq!((letters.len(), count(&world).await), (1, 1));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pushed_dataset_travels_and_a_bad_one_is_put_aside_with_its_reason() {
    let (_server, mut world) = world().await;
    push(&world, 1).await;
    let mut bad = dataset("bad");
    bad.data = bad.data.replace("08:00", "8 o'clock");
    storage::<SubmissionRequest>(&world).await.push(bad).await.unwrap();
    storage::<serde_json::Value>(&world)
        .await
        .push(serde_json::json!({ "nome": "x" }))
        .await
        .unwrap();
    world.start_workers();
    taken_in(&world).await;
    let page = world.app.store.list(&Filter::default(), None, 10).await.unwrap();
    assert_eq!(page.found.len(), 1);
    assert_eq!(world.settled(page.found[0].submission.id).await.state, State::Completed);
    let requests = world.app.pushed.clone().unwrap();
    let (letters, _) = requests.dead_letters(0).await.unwrap();
    let reasons: Vec<&str> = letters.iter().map(|(_, letter)| letter.reason.as_str()).collect();
    assert_eq!(letters.len(), 2, "{reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains("`8 o'clock` is not a time of day")),
        "{reasons:?}"
    );
    assert!(
        reasons.iter().any(|reason| reason.contains("not a submission request")),
        "{reasons:?}"
    );

    // A request that is pushed again unchanged is invalid again; a removed one is gone.
    assert!(requests.requeue(&letters[0].0).await.unwrap());
    taken_in(&world).await;
    assert_eq!(requests.dead_letters(0).await.unwrap().0.len(), 2);
    let ids: Vec<String> = letters.into_iter().map(|(id, _)| id).collect();
    assert_eq!(requests.remove(&ids).await.unwrap(), 2);
    assert!(requests.dead_letters(0).await.unwrap().0.is_empty());
    assert!(!requests.requeue(&ids[0]).await.unwrap());
    world.finish().await;
}
