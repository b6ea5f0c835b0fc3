//! Throughput of the HTTP API for submissions, as a ratio to a server that only parses them and responds.
//!
//! `cargo bench --bench http_api` runs the ceiling, and `ferry serve` on SQLite and on Redis, as processes of
//! their own and in turn, and prints the medians. `-- 2000 5` takes 2,000 submissions and 5 rounds.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod redis_server;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::routing::post;
use ferry_types::contract::{BulkResponse, SubmissionRequest, SubmissionResponse};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::timestamp;
use futures_util::{StreamExt, stream};
use redis_server::Server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

const SERVERS: [&str; 3] = ["ceiling", "sqlite", "redis"];

/// A measurement: its name and connections, of a bulk one.
const WAYS: [(&str, usize); 3] = [("1 connection", 1), ("16 connections", 16), ("bulk", 0)];

#[derive(Debug, Clone, Copy)]
struct InstrumentedStore {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Of the server, for each submission.
    cpu_micros: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("threads can be started");
    match words.as_slice() {
        ["ceiling"] => runtime.block_on(ceiling()),
        [] => compare(&runtime, 4000, 3),
        [count, rounds] => compare(&runtime, number(count), number(rounds)),
        _ => println!("usage: cargo bench --bench http_api [-- SUBMISSIONS ROUNDS]"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number was asked for")
}

fn compare(runtime: &tokio::runtime::Runtime, count: usize, rounds: usize) {
    println!("{count} submissions of 2 KB, {rounds} rounds in turn, medians");
    let mut results: BTreeMap<(&str, &str), Vec<InstrumentedStore>> = BTreeMap::new();
    for round in 0..rounds {
        for server in SERVERS {
            let mut running = Running::start(server);
            for (way, connections) in WAYS {
                let few = if connections == 1 { count / 4 } else { count };
                let name = format!("r{round}c{connections}");
                let before = running.cpu();
                let (measured, count) = runtime.block_on(async {
                    match connections {
                        0 => (bulk(&running.address, &name, few * 4).await, few * 4),
                        _ => (single(&running.address, &name, few, connections).await, few),
                    }
                });
                let cpu = running.cpu().saturating_sub(before);
                let cpu_micros = cpu.as_micros() as f64 / count as f64;
                let measured = InstrumentedStore { cpu_micros, ..measured };
                results.entry((way, server)).or_default().push(measured);
            }
            running.stop();
        }
    }
    println!(
        "{:<16}{:<10}{:>12}{:>10}{:>10}{:>12}   of the ceiling, round by round",
        "", "", "a second", "p50 ms", "p99 ms", "CPU us"
    );
    for (way, _) in WAYS {
        for server in SERVERS {
            let measured = &results[&(way, server)];
            let median = |value: fn(&InstrumentedStore) -> f64| {
                let mut values: Vec<f64> = measured.iter().map(value).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let ratio = |(one, ceiling): (&InstrumentedStore, &InstrumentedStore)| {
                format!("{:.0} %", 100.0 * one.per_second / ceiling.per_second)
            };
            let ratios = measured.iter().zip(&results[&(way, "ceiling")]).map(ratio);
            println!(
                "{way:<16}{server:<10}{:>12.0}{:>10.2}{:>10.2}{:>12.0}   {}",
                median(|m| m.per_second),
                median(|m| m.p50_ms),
                median(|m| m.p99_ms),
                median(|m| m.cpu_micros),
                ratios.collect::<Vec<_>>().join(", ")
            );
        }
    }
}

/// A server in a process of its own.
struct Running {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
    _redis: Option<Server>,
}

impl Running {
    fn start(server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let redis = (server == "redis").then(|| Server::start().expect("Redis starts"));
        let mut command = if server == "ceiling" {
            let mut command = Command::new(std::env::current_exe().expect("it is known"));
            command.arg("ceiling");
            command
        } else {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
            let file = || format!("sqlite:{}", folder.path().join("ferry.db").display());
            let location = redis.as_ref().map_or_else(file, Server::url);
            command.args(["serve", "--no-workers", "--json", "--store", &location]);
            command.args(["--set", "listen=127.0.0.1:0", "--set", "log=error"]);
            command
        };
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let mut line = String::new();
        let out = process.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("it prints its address");
        let address = line.split("://").nth(1).and_then(|rest| rest.split('"').next());
        let address = address.unwrap_or_else(|| panic!("{server}: {line}")).to_owned();
        Self { process, address, _folder: folder, _redis: redis }
    }

    /// The time that its threads have run.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        // Of user and system, in hundredths of a second.
        let ticks: u64 = fields.skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    fn stop(&mut self) {
        self.process.kill().expect("it still runs");
        let _ = self.process.wait();
    }
}

/// A submission as JSON.
fn submission(name: &str) -> String {
    let rows = (0..46).map(|row| format!("SITE-{row:04},03/03/2025,08:00,03/03/2025,16:30\n"));
    let request = SubmissionRequest {
        name: name.to_owned(),
        data: rows.collect(),
        idempotency_key: Some(name.to_owned()),
        account: Some("default".to_owned()),
        ..SubmissionRequest::default()
    };
    serde_json::to_string(&request).expect("it has a JSON form")
}

/// So many requests, one after the other on each connection.
async fn single(address: &str, name: &str, count: usize, connections: usize) -> InstrumentedStore {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks = (0..connections).map(|_| {
        let (address, name, next) = (address.to_owned(), name.to_owned(), next.clone());
        tokio::spawn(async move {
            let mut connection = Connection::open(&address).await;
            let mut took = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return took;
                }
                let body = submission(&format!("{name}-{at}"));
                let started = Instant::now();
                let status = connection.post("/v1/submissions", "application/json", &body).await;
                took.push(started.elapsed());
                assert_eq!(status, 201);
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.expect("it does not panic"));
    }
    measured(count, started.elapsed(), took)
}

fn measured(count: usize, all: Duration, mut took: Vec<Duration>) -> InstrumentedStore {
    took.sort_unstable();
    let at = |share: f64| {
        let at = ((took.len() as f64 * share) as usize).min(took.len() - 1);
        took[at].as_secs_f64() * 1000.0
    };
    InstrumentedStore {
        per_second: count as f64 / all.as_secs_f64(),
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        cpu_micros: 0.0,
    }
}

/// So many lines in one request; a line's time is from the write that sent it to its response.
async fn bulk(address: &str, name: &str, count: usize) -> InstrumentedStore {
    const AT_ONCE: usize = 50;
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is a socket");
    let (read, mut write) = stream.into_split();
    let head = format!(
        "POST /v1/submissions/bulk HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n\
         content-type: application/x-ndjson\r\n\r\n"
    );
    let started = Instant::now();
    let name = name.to_owned();
    let sending = tokio::spawn(async move {
        write.write_all(head.as_bytes()).await.expect("it is taken");
        let mut sent = Vec::with_capacity(count);
        for first in (0..count).step_by(AT_ONCE) {
            let lines: String = (first..(first + AT_ONCE).min(count))
                .map(|at| submission(&format!("{name}-{at}")) + "\n")
                .collect();
            let now = started.elapsed();
            sent.extend(std::iter::repeat_n(now, (count - first).min(AT_ONCE)));
            let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
            write.write_all(chunk.as_bytes()).await.expect("it is taken");
        }
        write.write_all(b"0\r\n\r\n").await.expect("it is taken");
        (sent, write)
    });
    let mut read = tokio::io::BufReader::new(read);
    assert_eq!(read_head(&mut read).await.0, 200);
    let mut times = Vec::with_capacity(count);
    let mut line = String::new();
    while times.len() < count {
        line.clear();
        assert!(read.read_line(&mut line).await.expect("it has a response") > 0, "it ended early");
        // Between the responses stand the sizes of chunks.
        if line.starts_with('{') {
            assert!(line.contains("\"id\""), "{line}");
            times.push(started.elapsed());
        }
    }
    let all = started.elapsed();
    let (sent, _write) = sending.await.expect("it does not panic");
    let took = times.iter().zip(sent).map(|(times, sent)| times.saturating_sub(sent));
    measured(count, all, took.collect())
}

/// As little of a client as will do, so that the servers are what takes the time.
struct Connection {
    read: tokio::io::BufReader<OwnedReadHalf>,
    write: tokio::net::tcp::OwnedWriteHalf,
    host: String,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("it is a socket");
        let (read, write) = stream.into_split();
        Self { read: tokio::io::BufReader::new(read), write, host: address.to_owned() }
    }

    async fn post(&mut self, path: &str, kind: &str, body: &str) -> u16 {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.write.write_all(request.as_bytes()).await.expect("it is taken");
        let (status, length) = read_head(&mut self.read).await;
        let mut body = vec![0; length];
        self.read.read_exact(&mut body).await.expect("it has a response");
        status
    }
}

/// The status of a response, and the length of its body.
async fn read_head(read: &mut tokio::io::BufReader<OwnedReadHalf>) -> (u16, usize) {
    let (mut status, mut length, mut line) = (0, 0, String::new());
    let wait = ferry_testing::Wait::begin("the end of a head");
    loop {
        wait.check();
        line.clear();
        read.read_line(&mut line).await.expect("it has a response");
        let text = line.trim_end();
        if text.is_empty() {
            return (status, length);
        }
        if status == 0 {
            status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        }
        if let Some(value) = text.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
}

/// A server that reads what it is sent, and responds as Ferry would.
async fn ceiling() {
    let single = post(|body: String| async move {
        let request = SubmissionRequest::from_json(&body).expect("it is one");
        let response = response(&request.name);
        (StatusCode::CREATED, [("content-type", "application/json")], response)
    });
    let app = Router::new().route("/v1/submissions", single);
    let app = app.route("/v1/submissions/bulk", post(answer_lines));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    println!("{{\"url\":\"http://{}\"}}", listener.local_addr().expect("it has one"));
    axum::serve(listener, app).await.expect("it is killed");
}

fn response(name: &str) -> String {
    let mut response: SubmissionResponse = serde_json::from_str(ANSWER).expect("it is one");
    name.clone_into(&mut response.submission.name);
    serde_json::to_string(&response).expect("it has a JSON form")
}

const ANSWER: &str = r#"{"id":"01KDXB8W4S9ZT2M3Q5R7V1C6HY","name":"","account":"default","state":"queued",
    "reason":null,"reason_code":null,"attempts":0,"polls":0,"priority":"normal","overwrite":false,
    "result_keys":["tableofresultids"],"created_at":"2026-03-03T08:00:00Z","updated_at":"2026-03-03T08:00:00Z",
    "deadline":"2026-03-04T08:00:00Z","waiting_for":{"for":"worker","step":"upload"}}"#;

async fn answer_lines(body: Body) -> ([(&'static str, &'static str); 1], Body) {
    let state = (body.into_data_stream(), Vec::new(), 0);
    let responses = stream::unfold(state, |(mut body, mut rest, mut line)| async move {
        let frame = body.next().await?.ok()?;
        rest.extend_from_slice(&frame);
        let mut responses = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let text: Vec<u8> = rest.drain(..=end).collect();
            let text = String::from_utf8(text).expect("it is text");
            SubmissionRequest::from_json(&text).expect("it is one");
            line += 1;
            let id = Some(SubmissionId::new(timestamp(0), line));
            let response = BulkResponse { line: line as u64, id, duplicate: false, error: None };
            serde_json::to_writer(&mut responses, &response).expect("it has a JSON form");
            responses.push(b'\n');
        }
        Some((Ok::<_, std::convert::Infallible>(responses), (body, rest, line)))
    });
    ([("content-type", "application/x-ndjson")], Body::from_stream(responses))
}
