//! The Platform itself, over HTTP: for demonstrations, rehearsals and tests.
//!
//! It is strict about what it receives, keeps a ledger of what it saw, and fails as told. It shares
//! no type with the client, so that one wrong belief cannot cancel itself out.

mod connection;
mod dataset;
mod faults;
mod jobs;
mod ledger;
mod processing;
mod world;

mod answers;

mod http;

pub use dataset::expected_results;
pub use faults::{Endpoint, Fault, FaultRates, RetryAfter};
pub use ledger::{AcceptedUpload, Ledger, NameLedger, UnlistedTotals};
pub use processing::Processing;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use connection::AbortableConnections;
use http::Service;

/// What a client has to know to be let in.
#[derive(Clone)]
pub struct Credentials {
    /// The client id, which is also the `Username`.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// The API key.
    pub api_key: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            client_id: "demo".to_owned(),
            client_secret: "demo-secret".to_owned(),
            api_key: "demo-key".to_owned(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// A world to simulate.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The same seed gives the same tokens, times and faults for the same requests.
    pub seed: u64,
    /// Who is let in.
    pub credentials: Credentials,
    /// How long an access token lasts.
    pub token_lifetime: Duration,
    /// How long a dataset takes.
    pub processing: Processing,
    /// How often what goes wrong.
    pub faults: FaultRates,
    /// How long a seeded 429 asks to wait.
    pub retry_after: Duration,
    /// How long every answer takes, after all was done as asked.
    pub latency: Duration,
    /// How many seconds its clock is ahead.
    pub clock_skew: i64,
    /// Whether words and tokens are answered as JSON strings.
    pub quoted: bool,
    /// The largest upload that is taken.
    pub max_upload_bytes: usize,
    /// How long after it was ready a dataset is remembered. Of so many that they would fill the
    /// memory the oldest are forgotten sooner.
    pub memory: Duration,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            credentials: Credentials::default(),
            token_lifetime: Duration::from_mins(10),
            processing: Processing::Uniform(Duration::from_millis(500), Duration::from_secs(3)),
            faults: FaultRates::default(),
            retry_after: Duration::from_secs(2),
            latency: Duration::ZERO,
            clock_skew: 0,
            quoted: false,
            max_upload_bytes: 128 << 20,
            memory: Duration::from_hours(1),
        }
    }
}

/// A running simulator; it ends, and its connections break, when this is dropped.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    service: Arc<Service>,
    server: JoinHandle<()>,
    open: watch::Sender<()>,
}

impl Sim {
    /// Starts to serve at `listen`; port 0 takes a free one.
    pub async fn start(config: SimConfig, listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let service = Arc::new(Service::new(config));
        let (open, is_open) = watch::channel(());
        let listener = AbortableConnections { listener, open: is_open };
        let server = tokio::spawn(http::serve(listener, service.clone()));
        Ok(Self { address, service, server, open })
    }

    /// Ends it; after that another one can listen at its address.
    pub async fn stop(mut self) {
        self.server.abort();
        // It was just told to end early.
        let _ = (&mut self.server).await;
        self.open.send_replace(());
        self.open.closed().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it hands out access tokens.
    pub fn token_url(&self) -> String {
        format!("http://{}/connect/token", self.address)
    }

    /// Its Upload API.
    pub fn api_url(&self) -> String {
        format!("http://{}/upload", self.address)
    }

    /// What it has seen so far.
    pub fn ledger(&self) -> Ledger {
        self.service.world().ledger.clone()
    }

    /// The next request to `endpoint` that has no fault yet gets this one, before any seeded one.
    pub fn script(&self, endpoint: Endpoint, fault: Fault) {
        self.service.world().faults.script(endpoint, fault);
    }

    /// Fails every request, until told otherwise.
    pub fn set_outage(&self, outage: bool) {
        self.service.world().faults.outage = outage;
    }

    /// Whether all scripted faults have been used.
    pub fn is_script_done(&self) -> bool {
        self.service.world().faults.is_script_done()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.server.abort();
    }
}
