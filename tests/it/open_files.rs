//! Processes that may open few files: each connection is one.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use ferry_sim::SimConfig;
use ferry_types::domain::submission::State;

use crate::support::{World, dataset, pause, prompt};
use crate::worker::Worker;

const FEW: u32 = 64;

async fn logged(world: &World, text: &str) -> String {
    let started = Instant::now();
    loop {
        let log = world.log();
        if log.contains(text) {
            return log;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "not `{text}`:\n{log}");
        pause().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_may_open_64_files_runs_fewer_steps_at_once_and_completes_them_all() {
    let latency = Duration::from_millis(50);
    let world = World::idle(SimConfig { latency, ..prompt() }, &[]).await;
    world.submit_all((0..100).map(|n| dataset(&format!("few-{n}")))).await;
    let worker = Worker::limited(&world, FEW, &["worker"]);
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 100, "{stats:#?}\n{}", world.log());
    assert!(worker.terminate().success(), "{}", world.log());
    let log = world.log();
    assert!(log.contains("6 steps of each kind run at once, not 64"), "{log}");
    for trouble in ["too many open files", "os error 24", "cannot", "could not", "breaker"] {
        assert!(!log.to_lowercase().contains(trouble), "{trouble}:\n{log}");
    }
    world.finish().await;
}

/// The address behind `text` in a log.
async fn address_in_log(world: &World, text: &str) -> String {
    let log = logged(world, text).await;
    let address = log.split(text).nth(1).expect("it was found");
    address.chars().take_while(|c| !c.is_whitespace() && *c != '/').collect()
}

fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address).expect("the system keeps it until it is accepted")
}

const API: &str = "the HTTP API is at http://";
const METRICS: &str = "metrics are at http://";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_clients_of_a_process_that_may_open_64_files_stop_no_upload() {
    for (command, setting, text) in
        [("serve", "listen=127.0.0.1:0", API), ("worker", "metrics_listen=127.0.0.1:0", METRICS)]
    {
        let latency = Duration::from_millis(20);
        let world = World::idle(SimConfig { latency, ..prompt() }, &[]).await;
        let process = Worker::limited(&world, FEW, &[command, "--set", setting]);
        let address = address_in_log(&world, text).await;
        let idle: Vec<TcpStream> = (0..100).map(|_| connect(&address)).collect();
        world.submit_all((0..30).map(|n| dataset(&format!("idle-{n}")))).await;
        let stats = world.all_settled().await;
        assert_eq!(stats.count(State::Completed), 30, "{stats:#?}\n{}", world.log());
        drop(idle);
        assert!(process.terminate().success(), "{}", world.log());
        let log = world.log();
        for trouble in ["too many open files", "os error 24", "cannot", "could not", "breaker"] {
            assert!(!log.to_lowercase().contains(trouble), "{command}: {trouble}:\n{log}");
        }
        world.finish().await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_free_files_logs_that_once_and_when_it_is_over() {
    let world = World::idle(prompt(), &[]).await;
    let listen = ["serve", "--no-workers", "--set", "listen=127.0.0.1:0"];
    let server = Worker::limited(&world, FEW, &listen);
    let address = address_in_log(&world, API).await;
    server.allow_files(3);
    connect(&address);
    logged(&world, "cannot accept connections").await;
    let failing = Instant::now();
    // Long enough for several attempts.
    while failing.elapsed() < Duration::from_millis(800) {
        pause().await;
    }
    server.allow_files(FEW);
    let log = logged(&world, "connections are accepted again").await;
    assert_eq!(log.matches("cannot accept connections").count(), 1, "{log}");
    assert_eq!(log.matches("connections are accepted again").count(), 1, "{log}");
    assert!(server.terminate().success(), "{}", world.log());
    world.finish().await;
}
