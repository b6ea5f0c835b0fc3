//! Several workers on one Redis: nothing is lost, nothing is doubled, whatever happens to the server.

use std::time::{Duration, Instant};

use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry::domain::submission::State;
use ferry::pipeline::WorkersEnded;
use ferry::sim::{Endpoint, Fault, FaultRates, Processing, RetryAfter, SimConfig};
use tokio::task::JoinHandle;

use crate::store::redis_server::{RedisServer, own_namespace, shared_server};
use crate::support::{World, overwriting, pause, prompt, settings};

/// Another process of the same fleet.
struct Replica {
    app: App,
    workers: JoinHandle<Result<(), WorkersEnded>>,
}

impl Replica {
    fn start(world: &World, changes: &[(&str, &str)]) -> Self {
        let mut env = settings(&world.sim);
        env.extend(changes.iter().map(|(name, value)| (format!("FERRY_{name}"), (*value).into())));
        let config = Config::load(&Sources { file: None, env, flags: Vec::new() }).unwrap();
        let app = App::open(config).unwrap();
        let workers = tokio::spawn(app.workers().unwrap().run());
        Self { app, workers }
    }

    async fn stop(self) {
        self.app.shutdown.drain();
        self.workers.await.unwrap().unwrap();
    }
}

/// A Platform that fails in every way.
fn bad_days(seed: u64) -> SimConfig {
    SimConfig {
        seed,
        processing: Processing::Uniform(Duration::ZERO, Duration::from_millis(300)),
        token_lifetime: Duration::from_secs(5),
        retry_after: Duration::from_millis(50),
        faults: FaultRates {
            server_error: 0.10,
            slow_down: 0.05,
            reset: 0.05,
            lost_answer: 0.03,
            token_refusal: 0.01,
        },
        ..SimConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_complete_a_thousand_submissions_and_double_none() {
    let server = shared_server().await;
    let (url, namespace) = (server.url(), own_namespace());
    let changes = [("STORE", url.as_str()), ("NAMESPACE", &namespace)];
    let world = World::start(bad_days(7), &changes).await;
    let others = [Replica::start(&world, &changes), Replica::start(&world, &changes)];
    let begun = Instant::now();
    world.submit_all((0..1000).map(|n| overwriting(&format!("d{n:04}")))).await;
    let stats = world.all_settled().await;
    println!("1000 submissions with faults in {:?}", begun.elapsed());
    assert_eq!(stats.count(State::Completed), 1000, "{stats:#?}");
    let ledger = world.sim.ledger();
    assert_eq!(ledger.names.len(), 1000);
    assert_eq!(ledger.doubled(), Vec::<&str>::new());
    for other in others {
        other.stop().await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_outlives_its_server_and_loses_nothing() {
    let server = RedisServer::start(&["--appendfsync", "always"]).await;
    let url = server.url();
    let changes = [("STORE", url.as_str()), ("LEASE", "2s")];
    let sim = SimConfig {
        processing: Processing::Uniform(Duration::ZERO, Duration::from_millis(300)),
        ..SimConfig::default()
    };
    let world = World::start(sim, &changes).await;
    let others = [Replica::start(&world, &changes), Replica::start(&world, &changes)];
    world.submit_all((0..600).map(|n| overwriting(&format!("d{n:04}")))).await;
    let completed = async |count| {
        let begun = Instant::now();
        loop {
            let stats = world.app.store.stats().await;
            if stats.is_ok_and(|stats| stats.count(State::Completed) >= count) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "not {count} completed");
            pause().await;
        }
    };
    completed(100).await;
    server.kill();
    server.resume().await;
    completed(250).await;
    server.ask::<()>("SCRIPT FLUSH").await;
    server.ask::<()>("CLIENT PAUSE 1000 ALL").await;
    completed(400).await;
    server.kill();
    server.resume().await;
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 600, "{stats:#?}");
    assert_eq!(world.sim.ledger().names.len(), 600);
    for other in others {
        other.stop().await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_platform_asks_of_one_replica_all_replicas_do() {
    let server = shared_server().await;
    let (url, namespace) = (server.url(), own_namespace());
    let changes = [("STORE", url.as_str()), ("NAMESPACE", &namespace)];
    let world = World::start(prompt(), &changes).await;
    let others = [Replica::start(&world, &changes), Replica::start(&world, &changes)];
    world.sim.script(Endpoint::Upload, Fault::SlowDown(RetryAfter::Seconds(3.0)));
    world.submit_all((0..500).map(|n| overwriting(&format!("d{n:04}")))).await;
    let begun = Instant::now();
    loop {
        let stats = world.app.store.stats().await.unwrap();
        let leased: u64 = stats.steps.iter().map(|steps| steps.leased).sum();
        if stats.accounts[0].health.gate_until.is_some() && leased == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "the gate did not close: {stats:#?}");
        pause().await;
    }
    let requests = || world.sim.ledger().requests;
    let (before, closed) = (requests(), Instant::now());
    while closed.elapsed() < Duration::from_millis(1500) {
        assert_eq!(requests(), before, "{:?} after the gate closed", closed.elapsed());
        pause().await;
    }
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 500, "{stats:#?}");
    for other in others {
        other.stop().await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_replica_hardly_asks_its_server() {
    let server = RedisServer::start(&[]).await;
    let url = server.url();
    let changes = [("STORE", url.as_str())];
    let world = World::start(prompt(), &changes).await;
    world.submit_all((0..5).map(|n| overwriting(&format!("d{n}")))).await;
    world.all_settled().await;
    // A worker runs scripts, and nothing else: what they do inside is not sent.
    let commands = async || {
        let info: String = server.ask("INFO commandstats").await;
        let line = info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        let calls = line.and_then(|line| line.split(',').next());
        calls.expect("scripts were run").parse::<u64>().unwrap()
    };
    let before = commands().await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        pause().await;
    }
    let sent = commands().await - before;
    println!("{sent} commands in 5 s");
    assert!(sent < 25, "{sent} commands in 5 s");
    world.finish().await;
}
