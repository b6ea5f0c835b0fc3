//! Clients that mean no good, or know no better: memory stays bounded, each gets a clear answer, and the
//! server is well afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferry_types::clock::Clock;
use ferry_types::contract::ProblemKind;
use ferry_types::domain::Timestamp;
use futures_util::future::{join, join_all};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use reqwest::{Client, Method};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::encoding::{gzip, zstd};
use super::harness::{Answer, GOOD, Served, client};
use super::serve::{serve, url};
use crate::cli::harness::Ferry;
use crate::cli::running::Running;
use crate::support::{World, pause, prompt};
use ferry_testing::{RedisServer, own_namespace, shared_server};

const CLIENT_TIMEOUT: Duration = Duration::from_secs(4);

/// Memory for all bodies together, in bytes.
const BODIES: u64 = 32 << 20;

/// A server in a process of its own, and the way to it.
pub(super) struct Victim {
    pub(super) server: Running,
    pub(super) address: String,
    pub(super) client: Client,
    _ferry: Ferry,
}

impl Victim {
    pub(super) fn start(ferry: Ferry) -> Self {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
        let ferry = ferry
            .set("FERRY_CLIENT_TIMEOUT", format!("{}ms", CLIENT_TIMEOUT.as_millis()))
            .set("FERRY_BODY_MEMORY_BYTES", BODIES.to_string())
            .set("FERRY_MAX_DATASET_BYTES", (4 << 20).to_string())
            .set("FERRY_LOG", "error");
        let server = serve(&ferry, &["--no-workers"]);
        let address = url(&server).trim_start_matches("http://").to_owned();
        Self { server, address, client: client(), _ferry: ferry }
    }

    /// A line of `/proc/PID/status` that is a number.
    #[cfg(target_os = "linux")]
    pub(super) fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.server.id())).unwrap().count()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("http://{}{path}", self.address))).await
    }

    async fn submit(&self) -> Answer {
        let post = self.client.post(format!("http://{}/v1/submissions?name=march", self.address));
        Answer::of(post.header("content-type", "text/csv").body(GOOD)).await
    }

    /// It takes a submission in, at once.
    pub(super) async fn is_well(&self) {
        let started = Instant::now();
        let response = self.submit().await;
        assert_eq!(response.status, 201, "{}", response.text());
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }

    /// Sends bytes as they are, and reads all that comes back.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        // It may hang up before it has read all.
        let _ = stream.write_all(bytes).await;
        let mut response = Vec::new();
        let ended = timeout(CLIENT_TIMEOUT * 15, stream.read_to_end(&mut response)).await;
        assert!(ended.is_ok(), "it was neither answered nor cut off");
        String::from_utf8_lossy(&response).into_owned()
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_slow_clients_and_bombs_take_bounded_memory_and_leave_a_healthy_server() {
    slow_clients_and_bombs(Ferry::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_slow_clients_and_bombs_take_bounded_memory_on_redis_too() {
    let redis = on_redis();
    slow_clients_and_bombs(Ferry::new().stored_on(&redis));
}

fn on_redis() -> Arc<RedisServer> {
    Runtime::new().unwrap().block_on(shared_server())
}

#[cfg(target_os = "linux")]
fn slow_clients_and_bombs(ferry: Ferry) {
    let mut victim = Victim::start(ferry);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        victim.is_well().await;
        let (memory, files) = (victim.status("VmRSS"), victim.open_files());
        // The first are cut off before the last have sent all that they send.
        let all_at_once = async {
            let started = Instant::now();
            while victim.open_files() < files + 500 {
                assert!(started.elapsed() < CLIENT_TIMEOUT * 10, "{}", victim.open_files());
                pause().await;
            }
        };
        let (slow, ()) = join(slow_clients(&victim, 1000), all_at_once).await;
        assert_eq!(victim.get("/healthz").await.status, 200);
        // Those that hold places with half a body hold them no longer than `client_timeout`. Until the last
        // of them is accepted, which may be long after it connected, a free place may be taken again.
        let started = Instant::now();
        loop {
            let response = victim.submit().await;
            if response.status == 201 {
                break;
            }
            response.is(ProblemKind::Busy);
            assert!(started.elapsed() < CLIENT_TIMEOUT * 10);
            pause().await;
        }
        let responses = join_all(slow.into_iter().map(ended)).await;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for response in &responses {
            *counts.entry(response.chars().take(12).collect()).or_default() += 1;
        }
        // Each kind got what is meant for it: no place, too slow, a response, or a plain end.
        assert!(counts["HTTP/1.1 408"] >= 100, "{counts:?}");
        assert!(counts["HTTP/1.1 200"] >= 40, "{counts:?}");
        let after_slow = victim.status("VmHWM");
        bombs(&victim).await;
        victim.is_well().await;
        let started = Instant::now();
        while victim.open_files() > files + 20 {
            assert!(
                started.elapsed() < CLIENT_TIMEOUT * 10,
                "{} files are open",
                victim.open_files()
            );
            pause().await;
        }
        let peak = victim.status("VmHWM");
        println!(
            "{counts:?}; {memory} KiB before, {after_slow} KiB with slow clients, {peak} KiB at most"
        );
        // The bodies, as much again on the way through the program, and 64 KiB a connection.
        assert!(peak < memory + 2 * (BODIES >> 10) + 64 * 1000, "{memory} KiB, then {peak} KiB");
    });
    victim.server.signal("TERM");
    assert_eq!(victim.server.end().code(), Some(0), "{}", victim.server.stderr());
    assert!(!victim.server.stderr().contains("panicked"), "{}", victim.server.stderr());
}

/// Sends half a head, a body that never comes, nothing at all, a body in drops, and many requests
/// whose responses stay unread.
async fn slow_clients(victim: &Victim, count: usize) -> Vec<TcpStream> {
    let post =
        "POST /v1/submissions?name=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n";
    let nothing_read = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200);
    let kinds = [
        "GET /v1/sta".to_owned(),
        format!("{post}content-length: 1000000\r\n\r\nSITE"),
        String::new(),
        format!("{post}transfer-encoding: chunked\r\n\r\n1\r\nS\r\n"),
        nothing_read,
    ];
    let one = |n: usize| {
        let kind = &kinds[if n.is_multiple_of(25) { 4 } else { n % 4 }];
        async move {
            let mut stream = TcpStream::connect(&victim.address).await.unwrap();
            // One that reads nothing need not take all that is sent either.
            let _ = timeout(CLIENT_TIMEOUT, stream.write_all(kind.as_bytes())).await;
            stream
        }
    };
    join_all((0..count).map(one)).await
}

/// Returns the response that a slow client got before it was cut off.
async fn ended(mut stream: TcpStream) -> String {
    let mut response = Vec::new();
    let ended = timeout(CLIENT_TIMEOUT * 15, stream.read_to_end(&mut response)).await;
    assert!(ended.is_ok(), "a slow client is not cut off");
    String::from_utf8_lossy(&response).into_owned()
}

/// Bodies that are far too large, as they are or as soon as they are unpacked.
async fn bombs(victim: &Victim) {
    let bomb = vec![b'x'; 256 << 20];
    let packed = [("gzip", gzip(&bomb).await), ("zstd", zstd(&bomb))];
    drop(bomb);
    let large = vec![b'y'; 16 << 20];
    let one = |n: usize| {
        let post = victim.client.post(format!("http://{}/v1/submissions?name=b", victim.address));
        let post = post.header("content-type", "text/csv");
        let post = match n % 3 {
            0 | 1 => {
                let (encoding, body) = &packed[n % 3];
                post.header("content-encoding", *encoding).body(body.clone())
            }
            _ => post.body(large.clone()),
        };
        Answer::of(post)
    };
    for response in join_all((0..48).map(one)).await {
        // More than fit at once are sent away, and come again.
        assert!(matches!(response.status, 413 | 503), "{}", response.text());
        assert_eq!(response.status == 503, !response.header("retry-after").is_empty());
    }
    for n in 0..3 {
        let started = Instant::now();
        while one(n).await.status != 413 {
            assert!(started.elapsed() < CLIENT_TIMEOUT * 10);
        }
    }
}

#[test]
fn nonsense_gets_a_clear_problem_and_never_breaks_anything() {
    nonsense(Ferry::new());
}

#[test]
fn nonsense_gets_a_clear_problem_on_redis_too() {
    let redis = on_redis();
    nonsense(Ferry::new().stored_on(&redis));
}

fn nonsense(ferry: Ferry) {
    let mut victim = Victim::start(ferry);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let json = |body: String| {
            let post = victim.client.post(format!("http://{}/v1/submissions", victim.address));
            Answer::of(post.header("content-type", "application/json").body(body))
        };
        for body in [
            "[".repeat(1_000_000),
            "{\"name\":".repeat(200_000),
            format!("{{\"name\": \"a\", \"data\": \"x\", \"labels\": {}}}", "[".repeat(100_000)),
            "{\"name\": 1e999, \"data\": {}}".to_owned(),
            "{\"name\": \"a\", \"name\": \"b\", \"data\": \"x\"}".to_owned(),
            "{\"name\": \"\\ud800\", \"data\": \"x\"}".to_owned(),
            "\u{feff}{}".to_owned(),
            "{}".repeat(1000),
            "null".to_owned(),
        ] {
            json(body).await.is(ProblemKind::InvalidRequest);
        }
        let (many, get) = ("x".repeat(60_000), "GET /v1/stats HTTP/1.1\r\nhost: localhost\r\n");
        let post = "POST /v1/submissions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        for (request, expected) in [
            // Heads that are too large, in every part.
            (format!("GET /{many}{many} HTTP/1.1\r\n\r\n"), &["431", "414"][..]),
            (format!("{get}x: {many}{many}\r\n\r\n"), &["431"]),
            (format!("{get}{}\r\n", "a: b\r\n".repeat(5000)), &["431"]),
            // Bodies of two lengths, of none that is a number, and chunks that are none.
            (format!("{post}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), &["400"]),
            (format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"), &["400"]),
            (format!("{post}content-length: -1\r\n\r\n"), &["400"]),
            (format!("{post}content-length: 99999999999999999999\r\n\r\n"), &["400", "413"]),
            (format!("{post}connection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), &["400"]),
            (format!("{post}connection: close\r\ncontent-length: 50000000000\r\n\r\n"), &["413"]),
            // What is not HTTP, or not of this version.
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &["400", "505", ""]),
            ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(), &["400", ""]),
            ("GET / HTTP/9.9\r\n\r\n".to_owned(), &["400", "505", ""]),
            ("GET\r\n\r\n".to_owned(), &["400"]),
            // Paths that lead out, or elsewhere.
            ("GET /../../etc/passwd HTTP/1.0\r\nhost: localhost\r\n\r\n".to_owned(), &["404"]),
            ("GET //v1//stats HTTP/1.0\r\nhost: localhost\r\n\r\n".to_owned(), &["404"]),
            ("GET /v1/stats%00 HTTP/1.0\r\nhost: localhost\r\n\r\n".to_owned(), &["404"]),
            ("GET /v1/stats;x=y HTTP/1.0\r\nhost: localhost\r\n\r\n".to_owned(), &["404"]),
            ("GET http://evil.example/v1/stats HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_owned(), &["403"]),
            ("CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_owned(), &["403", "404", "405"]),
            (format!("GET /v1/submissions?{} HTTP/1.0\r\nhost: localhost\r\n\r\n", "a=b&".repeat(10_000)), &["400"]),
        ] {
            let response = victim.raw(request.as_bytes()).await;
            let shown: String = request.chars().take(200).collect();
            let status = response.strip_prefix("HTTP/1.").map_or("", |rest| &rest[2..5]);
            assert!(expected.contains(&status), "{shown}: {response}");
        }
        victim.is_well().await;
    });
    victim.server.signal("TERM");
    assert_eq!(victim.server.end().code(), Some(0), "{}", victim.server.stderr());
    assert!(!victim.server.stderr().contains("panicked"), "{}", victim.server.stderr());
}

/// A clock that stands still for good.
#[derive(Debug)]
struct Broken;

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        panic!("the clock is broken")
    }
}

#[tokio::test]
async fn a_bug_costs_the_request_that_meets_it_and_no_other() {
    a_bug(World::idle(prompt(), &[]).await).await;
}

#[tokio::test]
async fn a_bug_costs_no_other_request_on_redis_either() {
    let (redis, namespace) = (shared_server().await, own_namespace());
    let store = [("STORE", redis.url()), ("NAMESPACE", namespace)];
    let store = store.each_ref().map(|(name, value)| (*name, value.as_str()));
    a_bug(World::idle(prompt(), &store).await).await;
}

async fn a_bug(mut world: World) {
    world.app.clock = Arc::new(Broken);
    let served = Served::over(world).await;
    let ask = |path: &str| {
        // A request that brings its own id needs no clock for that.
        Answer::of(served.request(Method::GET, path).header("x-request-id", "mine"))
    };
    for _ in 0..3 {
        let response = ask("/v1/stats").await;
        let problem = response.is(ProblemKind::Internal);
        assert_eq!(problem.instance.as_deref(), Some("mine"));
        assert!(!response.text().contains("broken"), "{}", response.text());
        assert_eq!(ask("/v1/submissions").await.status, 200);
    }
    let body = json!({ "name": "a", "data": GOOD });
    let request = served.request(Method::POST, "/v1/submissions").header("x-request-id", "mine");
    let request = request.header("content-type", "application/json").body(body.to_string());
    Answer::of(request).await.is(ProblemKind::Internal);
    let metrics = ask("/metrics").await.text();
    assert!(metrics.contains("class=\"5xx\",route=\"GET /v1/stats\"} 3"), "{metrics}");
}
