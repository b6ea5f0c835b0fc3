//! Clients without a key at each of the listeners: whatever they send slowly, and do not read, they block
//! no other client and take nothing of callers.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use ferry::api::{Role, create_key};
use ferry_testing::{pause, until, within};
use ferry_types::clock::{Clock, SystemClock};
use ferry_types::domain::timestamp;
use futures_util::future::{join_all, select_all};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::api::harness::client;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform};
use crate::cli::running::Running;
use crate::webhooks::{HERE, SECRET};

const LOGIN: &str = "POST /console/login HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n\
                     content-type: application/x-www-form-urlencoded\r\ncontent-length: 9000\r\n";

/// A server with a key.
struct Server {
    running: Running,
    url: String,
    address: SocketAddr,
    key: String,
    client: Client,
    _ferry: Ferry,
}

impl Server {
    fn start(settings: &[(&str, &str)]) -> Self {
        let ferry = settings
            .iter()
            .fold(Ferry::new(), |ferry, (name, value)| ferry.set(&format!("FERRY_{name}"), *value));
        let file = ferry.path("keys.jsonl");
        let key = create_key(&file, "one".to_owned(), Role::Submit, BTreeSet::new(), timestamp(0));
        let key = key.unwrap().expose_secret().to_owned();
        let ferry = ferry.set("FERRY_API_KEYS", file.display().to_string());
        let running = serve(&ferry, &["--no-workers"]);
        let url = url(&running);
        let address = url.trim_start_matches("http://").parse().unwrap();
        let _ = client();
        let client = Client::builder().no_proxy().tls_certs_only([]).redirect(Policy::none());
        Self { running, url, address, key, client: client.build().unwrap(), _ferry: ferry }
    }

    async fn get(&self, path: &str) -> u16 {
        status(self.client.get(format!("{}{path}", self.url))).await
    }

    /// A dataset, and one that is none and has this size: 400 where there is memory for it.
    async fn submits(&self, bytes: usize) {
        let post = || {
            let post = self.client.post(format!("{}/v1/submissions?name=a", self.url));
            post.bearer_auth(&self.key)
        };
        assert_eq!(status(post().header("content-type", "text/csv").body(GOOD)).await, 201);
        let large = post().header("content-type", "application/json").body("x".repeat(bytes));
        assert_eq!(status(large).await, 400);
    }

    async fn log_in(&self) -> u16 {
        let post = self.client.post(format!("{}/console/login", self.url));
        let post = post.header("sec-fetch-site", "same-origin");
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        status(post.body(format!("key={}", self.key))).await
    }
}

async fn status(request: RequestBuilder) -> u16 {
    within("a response", request.send()).await.expect("it is answered").status().as_u16()
}

/// A connection from an address of this machine, which takes little of what it is sent.
async fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// So many connections that send this, one after the other, and read nothing.
async fn deaf(to: SocketAddr, request: &str, count: usize) -> Vec<TcpStream> {
    let mut deaf = Vec::new();
    for _ in 0..count {
        let mut stream = connect(Ipv4Addr::LOCALHOST, to).await;
        // The server does not read what follows a response that is not read, and may hang up.
        let _ = timeout(Duration::from_millis(200), stream.write_all(request.as_bytes())).await;
        // Each begins before the next: a connection without a request makes room at once.
        pause().await;
        deaf.push(stream);
    }
    deaf
}

#[test]
fn strangers_take_neither_the_memory_of_callers_nor_the_login() {
    let settings = [
        ("CLIENT_TIMEOUT", "5m"),
        ("BODY_MEMORY_BYTES", "800000"),
        ("MAX_DATASET_BYTES", "150000"),
    ];
    let mut server = Server::start(&settings);
    Runtime::new().unwrap().block_on(async {
        // The head of a frame of zstd with a window of 8 MiB.
        let zstd =
            [b"content-encoding: zstd\r\n\r\n", &[0x28, 0xb5, 0x2f, 0xfd, 0, 0x68][..]].concat();
        let slow = (0..80_u8).map(|n| {
            let zstd = &zstd;
            let to = server.address;
            async move {
                let mut stream = connect(Ipv4Addr::new(127, 0, 4, 1 + n / 8), to).await;
                stream.write_all(LOGIN.as_bytes()).await.unwrap();
                let rest = if n % 2 == 0 { &zstd[..] } else { b"\r\nkey=" };
                stream.write_all(rest).await.unwrap();
                stream
            }
        });
        let slow = join_all(slow).await;
        let pages = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20);
        let deaf = deaf(server.address, &pages, 80).await;
        for path in ["/console/login", "/docs", "/openapi.json", "/healthz"] {
            assert_eq!(server.get(path).await, 200, "{path}");
        }
        assert_eq!(server.log_in().await, 303);
        server.submits(300_000).await;
        drop((slow, deaf));
    });
    server.running.signal("TERM");
    assert_eq!(server.running.end().code(), Some(0), "{}", server.running.stderr());
}

#[test]
fn a_login_has_one_client_timeout_in_all_and_is_not_compressed() {
    let server = Server::start(&[("CLIENT_TIMEOUT", "4s")]);
    Runtime::new().unwrap().block_on(async {
        let mut stream = connect(Ipv4Addr::LOCALHOST, server.address).await;
        stream.write_all(format!("{LOGIN}\r\nkey=").as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut begin = [0; 12];
        // A byte now and then gives no more time.
        while timeout(Duration::from_millis(200), stream.read_exact(&mut begin)).await.is_err() {
            stream.write_all(b"a").await.unwrap();
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "a login that trickles has no end"
            );
        }
        assert_eq!(&begin, b"HTTP/1.1 408");
        let mut stream = connect(Ipv4Addr::LOCALHOST, server.address).await;
        let head = format!("{LOGIN}content-encoding: gzip\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        within("a response", stream.read_exact(&mut begin)).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 415");
    });
}

#[test]
fn connections_that_do_not_read_make_room_for_others() {
    // 64 connections at most.
    let settings = [("CLIENT_TIMEOUT", "10m"), ("MAX_CONCURRENT_REQUESTS", "16")];
    let server = Server::start(&settings);
    Runtime::new().unwrap().block_on(async {
        let pages = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200);
        let deaf = deaf(server.address, &pages, 150).await;
        assert_eq!(server.get("/healthz").await, 200);
        server.submits(1000).await;
        drop(deaf);
    });
}

#[test]
fn readers_that_do_not_read_block_no_probe_of_a_worker() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    let worker = ferry.start(&["worker", "--set", "metrics_listen=127.0.0.1:0"]);
    worker.await_stderr("/metrics");
    let log = worker.stderr();
    let address = log.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address: SocketAddr = address.expect("it logs the address").parse().unwrap();
    Runtime::new().unwrap().block_on(async {
        let scrapes = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(3000);
        let deaf = deaf(address, &scrapes, 80).await;
        let probe = client().get(format!("http://{address}/healthz")).send();
        let probe = timeout(Duration::from_secs(5), probe).await.expect("a response in time");
        assert_eq!(probe.unwrap().status(), 200);
        drop(deaf);
        // A page whose name was made to lead here reads nothing.
        let foreign = client().get(format!("http://{address}/metrics"));
        assert_eq!(status(foreign.header("host", "evil.example")).await, 403);
    });
}

/// The head of a webhook that is not signed by a known secret.
fn unsigned(id: &str) -> String {
    let seconds = SystemClock.now().timestamp();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\nwebhook-id: {id}\r\n\
         webhook-timestamp: {seconds}\r\nwebhook-signature: v1,eA==\r\n\r\n"
    )
}

#[test]
fn a_listener_for_webhooks_reads_few_bodies_at_once_and_none_with_wrong_headers() {
    let platform = Platform::start();
    let listen = ["webhooks", "listen", "--listen", "127.0.0.1:0"];
    let listening = Ferry::new().set("FERRY_WEBHOOK_SECRET", SECRET).start(&listen);
    listening.await_stderr("listening on ");
    let stderr = listening.stderr();
    let (_, url) = stderr.rsplit_once("listening on ").expect("it is printed");
    let url = url.lines().next().unwrap_or_default();
    let address: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    Runtime::new().unwrap().block_on(async {
        let old = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\
                   webhook-id: a\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,eA==\r\n\r\n";
        for head in [old, &unsigned(&"A".repeat(50_000)), &unsigned("")] {
            let mut stream = connect(Ipv4Addr::LOCALHOST, address).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut begin = [0; 12];
            within("a response before the body", stream.read_exact(&mut begin)).await.unwrap();
            assert_eq!(&begin, b"HTTP/1.1 400");
        }
        // Each of these has a part of its body, and one of them makes room.
        let mut slow = Vec::new();
        for _ in 0..40 {
            let mut stream = connect(Ipv4Addr::LOCALHOST, address).await;
            stream.write_all(format!("{}[", unsigned("b")).as_bytes()).await.unwrap();
            slow.push(stream);
        }
        let ends = slow
            .iter_mut()
            .map(|stream| Box::pin(async { stream.read_to_end(&mut Vec::new()).await.map(drop) }));
        let ended = timeout(Duration::from_secs(8), select_all(ends)).await;
        assert!(ended.is_ok(), "none made room");
        until("all rejections", async || listening.stderr().matches("rejected").count() >= 3).await;
        let longest = listening.stderr().lines().map(str::len).max();
        assert!(longest.is_some_and(|bytes| bytes < 1000), "{longest:?}");
    });
    let sender = HERE.iter().fold(Ferry::of(&platform), |ferry, (name, value)| {
        ferry.set(&format!("FERRY_{name}"), *value)
    });
    sender.run(&["webhooks", "test", url]).ok();
}
