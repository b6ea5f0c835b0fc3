//! Throughput of submissions, as a ratio to the same HTTP calls made with no queue at all.
//!
//! `cargo bench --bench end_to_end` runs the simulated Platform, the ceiling and Ferry as processes of
//! their own, in turn, and prints the medians. `-- 2000 5` takes 2,000 submissions and 5 rounds.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod redis_server;
mod step_lag;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry::pipeline::SourceLabels;
use ferry::platform::{Platform, Unguarded, Upload};
use ferry_sim::{Processing, Sim, SimConfig};
use ferry_store::{Filter, NewSubmission};
use ferry_testing::Wait;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::outcome::Status;
use ferry_types::domain::submission::State;
use ferry_types::domain::until;
use redis_server::Server;
use serde::{Deserialize, Serialize};
use step_lag::StepLag;

/// Submissions in flight at once, in both.
const CONCURRENCY: usize = 64;

/// The result of a process of the measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct InstrumentedStore {
    per_second: f64,
    cpu_seconds: f64,
    peak_mib: f64,
    polls: f64,
    /// Of a second run at half of that rate: from acceptance to the end, and from due to claimed.
    p50_ms: f64,
    p99_ms: f64,
    lag_p99_ms: f64,
    /// Of Redis, for each submission of the first run: scripts called, and milliseconds of processor.
    redis_calls: f64,
    redis_cpu_ms: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sim"] => run(simulate()),
        ["ceiling", api, count] => print_json(&run(ceiling(api, number(count)))),
        ["sqlite", api, count] => print_json(&run(sqlite(api, number(count)))),
        ["redis", api, count] => print_json(&run(redis(api, number(count), 0))),
        ["redis-3", api, count] => print_json(&run(redis(api, number(count), 2))),
        ["worker", api, location] => run(work(api, location)),
        [] => compare(3000, 3),
        [count, rounds] => compare(number(count), number(rounds)),
        _ => println!("usage: cargo bench --bench end_to_end [-- SUBMISSIONS ROUNDS]"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number was asked for")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("threads can be started").block_on(future)
}

fn print_json(measured: &InstrumentedStore) {
    println!("{}", serde_json::to_string(measured).expect("numbers have a JSON form"));
}

fn compare(count: usize, rounds: usize) {
    println!(
        "{count} submissions of 2 KB, 3 calls each, {CONCURRENCY} at once, {rounds} rounds in turn, medians"
    );
    let mut results: BTreeMap<&str, Vec<InstrumentedStore>> = BTreeMap::new();
    for _ in 0..rounds {
        for what in ["ceiling", "sqlite", "redis", "redis-3"] {
            let (mut sim, api) = start_simulator();
            let child = command(&[what, &api, &count.to_string()]).output().expect("it runs");
            let text = String::from_utf8_lossy(&child.stdout);
            let line = text.lines().last().unwrap_or_default();
            let errors = String::from_utf8_lossy(&child.stderr);
            let measured =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("{what}: {errors}"));
            results.entry(what).or_default().push(measured);
            drop(sim.stdin.take());
            let _ = sim.wait();
        }
    }
    report(&results);
}

fn report(results: &BTreeMap<&str, Vec<InstrumentedStore>>) {
    println!(
        "{:<10}{:>12}{:>12}{:>12}{:>8}{:>10}{:>10}{:>14}",
        "", "per second", "CPU s", "peak MiB", "polls", "p50 ms", "p99 ms", "lag p99 ms"
    );
    let median = |what: &str, value: fn(&InstrumentedStore) -> f64| {
        let mut values: Vec<f64> = results[what].iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    for what in results.keys() {
        let of = |value| median(what, value);
        println!(
            "{what:<10}{:>12.0}{:>12.2}{:>12.1}{:>8.2}{:>10.1}{:>10.1}{:>14.1}",
            of(|m| m.per_second),
            of(|m| m.cpu_seconds),
            of(|m| m.peak_mib),
            of(|m| m.polls),
            of(|m| m.p50_ms),
            of(|m| m.p99_ms),
            of(|m| m.lag_p99_ms),
        );
    }
    for (what, goal) in [("sqlite", 50), ("redis", 70), ("redis-3", 70)] {
        let mut ratios: Vec<f64> = results[what]
            .iter()
            .zip(&results["ceiling"])
            .map(|(ferry, ceiling)| ferry.per_second / ceiling.per_second)
            .collect();
        ratios.sort_by(f64::total_cmp);
        let percents: Vec<String> =
            ratios.iter().map(|ratio| format!("{:.0} %", ratio * 100.0)).collect();
        println!("{what} to ceiling, round by round: {} (goal: {goal} %)", percents.join(", "));
    }
    for what in ["redis", "redis-3"] {
        let (calls, cpu) = (median(what, |m| m.redis_calls), median(what, |m| m.redis_cpu_ms));
        println!(
            "{what}: {calls:.2} scripts and {cpu:.2} ms of the server's processor a submission"
        );
    }
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a process has a program"));
    command.args(words);
    command
}

fn start_simulator() -> (Child, String) {
    let mut sim = command(&["sim"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the simulator starts");
    let mut line = String::new();
    let stdout = sim.stdout.take().expect("it was asked for");
    BufReader::new(stdout).read_line(&mut line).expect("it prints its address");
    (sim, line.trim().to_owned())
}

/// Serves until stdin is closed.
async fn simulate() {
    let config =
        SimConfig { processing: Processing::Fixed(Duration::ZERO), ..SimConfig::default() };
    let sim = Sim::start(config, (Ipv4Addr::LOCALHOST, 0).into()).await.expect("a port is free");
    println!("{}", sim.address());
    let wait = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = wait.await;
}

fn config(address: &str, location: &str) -> Config {
    let settings = [
        ("STORE", location),
        ("TOKEN_URL", &format!("http://{address}/connect/token")),
        ("API_URL", &format!("http://{address}/upload")),
        ("CLIENT_ID", "demo"),
        ("CLIENT_SECRET", "demo-secret"),
        ("API_KEY", "demo-key"),
        ("POLL_INITIAL", "1ms"),
        ("CONCURRENCY", &CONCURRENCY.to_string()),
    ];
    let env = settings.map(|(name, value)| (format!("FERRY_{name}"), value.to_owned())).into();
    Config::load(&Sources { file: None, env, flags: Vec::new() }).expect("a valid configuration")
}

fn dataset(n: usize) -> SubmissionRequest {
    let mut data = "Reference,StartDate,StartTime,EndDate,EndTime\n".to_owned();
    for row in 0..44 {
        data += &format!("REF-{n:06}-{row:02},01/03/2026,08:{row:02},01/03/2026,17:{row:02}\n");
    }
    SubmissionRequest { name: format!("bench-{n:06}"), data, ..SubmissionRequest::default() }
}

/// The same calls by the same client, from tasks that do nothing else.
async fn ceiling(address: &str, count: usize) -> InstrumentedStore {
    let config = config(address, "sqlite:unused.db");
    let account = config.accounts["default"].clone();
    let platform = ferry::app::platform(&account, &config.limits, &Arc::default());
    let platform = Arc::new(platform.expect("a valid account"));
    let requests: Arc<Vec<_>> = Arc::new((0..count).map(dataset).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let tasks: Vec<_> = (0..CONCURRENCY)
        .map(|_| {
            let (platform, requests, next) = (platform.clone(), requests.clone(), next.clone());
            tokio::spawn(async move {
                let wait = Wait::begin("the last request").at_most(LONGEST);
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    wait.check();
                    upload_and_fetch(&platform, request).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("every request gets a response");
    }
    InstrumentedStore {
        per_second: count as f64 / started.elapsed().as_secs_f64(),
        cpu_seconds: cpu_seconds() - cpu,
        peak_mib: peak_mib(),
        polls: 1.0,
        p50_ms: 0.0,
        p99_ms: 0.0,
        lag_p99_ms: 0.0,
        redis_calls: 0.0,
        redis_cpu_ms: 0.0,
    }
}

async fn upload_and_fetch(platform: &Platform, request: &SubmissionRequest) {
    let upload =
        Upload { name: &request.name, data: &request.data, event_data: None, overwrite: false };
    let accepted = platform.upload(upload, &Unguarded).await.expect("it is taken");
    let token = accepted.processing_token;
    assert_eq!(platform.status(&token, &Unguarded).await.expect("it is known"), Status::Done);
    platform.result(&token, "tableofresultids", false, &Unguarded).await.expect("it is there");
}

/// Ferry on a file in the temporary folder.
async fn sqlite(address: &str, count: usize) -> InstrumentedStore {
    let folder = tempfile::tempdir().expect("a folder for the store");
    let location = format!("sqlite:{}", folder.path().join("bench.db").display());
    carried(address, &location, count).await
}

/// Ferry on a Redis server of its own, with its file synced every second, and with further workers
/// beside this process.
async fn redis(address: &str, count: usize, others: usize) -> InstrumentedStore {
    let server = Server::start().expect("a server");
    let location = server.url();
    let client = redis::Client::open(location.as_str()).expect("a valid address");
    ferry_testing::until("the Redis server", async || {
        client.get_multiplexed_async_connection().await.is_ok()
    })
    .await;
    let start = || command(&["worker", address, &location]).stdin(Stdio::piped()).spawn();
    let others: Vec<Child> = (0..others).map(|_| start().expect("it starts")).collect();
    let measured = carried(address, &location, count).await;
    for mut other in others {
        drop(other.stdin.take());
        let _ = other.wait();
    }
    drop(server);
    measured
}

/// A further worker, until stdin is closed.
async fn work(address: &str, location: &str) {
    let app = App::open(config(address, location)).expect("a store");
    let workers = tokio::spawn(app.workers().expect("a valid account").run());
    let wait = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = wait.await;
    app.shutdown.drain();
    workers.await.expect("no panic").expect("an orderly end");
}

/// Scripts that a Redis server ran so far, and its seconds of processor.
async fn redis_usage(location: &str) -> (f64, f64) {
    if !location.starts_with("redis:") {
        return (0.0, 0.0);
    }
    let client = redis::Client::open(location).expect("a valid address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("it responds");
    let info: String =
        redis::cmd("INFO").arg("all").query_async(&mut connection).await.expect("Redis responds");
    let value = |name: &str| -> f64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split([',', '\r']).next()?.trim().parse().ok());
        number.unwrap_or(0.0)
    };
    let cpu = value("used_cpu_sys:") + value("used_cpu_user:");
    (value("cmdstat_evalsha:calls="), cpu)
}

/// A backlog first, then a steady stream at half the rate.
async fn carried(address: &str, location: &str, count: usize) -> InstrumentedStore {
    let app = App::open(config(address, location)).expect("a store");
    let new: Vec<NewSubmission> = (0..count).map(|n| prepare(&app, n)).collect();
    for batch in new.chunks(500) {
        app.store.accept(batch.to_vec()).await.expect("it is kept");
    }
    let (calls, redis_cpu) = redis_usage(location).await;
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let workers = tokio::spawn(app.workers().expect("a valid account").run());
    completed(&app, count).await;
    let per_second = count as f64 / started.elapsed().as_secs_f64();
    let (cpu_seconds, peak_mib) = (cpu_seconds() - cpu, peak_mib());
    let (calls_after, redis_cpu_after) = redis_usage(location).await;
    let lag_before = StepLag::of(&app);
    let steady = count / 3;
    stream(&app, count, steady, per_second / 2.0).await;
    completed(&app, count + steady).await;
    let lag_p99_ms = StepLag::of(&app).p99_ms(&lag_before);
    let (latencies, polls) = latencies(&app, steady).await;
    app.shutdown.drain();
    workers.await.expect("no panic").expect("an orderly end");
    InstrumentedStore {
        per_second,
        cpu_seconds,
        peak_mib,
        polls,
        p50_ms: latencies[latencies.len() / 2],
        p99_ms: latencies[latencies.len() * 99 / 100],
        lag_p99_ms,
        redis_calls: (calls_after - calls) / count as f64,
        redis_cpu_ms: (redis_cpu_after - redis_cpu) * 1000.0 / count as f64,
    }
}

fn prepare(app: &App, n: usize) -> NewSubmission {
    app.intake().prepare(dataset(n), &SourceLabels::default()).expect("it is valid").new
}

/// Longer than any figure takes; a run that waits so long has failed.
const LONGEST: Duration = Duration::from_hours(1);

/// Submits `count` datasets, evenly spread.
async fn stream(app: &App, first: usize, count: usize, per_second: f64) {
    let started = Instant::now();
    let intake = app.intake();
    let mut sent = 0;
    while sent < count {
        let due = ((started.elapsed().as_secs_f64() * per_second) as usize).clamp(sent, count);
        let batch = (sent..due).map(|n| prepare(app, first + n)).collect::<Vec<_>>();
        sent = due;
        if !batch.is_empty() {
            intake.accept(batch).await.expect("it is kept");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn completed(app: &App, count: usize) {
    let wait = Wait::begin(format!("{count} completed submissions")).at_most(LONGEST);
    while app.store.stats().await.expect("it can be read").count(State::Completed) < count as u64 {
        wait.pause().await;
    }
}

/// Milliseconds from acceptance to completion of the newest `count`, sorted, and their polls.
async fn latencies(app: &App, count: usize) -> (Vec<f64>, f64) {
    let page = app.store.list(&Filter::default(), None, count).await.expect("it can be read");
    let polls: u32 = page.found.iter().map(|found| found.submission.polls).sum();
    let mut latencies: Vec<f64> = page
        .found
        .iter()
        .filter_map(|found| Some((found.submission.created_at, found.submission.finished_at?)))
        .map(|(created, finished)| until(created, finished).as_secs_f64() * 1000.0)
        .collect();
    latencies.sort_by(f64::total_cmp);
    (latencies, f64::from(polls) / count as f64)
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| after_name.split_whitespace().nth(n).and_then(|f| f.parse::<f64>().ok());
    // Clock ticks have been hundredths of a second on every Linux for decades.
    (field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0)) / 100.0
}

/// The most memory that this process ever held.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0.0) / 1024.0
}
