//! Replicas on one Redis, side by side in this process: how they share work, and how quiet they are.

use std::time::{Duration, Instant};

use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry::pipeline::WorkersError;
use ferry_sim::{Dialect, SimConfig};
use ferry_types::domain::submission::State;
use tokio::task::JoinHandle;

use crate::support::{World, bad_days, overwriting, pause, prompt, settings};
use ferry_testing::{RedisServer, own_namespace, shared_server};

/// Another process of the same fleet.
struct Replica {
    app: App,
    workers: JoinHandle<Result<(), WorkersError>>,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_complete_a_thousand_submissions_and_double_none() {
    let server = shared_server().await;
    let (url, namespace) = (server.url(), own_namespace());
    let changes = [("STORE", url.as_str()), ("NAMESPACE", &namespace)];
    let world = World::start(bad_days(7), &changes).await;
    let others = [Replica::start(&world, &changes), Replica::start(&world, &changes)];
    let started = Instant::now();
    world.submit_all((0..1000).map(|n| overwriting(&format!("d{n:04}")))).await;
    let stats = world.all_settled().await;
    println!("1000 submissions with faults in {:?}", started.elapsed());
    assert_eq!(stats.count(State::Completed), 1000, "{stats:#?}");
    let ledger = world.sim.ledger();
    assert_eq!(ledger.names.len(), 1000);
    assert_eq!(ledger.doubled(), Vec::<&str>::new());
    for other in others {
        other.stop().await;
    }
    world.finish().await;
}

/// Requests of a Platform that were answered, and those that were throttled.
fn requests(world: &World) -> [u64; 2] {
    let ledger = world.sim.ledger();
    let throttled = ledger.faults.get("throttled").copied().unwrap_or_default();
    [ledger.requests - ledger.tokens_issued - throttled, throttled]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_learn_the_rate_that_the_platform_allows() {
    const RATE: f64 = 40.0;
    let server = shared_server().await;
    let (url, namespace) = (server.url(), own_namespace());
    let changes = [("STORE", url.as_str()), ("NAMESPACE", &namespace)];
    let sim = SimConfig {
        dialect: Some(Dialect::PLAIN),
        requests_per_second: Some(RATE),
        retry_after: Duration::from_secs(1),
        ..prompt()
    };
    let world = World::start(sim, &changes).await;
    let others = [Replica::start(&world, &changes), Replica::start(&world, &changes)];
    let learned = async || {
        let stats = world.app.store.stats().await.unwrap();
        let health = &stats.accounts[0].health;
        health.requests_per_second(world.app.clock.now())
    };
    world.submit_all((0..400).map(|n| overwriting(&format!("d{n:03}")))).await;
    let mut rate = learned().await;
    let wait = ferry_testing::Wait::begin("a learned rate");
    while rate.is_none() {
        wait.pause().await;
        rate = learned().await;
    }
    let (started, before) = (Instant::now(), requests(&world));
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 400, "{stats:#?}");
    let [answered, throttled] = requests(&world);
    let [answered, throttled] = [answered - before[0], throttled - before[1]];
    let used = answered as f64 / started.elapsed().as_secs_f64() / RATE;
    println!("learned {rate:?}; of the rate {used:.2}; {throttled} of {answered} throttled");
    assert!(throttled * 20 <= answered, "{throttled} of {answered} throttled");
    assert!(used > 0.6, "{used:.2} of the rate was used");
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
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        pause().await;
    }
    let sent = commands().await - before;
    println!("{sent} commands in 5 s");
    assert!(sent < 45, "{sent} commands in 5 s");
    world.finish().await;
}
