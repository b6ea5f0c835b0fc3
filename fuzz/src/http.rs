//! Both sides of HTTP: requests to Ferry's own server, and the bytes that a server sends to Ferry.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request};
use ferry::api::{Api, Parts, SessionSecret, respond};
use ferry::audit::Audit;
use ferry::config::{Config, Sources};
use ferry::durability::Durability;
use ferry::metrics::Metrics;
use ferry::pipeline::{Intake, IntakeParts};
use ferry::platform::{Platform, Unguarded};
use ferry::readiness::Readiness;
use ferry::shutdown::Shutdown;
use ferry::store_failures::StoreFailures;
use ferry_store::memory::{MemoryStore, Snapshot};
use ferry_types::clock::SystemClock;
use ferry_types::domain::outcome::PlatformError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// So many requests go to one store, which is emptied after them.
const REQUESTS: u32 = 200;

struct Server {
    router: Router,
    store: MemoryStore,
    empty: Snapshot,
    requests: u32,
}

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(Server::new());
}

impl Server {
    fn new() -> Self {
        let config = config("http://127.0.0.1:9");
        let (clock, metrics) = (Arc::new(SystemClock), Arc::new(Metrics::default()));
        let store = MemoryStore::new(clock.clone(), config.health);
        let (empty, shared) = (store.snapshot(), Arc::new(store.clone()));
        let accounts = config.accounts.keys().cloned().collect();
        let (deadline, largest) = (config.policy.deadline, config.api.max_dataset_bytes);
        let intake = Intake::new(IntakeParts {
            store: shared.clone(),
            clock: clock.clone(),
            accounts,
            deadline,
            max_dataset_bytes: largest,
            seed: 1,
            metrics: &metrics,
        });
        let api = Api::new(Parts {
            throughput: Arc::default(),
            durability: Durability::default(),
            readiness: Readiness::new(
                shared.clone(),
                Shutdown::default(),
                StoreFailures::default(),
            ),
            store: shared,
            intake,
            clock,
            metrics,
            shutdown: Shutdown::default(),
            rehearsal: None,
            deadline,
            health: config.health,
            console: config.console,
            session_secret: SessionSecret::random().expect("there is randomness"),
            limits: config.api,
            keys: None,
            audit: Audit::new(None),
            trusted_proxies: vec!["127.0.0.0/8".parse().expect("it is a network")],
            settings: Vec::new(),
            access: Arc::default(),
            seed: 1,
        });
        Self { router: api.router(), store, empty, requests: 0 }
    }

    fn router(&mut self) -> Router {
        self.requests += 1;
        if self.requests.is_multiple_of(REQUESTS) {
            self.store.restore(self.empty.clone());
        }
        self.router.clone()
    }
}

fn config(url: &str) -> Config {
    let settings = [
        ("STORE", "sqlite:unused.db"),
        ("TOKEN_URL", &format!("{url}/token")),
        ("API_URL", &format!("{url}/")),
        ("CLIENT_ID", "client"),
        ("CLIENT_SECRET", "s3cret-7f3a"),
        ("API_KEY", "k3y-7f3a"),
        ("REQUEST_TIMEOUT", "2s"),
        ("MAX_DATASET_BYTES", "65536"),
    ];
    let env = settings.map(|(name, value)| (format!("FERRY_{name}"), value.to_owned()));
    let sources = Sources { file: None, env: env.into_iter().collect(), flags: Vec::new() };
    Config::load(&sources).expect("the settings are valid")
}

/// A request to the HTTP API: method and target in the first line, then headers up to an empty line, then
/// the body. Every response is whole, and none is an internal error.
pub fn request(data: &[u8]) {
    let Some(request) = parse(data) else { return };
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let router = SERVER.with_borrow_mut(Server::router);
    super::block_on(async {
        let response = respond(router, peer, request).await;
        let status = response.status();
        assert_ne!(status.as_u16(), 500, "{response:?}");
        let kind = response.headers().get("content-type").map(HeaderValue::as_bytes);
        let is_endless = kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"));
        let is_problem = kind == Some(b"application/problem+json");
        // The errors of the console are pages.
        let is_page = kind == Some(b"text/html; charset=utf-8");
        let is_error = is_problem || is_page;
        assert!(status.is_success() || status.is_redirection() || is_error, "{response:?}");
        if !is_endless {
            let body = to_bytes(response.into_body(), 16 << 20).await.expect("the body is whole");
            assert!(!is_problem || serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        }
    });
}

fn parse(data: &[u8]) -> Option<Request<Body>> {
    let (head, body) = match data.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &data[..0]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    // A request that waits is no news, and takes its time.
    if target.contains("wait") {
        return None;
    }
    let request = Request::builder().method(Method::from_bytes(method.as_bytes()).ok()?);
    let mut request = request.uri(target).body(Body::from(body.to_vec())).ok()?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
    }
    Some(request)
}

/// A server that responds to each connection with the same bytes, and the Platform's client for it.
struct Wire {
    listener: TcpListener,
    platform: Platform,
}

static WIRE: LazyLock<Wire> = LazyLock::new(|| {
    super::block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let config = config(&format!("http://{address}"));
        let account = config.accounts.into_values().next().expect("there is an account");
        let metrics = Arc::new(Metrics::default());
        let platform = ferry::app::platform(&account, &config.limits, &metrics);
        Wire { listener, platform: platform.expect("the account can be used") }
    })
});

/// All bytes of a response, the status line included, from a socket that is closed after them.
pub fn http1(data: &[u8]) {
    let Wire { listener, platform } = &*WIRE;
    super::block_on(async {
        let served = async {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(data).await;
                let _ = stream.shutdown().await;
            }
        };
        // Both the token endpoint and the Upload API respond so.
        let requested =
            tokio::time::timeout(Duration::from_secs(5), platform.status("token", &Unguarded));
        let outcome = tokio::select! {
            outcome = requested => outcome,
            () = served => unreachable!("it serves until it is dropped"),
        };
        if let Err(error) = outcome.expect("a response that ends is read to its end") {
            let text = PlatformError::from(error).to_string();
            assert!(!text.contains("s3cret-7f3a"), "{text}");
        }
    });
}
