//! A worker process that is suspended for longer than its lease: what others run meanwhile it sends no
//! more.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_sim::{Dialect, Endpoint, SimConfig};
use ferry_testing::{RedisServer, Wait};
use ferry_types::domain::submission::State;

use crate::support::{World, dataset, prompt};
use crate::worker::Worker;

const SUBMISSIONS: usize = 12;

/// Number of upload requests by name.
fn uploads(world: &World) -> BTreeMap<String, usize> {
    let mut uploads = BTreeMap::new();
    for request in world.sim.requests() {
        if let (Endpoint::Upload, Some(name)) = (request.endpoint, request.name) {
            *uploads.entry(name).or_default() += 1;
        }
    }
    uploads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_worker_sends_nothing_once_its_leases_are_over_and_nothing_is_misjudged() {
    // The response takes a while, and a name that exists is rejected with 400, in other words.
    let (dialect, latency) = (Dialect::named("german"), Duration::from_millis(400));
    assert!(dialect.is_some());
    // A process that is suspended within a transaction of SQLite keeps the lock of the file; with Redis
    // no moment is special.
    let server = RedisServer::start(&[]).await;
    let settings = [("LEASE", "2s"), ("STORE", &server.url())];
    let world = World::idle(SimConfig { latency, dialect, ..prompt() }, &settings).await;
    world.submit_all((0..SUBMISSIONS).map(|n| dataset(&format!("s{n:02}")))).await;
    // It claims them all, and uploads one after the other.
    let suspended = Worker::start(&world, &[("UPLOAD_MEMORY_BYTES", "1024")]);
    let wait = Wait::begin("the second upload");
    while world.sim.ledger().accepted() < 2 {
        wait.pause_or(|| world.log()).await;
    }
    suspended.suspend();
    // Its own leases last, however slow the machine is.
    let other = Worker::start(&world, &[("LEASE", "1m")]);
    let stats = world.all_settled().await;
    let before = uploads(&world);
    suspended.resume();
    let wait = Wait::begin("the steps that were claimed before");
    while !world.log().contains("released 1 claimed steps") {
        wait.pause_or(|| world.log()).await;
    }
    assert!(suspended.terminate().success(), "{}", world.log());
    assert!(other.terminate().success(), "{}", world.log());

    assert_eq!(uploads(&world), before, "it sent what others had uploaded");
    let twice = before.values().filter(|count| **count > 1).count();
    assert!(before.len() == SUBMISSIONS && twice <= 2, "more than were in flight: {before:#?}");
    assert_eq!(stats.count(State::Rejected), 0, "{stats:#?}");
    let (completed, held) = (stats.count(State::Completed), stats.count(State::Held));
    assert_eq!(completed + held, SUBMISSIONS as u64, "{stats:#?}");
    assert!(held <= 2, "{stats:#?}");
    assert_eq!(world.sim.ledger().accepted(), SUBMISSIONS as u64);
    world.finish().await;
}
