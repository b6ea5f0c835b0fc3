//! Requests that must not leave: the account was throttled meanwhile, the lease is lost, or the process
//! ends. What never left is not ambiguous, and spends no attempt.

use std::time::{Duration, Instant};

use ferry_sim::{Endpoint, Fault, RetryAfter, SimConfig};
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::{ReasonCode, State};
use rusqlite::Connection;

use crate::support::{World, dataset, overwriting, pause, prompt};

const MINUTE: f64 = 60.0;

/// Memory for one upload at a time.
const ONE_UPLOAD: (&str, &str) = ("UPLOAD_MEMORY_BYTES", "1024");

fn slow() -> SimConfig {
    SimConfig { latency: Duration::from_millis(300), ..prompt() }
}

fn requests(world: &World, endpoint: Endpoint) -> usize {
    world.sim.requests().iter().filter(|request| request.endpoint == endpoint).count()
}

async fn requested(world: &World, endpoint: Endpoint, count: usize) {
    let started = Instant::now();
    while requests(world, endpoint) < count {
        assert!(started.elapsed() < Duration::from_mins(1), "{:#?}", world.sim.requests());
        pause().await;
    }
}

#[tokio::test]
async fn an_upload_that_waited_for_memory_is_not_sent_to_a_platform_that_throttles_meanwhile() {
    let mut world = World::idle(slow(), &[ONE_UPLOAD]).await;
    world.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(MINUTE)));
    let ids = world.submit_all([dataset("one"), dataset("two")]).await;
    world.start_workers();
    for id in ids {
        let is_throttled = Some(ReasonCode::Throttled);
        let view = world.until(id, |view| view.reason_code == is_throttled).await;
        assert_eq!((view.state, view.upload_attempts), (State::Queued, 0), "{view:#?}");
    }
    assert_eq!(requests(&world, Endpoint::Upload), 1);
    assert_eq!(world.sim.ledger().early_requests, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_request_is_not_repeated_with_a_new_token_while_the_platform_throttles() {
    let mut world = World::idle(slow(), &[]).await;
    world.sim.script(Endpoint::Upload, Fault::RevokeToken);
    world.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(MINUTE)));
    let ids = world.submit_all([dataset("one"), dataset("two")]).await;
    world.start_workers();
    for id in ids {
        world.until(id, |view| view.reason_code == Some(ReasonCode::Throttled)).await;
    }
    assert_eq!(requests(&world, Endpoint::Upload), 2);
    assert_eq!(world.sim.ledger().early_requests, 0);
    world.finish().await;
}

#[tokio::test]
async fn the_next_result_is_not_fetched_while_the_platform_throttles() {
    let world = World::start(prompt(), &[]).await;
    world.sim.script(Endpoint::Results, Fault::Stall(Duration::from_secs(2)));
    let result_keys = vec!["tableofresultids".to_owned(), "other".to_owned()];
    let id = world.submit(SubmissionRequest { result_keys, ..dataset("one") }).await;
    requested(&world, Endpoint::Results, 1).await;
    world.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(MINUTE)));
    let other = world.submit(dataset("two")).await;
    world.until(other, |view| view.reason_code == Some(ReasonCode::Throttled)).await;
    let view = world.until(id, |view| view.reason_code.is_some()).await;
    assert_eq!(view.state, State::Collecting, "{view:#?}");
    let stored = world.app.store.content(id, "tableofresultids").await.unwrap();
    assert!(stored.is_some(), "what was fetched is stored");
    assert_eq!(requests(&world, Endpoint::Results), 1);
    assert_eq!(world.sim.ledger().early_requests, 0);
    world.finish().await;
}

#[tokio::test]
async fn an_upload_that_is_interrupted_before_its_request_is_not_ambiguous() {
    let mut world = World::idle(prompt(), &[ONE_UPLOAD]).await;
    world.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_mins(1)));
    let ids = world.submit_all((0..3).map(|n| dataset(&format!("n{n}")))).await;
    world.start_workers();
    requested(&world, Endpoint::Upload, 1).await;
    world.app.shutdown.abort();
    world.stop_workers().await;
    let mut sent = 0;
    for id in ids {
        let found = world.app.store.get(id).await.unwrap().expect("it was accepted");
        let submission = found.submission;
        assert_eq!(u32::from(submission.upload_ambiguous), submission.upload_attempts);
        assert_eq!(submission.upload_ambiguous, submission.reason.is_some(), "{submission:#?}");
        sent += submission.upload_attempts;
    }
    assert_eq!(sent, 1, "the others never left");
    world.finish().await;
}

#[tokio::test]
async fn a_submission_whose_dataset_is_missing_is_held_and_says_so() {
    let mut world = World::idle(prompt(), &[]).await;
    let id = world.submit(dataset("one")).await;
    let file = Connection::open(world.folder.path().join("f.db")).unwrap();
    assert_eq!(file.execute("DELETE FROM payloads", []).unwrap(), 1);
    world.start_workers();
    let view = world.settled(id).await;
    assert_eq!((view.state, view.reason_code), (State::Held, Some(ReasonCode::PayloadMissing)));
    assert!(view.reason.unwrap().starts_with("the dataset is missing in the store"));
    assert_eq!((view.upload_attempts, requests(&world, Endpoint::Upload)), (0, 0));
    world.finish().await;
}

#[tokio::test]
async fn an_upload_is_aborted_when_its_lease_is_lost() {
    let mut world = World::idle(prompt(), &[("LEASE", "1s"), ("CONCURRENCY", "1")]).await;
    world.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_mins(1)));
    let id = world.submit(overwriting("one")).await;
    world.start_workers();
    requested(&world, Endpoint::Upload, 1).await;
    let started = Instant::now();
    let file = Connection::open(world.folder.path().join("f.db")).unwrap();
    assert_eq!(file.execute("UPDATE submissions SET fence = fence + 1", []).unwrap(), 1);
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Completed, 2));
    assert!(started.elapsed() < Duration::from_secs(50), "the slot was free for the next upload");
    world.stop_workers().await;
}
