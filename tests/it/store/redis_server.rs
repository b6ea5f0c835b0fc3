//! Redis as a subject of the contracts, on a server of the tests' own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ferry::store::Store;
use ferry::store::redis::{Durability, RedisAddress, RedisStore};

use super::subject::{ManualClock, Place, Subject, health_policy};
use crate::support::pause;

/// Runs the server for as long as somebody holds the other end of its standard input, so that it ends
/// with the tests, however they end.
pub(crate) const GUARD: &str =
    r#""$0" "$@" >/dev/null </dev/null & read -r _; kill -9 $!; wait $!"#;

/// `REDIS_SERVER=valkey-server cargo test --test it redis` tests with another server.
pub(crate) fn program() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// A port that nobody listens on; nobody else should take it before the server does.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A `redis-server` on a free port, with its data in a directory of its own.
#[derive(Debug)]
pub(crate) struct RedisServer {
    dir: tempfile::TempDir,
    port: u16,
    settings: Vec<String>,
    guard: Mutex<Option<Child>>,
}

impl RedisServer {
    /// Starts a server with further settings, such as `--appendfsync always`.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let found = Command::new(program()).arg("--version").stdout(Stdio::null()).status();
        assert!(
            found.is_ok_and(|status| status.success()),
            "these tests need the program `redis-server` 7.0 or newer in the path: \
             `apt-get install redis-server`, `brew install redis`, or https://redis.io/downloads"
        );
        let port = free_port();
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let dir = tempfile::tempdir().unwrap();
        let server = Self { dir, port, settings, guard: Mutex::default() };
        server.resume().await;
        server
    }

    /// Starts it again after [`RedisServer::kill`], with the data that it had on the disk.
    pub(crate) async fn resume(&self) {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, &program(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--port", &self.port.to_string()]);
        command.arg("--dir").arg(self.dir.path()).args(&self.settings);
        let guard =
            command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("there is a shell");
        *self.guard.lock().unwrap() = Some(guard);
        let begun = Instant::now();
        while self.ping().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "redis-server does not answer");
            pause().await;
        }
    }

    /// Ends it without a chance to write anything.
    pub(crate) fn kill(&self) {
        if let Some(mut guard) = self.guard.lock().unwrap().take() {
            drop(guard.stdin.take());
            guard.wait().unwrap();
        }
    }

    fn ping(&self) -> Option<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect(address).ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).ok()?;
        (answer == *b"+PONG").then_some(())
    }

    /// A store in a namespace of the server, which keeps the server's time.
    pub(super) fn store(&self, namespace: &str) -> RedisStore {
        store_at(&self.url(), namespace)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Asks it for something past the store; words are separated by spaces.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        self.ask_with(&command.split(' ').collect::<Vec<_>>()).await
    }

    /// The same with words that may hold spaces.
    pub(crate) async fn ask_with<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let cmd = &mut redis::cmd(words[0]);
        let cmd = words[1..].iter().fold(cmd, |cmd, word| cmd.arg(word));
        cmd.query_async(&mut connection).await.unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

pub(super) fn store_at(url: &str, namespace: &str) -> RedisStore {
    let address = RedisAddress::new(url).unwrap().with_namespace(namespace);
    RedisStore::new(&address, Durability::Server, health_policy()).unwrap()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server that all contracts share, each with a namespace of its own.
pub(crate) async fn shared_server() -> Arc<RedisServer> {
    static SHARED: tokio::sync::Mutex<Weak<RedisServer>> =
        tokio::sync::Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(RedisServer::start(&["--appendfsync", "everysec"]).await);
    *shared = Arc::downgrade(&server);
    server
}

/// A namespace that no other test of this process has.
pub(crate) fn own_namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test {}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A namespace on the shared server, with a time of its own.
pub(super) struct Namespace {
    server: Arc<RedisServer>,
    name: String,
    clock: Arc<ManualClock>,
}

impl Namespace {
    async fn new() -> Self {
        let clock = ManualClock::new();
        Self { server: shared_server().await, name: own_namespace(), clock }
    }
}

#[async_trait]
impl Place for Namespace {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.server.store(&self.name).with_clock(self.clock.clone()))
    }

    async fn fresh(&self) -> Subject {
        subject().await
    }

    async fn advance(&self, span: Duration) {
        self.clock.move_by(span.as_millis() as i64);
    }
}

pub(super) async fn subject() -> Subject {
    Subject::at(Namespace::new().await).await
}
