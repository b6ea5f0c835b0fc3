//! A Redis server of the tests' own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::ports::free_port;
use crate::waiting::{Wait, end_of};

/// Runs the server until the other end of its standard input is closed, so that it ends with the
/// tests, however they end.
pub const GUARD: &str = r#""$0" "$@" >/dev/null </dev/null & read -r _; kill -9 $!; wait $!"#;

/// `REDIS_SERVER=valkey-server cargo test -p ferry-store redis` tests with another server.
pub fn program() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// A `redis-server` on a free port, with its data in a directory of its own.
#[derive(Debug)]
pub struct RedisServer {
    dir: tempfile::TempDir,
    port: u16,
    settings: Vec<String>,
    env: Vec<(String, String)>,
    guard: Mutex<Option<Child>>,
}

impl RedisServer {
    /// Line of a users file for the tests' own connections, where `default` has a password.
    pub const OPERATOR: &str = "user operator on >operator ~* &* +@all";

    /// Starts a server with further settings, such as `--appendfsync always`.
    pub async fn start(settings: &[&str]) -> Self {
        Self::start_with(settings, &[]).await
    }

    /// The same with environment variables.
    pub async fn start_with(settings: &[&str], env: &[(&str, String)]) -> Self {
        let found = Command::new(program()).arg("--version").stdout(Stdio::null()).status();
        assert!(
            found.is_ok_and(|status| status.success()),
            "these tests need the program `redis-server` 7.0 or newer in the path: \
             `apt-get install redis-server`, `brew install redis`, or https://redis.io/downloads"
        );
        let port = free_port();
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let dir = tempfile::tempdir().unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let server = Self { dir, port, settings, env, guard: Mutex::default() };
        server.resume().await;
        server
    }

    /// Starts it again after [`RedisServer::kill`], with the data that it had on the disk.
    pub async fn resume(&self) {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, &program(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--port", &self.port.to_string()]);
        command.arg("--dir").arg(self.dir.path()).args(&self.settings).envs(self.env.clone());
        let guard =
            command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("there is a shell");
        *self.guard.lock().unwrap() = Some(guard);
        let wait = Wait::begin("a response of redis-server");
        while self.ping().is_none() {
            wait.pause().await;
        }
    }

    /// Ends it without a chance to write anything.
    pub fn kill(&self) {
        if let Some(mut guard) = self.guard.lock().unwrap().take() {
            drop(guard.stdin.take());
            end_of("the end of a Redis server", &mut guard);
        }
    }

    fn ping(&self) -> Option<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect(address).ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut response = [0; 5];
        stream.read_exact(&mut response).ok()?;
        [*b"+PONG", *b"-NOAU"].contains(&response).then_some(())
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Asks it for something past the store; words are separated by spaces.
    pub async fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        self.ask_with(&command.split(' ').collect::<Vec<_>>()).await
    }

    /// The same with words that may hold spaces.
    pub async fn ask_with<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let has_users = self.settings.iter().any(|setting| setting == "--aclfile");
        let user = if has_users { "//operator:operator@" } else { "//" };
        let client = redis::Client::open(self.url().replace("//", user)).unwrap();
        // Some of what tests ask takes a while.
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&patient).await;
        let mut connection = connection.unwrap();
        let cmd = &mut redis::cmd(words[0]);
        let cmd = words[1..].iter().fold(cmd, |cmd, word| cmd.arg(word));
        cmd.query_async(&mut connection).await.unwrap()
    }

    /// Directory of its data.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server that all contracts share, each with a namespace of its own.
pub async fn shared_server() -> Arc<RedisServer> {
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
pub fn own_namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test {}", NEXT.fetch_add(1, Ordering::Relaxed))
}
