//! Worker processes that are killed in the middle, or stopped politely.

use std::time::{Duration, Instant};

use ferry_sim::{Processing, SimConfig};
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::submission::{ReasonCode, State};

use crate::support::{World, bad_days, overwriting, prompt};
use crate::worker::Worker;
use ferry_testing::{RedisServer, Wait, until};

async fn wait_for(world: &World, state: State, count: u64) {
    let wait = Wait::begin(format!("{count} submissions {state}"));
    while world.app.store.stats().await.unwrap().count(state) < count {
        wait.pause_or(|| world.log()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_are_killed_again_and_again_lose_nothing_and_double_nothing() {
    let (total, kills) = (
        crate::support::of_environment("CHAOS_SUBMISSIONS", 200),
        crate::support::of_environment("CHAOS_KILLS", 4),
    );
    let sim = SimConfig { latency: Duration::from_millis(20), ..bad_days(3) };
    let world = World::idle(sim, &[]).await;
    world.submit_all((0..total).map(|n| overwriting(&format!("c{n:04}")))).await;
    let impatient = [("LEASE", "500ms"), ("CONCURRENCY", "16")];
    let mut rng = fastrand::Rng::with_seed(11);
    for round in 0..kills {
        let worker = Worker::start(&world, &impatient);
        // A different moment each time, and always in the middle of the uploads.
        let threshold = (round * total + rng.u64(1..total)) / (kills + 1);
        until("uploads", async || world.sim.ledger().accepted() >= threshold).await;
        worker.kill();
    }
    let worker = Worker::start(&world, &impatient);
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), total, "{stats:#?}");
    assert!(worker.terminate().success());

    let ledger = world.sim.ledger();
    assert_eq!(ledger.names.len() as u64, total);
    assert_eq!(ledger.early_requests, 0);
    let interrupted = world.ambiguous_names().await;
    for name in ledger.doubled() {
        assert!(
            interrupted.contains(name),
            "`{name}` was doubled, and no worker died in its upload"
        );
    }
    println!(
        "{kills} kills, {} uploads interrupted, {} doubled by that",
        interrupted.len(),
        ledger.doubled().len()
    );
    world.finish().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_takes_no_more_memory_for_a_longer_backlog() {
    let world = World::idle(prompt(), &[]).await;
    let total = crate::support::of_environment("BACKLOG_SUBMISSIONS", 1500);
    let rows = "R-1,01/03/2026,08:00,01/03/2026,09:00\n".repeat(55);
    for batch in 0..total.div_ceil(500) {
        let data = |n| SubmissionRequest { data: rows.clone(), ..overwriting(&format!("m{n:05}")) };
        world.submit_all((batch * 500..total.min(batch * 500 + 500)).map(data)).await;
    }
    let worker = Worker::start(&world, &[]);
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), total);
    let peak = worker.peak_kib();
    println!("{total} submissions of 2 KB: the worker took at most {peak} KiB");
    assert!(peak < 150 << 10, "{peak} KiB");
    assert!(worker.terminate().success());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_terminated_gives_its_steps_back_and_spends_nothing() {
    let sim = SimConfig { processing: Processing::Fixed(Duration::from_millis(20)), ..prompt() };
    let world = World::idle(sim, &[]).await;
    world.submit_all((0..300).map(|n| overwriting(&format!("t{n:03}")))).await;
    let worker = Worker::start(&world, &[]);
    wait_for(&world, State::Completed, 50).await;
    assert!(worker.terminate().success());
    let stats = world.app.store.stats().await.unwrap();
    assert_eq!(stats.steps.iter().map(|steps| steps.running).sum::<u64>(), 0, "{stats:#?}");
    assert_eq!(stats.count(State::Uploading), 0, "{stats:#?}");
    assert!(stats.unfinished() > 0, "it was stopped in the middle");

    let worker = Worker::start(&world, &[]);
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 300);
    assert!(worker.terminate().success());
    let ledger = world.sim.ledger();
    assert!(ledger.names.values().all(|name| name.accepted.len() == 1), "none was interrupted");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_steps_of_a_killed_worker_run_again_at_once_on_one_machine() {
    // Every upload hangs, so that all slots of the first worker are in flight when it dies. Its leases would last for
    // longer than the test.
    let lease = [("LEASE", "10m")];
    let world = World::idle(prompt(), &[]).await;
    for _ in 0..8 {
        world
            .sim
            .script(ferry_sim::Endpoint::Upload, ferry_sim::Fault::Stall(Duration::from_mins(1)));
    }
    let ids = world.submit_all((0..8).map(|n| overwriting(&format!("k{n}")))).await;
    let first = Worker::start(&world, &lease);
    wait_for(&world, State::Uploading, 8).await;
    until("requests for all uploads", async || world.sim.is_script_done()).await;
    let worker = Worker::start(&world, &lease);
    let other = world.submit(overwriting("other")).await;
    assert_eq!(world.settled(other).await.state, State::Completed);
    first.kill();
    let killed = Instant::now();
    for id in ids {
        let view = world.settled(id).await;
        assert_eq!((view.state, view.upload_attempts), (State::Completed, 2));
    }
    println!("taken over and completed {:?} after the kill", killed.elapsed());
    assert!(worker.terminate().success());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_kills_its_worker_five_times_is_held_as_poison() {
    let world = World::idle(prompt(), &[]).await;
    for _ in 1..=5 {
        world
            .sim
            .script(ferry_sim::Endpoint::Upload, ferry_sim::Fault::Stall(Duration::from_mins(1)));
    }
    let ids = world.submit_all([overwriting("poison")]).await;
    for attempt in 1..=5 {
        // A worker rescues at its start the step that the one before left.
        let worker = Worker::start(&world, &[("LEASE", "200ms")]);
        world.until(ids[0], |view| view.upload_attempts == attempt).await;
        worker.kill();
    }
    let worker = Worker::start(&world, &[("LEASE", "200ms")]);
    let view = world.settled(ids[0]).await;
    assert_eq!((view.state, view.reason_code), (State::Held, Some(ReasonCode::Poison)));
    assert!(worker.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_store_is_gone_stops_within_its_shutdown_timeout() {
    for command in
        [&["worker"][..], &["worker", "--until-idle"], &["serve", "--set", "listen=127.0.0.1:0"]]
    {
        let redis = RedisServer::start(&[]).await;
        let settings = [("STORE", redis.url()), ("SHUTDOWN_TIMEOUT", "500ms".to_owned())];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let world = World::idle(prompt(), &settings).await;
        world.sim.script(
            ferry_sim::Endpoint::Upload,
            ferry_sim::Fault::Stall(Duration::from_millis(300)),
        );
        world.submit(overwriting("lost")).await;
        let process = Worker::limited(&world, 1024, command);
        until("the upload", async || world.sim.ledger().accepted() == 1).await;
        redis.kill();
        let stopped = Instant::now();
        process.terminate();
        let elapsed = stopped.elapsed();
        assert!(elapsed < Duration::from_secs(4), "{command:?}: {elapsed:?}\n{}", world.log());
    }
}
