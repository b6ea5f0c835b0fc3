//! Several worker processes on one Redis.

use std::time::{Duration, Instant};

use ferry_sim::{Endpoint, Fault, Processing, RetryAfter, SimConfig};
use ferry_types::domain::submission::State;

use crate::support::{World, dataset, of_environment, overwriting, prompt};
use crate::worker::Worker;
use ferry_testing::{RedisServer, until};

/// A server that syncs every change, and a world whose store it is.
async fn world(sim: SimConfig, changes: &[(&str, &str)]) -> (RedisServer, World) {
    let server = RedisServer::start(&["--appendfsync", "always"]).await;
    let url = server.url();
    let mut settings = vec![("STORE", url.as_str())];
    settings.extend(changes);
    let world = World::idle(sim, &settings).await;
    (server, world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_after_holds_for_all_workers() {
    let (_server, world) = world(prompt(), &[]).await;
    let workers: Vec<Worker> = (0..3).map(|_| Worker::start(&world, &[])).collect();
    let first = world.submit(overwriting("first")).await;
    world.settled(first).await;
    world.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(3.0)));
    let ids = world.submit_all((0..30).map(|n| overwriting(&format!("r{n}")))).await;
    until("requests for all uploads", async || world.sim.is_script_done()).await;
    // Requests that were sent before the response arrived are not early.
    let started = Instant::now();
    let is_running = async || world.stats().await.steps.iter().any(|steps| steps.running > 0);
    until("the end of all running steps", async || !is_running().await).await;
    let requests = world.sim.ledger().requests;
    world.until(ids[0], |_| started.elapsed() > Duration::from_millis(2900)).await;
    assert_eq!(world.sim.ledger().requests, requests, "a request was sent during the pause");
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 31);
    assert_eq!(world.sim.ledger().early_requests, 0);
    for worker in workers {
        assert!(worker.terminate().success(), "{}", world.log());
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumption_lifts_a_long_retry_after_in_all_workers_on_sqlite() {
    a_resumption_lifts_a_long_retry_after_in_all_workers(&World::idle(prompt(), &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumption_lifts_a_long_retry_after_in_all_workers_on_redis() {
    let (_server, world) = world(prompt(), &[]).await;
    a_resumption_lifts_a_long_retry_after_in_all_workers(&world).await;
}

async fn a_resumption_lifts_a_long_retry_after_in_all_workers(world: &World) {
    let slots = 5;
    let count = slots.to_string();
    let changes = [("CONCURRENCY", count.as_str()), ("RETRY_INITIAL", "1h"), ("RETRY_MAX", "1h")];
    let workers: Vec<Worker> = (0..2).map(|_| Worker::start(world, &changes)).collect();
    let first = world.submit(overwriting("first")).await;
    world.settled(first).await;
    world.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(3000.0)));
    world.submit_all((0..30).map(|n| overwriting(&format!("r{n}")))).await;
    let is_throttled = async || world.sim.is_script_done() && world.running().await == 0;
    until("a throttled account", is_throttled).await;
    // No worker can run as many uploads at once as its slots and more.
    let stall = Duration::from_secs(4);
    for _ in 0..2 * slots {
        world.sim.script(Endpoint::Upload, Fault::Stall(stall));
    }
    let resumed = Instant::now();
    assert!(world.app.store.resume("default").await.unwrap());
    while !world.sim.is_script_done() {
        assert!(resumed.elapsed() < stall / 2, "a worker was not reached: {}", world.log());
        ferry_testing::pause().await;
    }
    println!("both workers ran all their slots {:?} after the resumption", resumed.elapsed());
    // Those that were postponed, too.
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 31, "{stats:#?}");
    for worker in workers {
        assert!(worker.terminate().success(), "{}", world.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_steps_of_a_killed_worker_run_elsewhere_when_their_lease_ends() {
    let (_server, world) = world(prompt(), &[]).await;
    let flight = of_environment("FLEET_IN_FLIGHT", 64);
    for _ in 0..flight {
        world.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_mins(1)));
    }
    let ids = world.submit_all((0..flight).map(|n| overwriting(&format!("k{n}")))).await;
    // `FLEET_LEASE_MS=5000` for the default.
    let lease = format!("{}ms", of_environment("FLEET_LEASE_MS", 2000));
    let worker = Worker::start(&world, &[("LEASE", &lease)]);
    until("requests for all uploads", async || world.sim.is_script_done()).await;
    let another = Worker::start(&world, &[("LEASE", &lease)]);
    worker.kill();
    let killed = Instant::now();
    for id in ids {
        let view = world.settled(id).await;
        assert_eq!((view.state, view.upload_attempts), (State::Completed, 2));
    }
    println!("{flight} steps done elsewhere {:?} after the kill, lease {lease}", killed.elapsed());
    assert!(another.terminate().success(), "{}", world.log());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dataset_whose_upload_the_store_forgot_is_held_when_the_platform_rejects_it() {
    let processing = Processing::Fixed(Duration::from_hours(1));
    let (server, world) = world(SimConfig { processing, ..prompt() }, &[]).await;
    let (worker, store) = (Worker::start(&world, &[]), &world.app.store);
    store.pause("default", "before the backup").await.unwrap();
    let ids = world.submit_all((0..3).map(|n| dataset(&format!("m{n}")))).await;
    let keys: Vec<String> = server.ask("KEYS *").await;
    for key in &keys {
        server.ask_with::<()>(&["COPY", key, key, "DB", "1"]).await;
    }
    store.resume("default").await.unwrap();
    for id in &ids {
        world.until(*id, |view| view.state == State::Processing).await;
    }
    // As after a failover to a replica that was behind.
    server.ask::<()>("SWAPDB 0 1").await;
    store.resume("default").await.unwrap();
    for id in ids {
        let view = world.settled(id).await;
        let reason = view.reason.unwrap_or_default();
        assert_eq!(view.state, State::Held, "{reason}");
        assert!(reason.starts_with("the store lost data"), "{reason}");
    }
    assert!(worker.terminate().success(), "{}", world.log());
}

/// `FLEET_KILLS=20 FLEET_LEASE_MS=5000` for the default lease; the longest time is printed with the median.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_is_noticed_soon_after_its_lease() {
    let (_server, world) = world(prompt(), &[]).await;
    let lease = Duration::from_millis(of_environment("FLEET_LEASE_MS", 2000));
    let text = format!("{}ms", lease.as_millis());
    let mut victims = Vec::new();
    for n in 0..of_environment("FLEET_KILLS", 3) {
        world.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_mins(30)));
        let id = world.submit(overwriting(&format!("v{n}"))).await;
        let victim = Worker::start(&world, &[("LEASE", &text), ("CONCURRENCY", "1")]);
        until("the request of its upload", async || world.sim.is_script_done()).await;
        victims.push((id, victim));
    }
    let worker = Worker::start(&world, &[("LEASE", &text)]);
    // Until it has been in contact with the store for long enough to rescue.
    let other = world.submit(overwriting("other")).await;
    world.settled(other).await;
    let settled = Instant::now();
    world.until(other, |_| settled.elapsed() > lease + Duration::from_secs(1)).await;
    let mut times = Vec::new();
    for (id, victim) in victims {
        victim.kill();
        let killed = Instant::now();
        let view = world.settled(id).await;
        assert_eq!((view.state, view.upload_attempts), (State::Completed, 2));
        times.push(killed.elapsed());
    }
    times.sort_unstable();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    let p99 = times[(times.len() * 99 / 100).min(times.len() - 1)];
    println!(
        "{} kills: median {median:?}, p99 {p99:?}, longest {longest:?}, lease {text}",
        times.len()
    );
    assert!(longest < lease + Duration::from_secs(10), "{times:?}");
    assert!(worker.terminate().success(), "{}", world.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_of_the_server_ends_no_lease() {
    let (server, world) = world(prompt(), &[]).await;
    let (lease, stall) = ([("LEASE", "1s")], Duration::from_secs(3));
    let flight = 8;
    for _ in 0..flight {
        world.sim.script(Endpoint::Results, Fault::Stall(stall * 2));
    }
    let ids = world.submit_all((0..flight).map(|n| overwriting(&format!("s{n}")))).await;
    let mut workers = vec![Worker::start(&world, &lease)];
    until("requests for all results", async || world.sim.is_script_done()).await;
    workers.extend((0..3).map(|_| Worker::start(&world, &lease)));
    let other = world.submit(overwriting("other")).await;
    assert_eq!(world.settled(other).await.state, State::Completed);
    server.ask::<()>(&format!("CLIENT PAUSE {} ALL", stall.as_millis())).await;
    for id in ids {
        assert_eq!(world.settled(id).await.state, State::Completed);
    }
    for worker in workers {
        assert!(worker.terminate().success(), "{}", world.log());
    }
    assert!(!world.log().contains("a worker was lost"), "{}", world.log());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_and_a_resumption_reach_all_workers() {
    let (_server, world) = world(prompt(), &[]).await;
    let workers: Vec<Worker> = (0..2).map(|_| Worker::start(&world, &[])).collect();
    world.settled(world.submit(overwriting("first")).await).await;
    world.app.store.pause("default", "maintenance").await.unwrap();
    let ids = world.submit_all((0..20).map(|n| overwriting(&format!("p{n}")))).await;
    let paused = Instant::now();
    world.until(ids[0], |_| paused.elapsed() > Duration::from_millis(300)).await;
    assert_eq!(world.sim.ledger().accepted(), 1, "nothing was uploaded meanwhile");
    world.app.store.resume("default").await.unwrap();
    let resumed = Instant::now();
    assert_eq!(world.all_settled().await.count(State::Completed), 21);
    println!("20 submissions done {:?} after the resumption", resumed.elapsed());
    for worker in workers {
        assert!(worker.terminate().success(), "{}", world.log());
    }
    world.finish().await;
}
