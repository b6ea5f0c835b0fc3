//! The HTTP API: takes submissions in, shows what became of them, and acts on them. It carries
//! nothing itself: workers do, in this process or in others.

mod body;
mod body_memory;
mod bulk;
mod caller;
mod capacity;
mod client_addr;
mod content;
mod encoding;
mod error;
mod events;
mod fuzzed;
mod keys;
mod middleware;
mod openapi;
mod operate;
mod params;
mod probes;
mod read;
mod request_body;
mod routes;
mod server;
mod stats;
mod submit;
mod tls;
mod wait;
mod write_timeout;

#[doc(hidden)]
pub use fuzzed::respond;
pub use keys::{
    KeyRecord, Keys, KeysError, Role, create_key, parse_keys, read_keys, read_keys_if_any,
    revoke_key,
};
pub use server::Server;
pub use tls::{Tls, TlsError, TlsFiles};

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use fastrand::Rng;
use ipnet::IpNet;
use tokio::sync::Semaphore;

use crate::audit::Audit;
use crate::metrics::Metrics;
use crate::pipeline::Intake;
use crate::shutdown::Shutdown;
use body_memory::BodyMemory;
use capacity::Capacity;
use events::EventPoller;
use ferry_store::Store;
use ferry_types::clock::Clock;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::HealthPolicy;
use stats::Throughput;

/// What the API is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where submissions are kept.
    pub store: Arc<dyn Store>,
    /// The door for new ones.
    pub intake: Intake,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// When to stop.
    pub shutdown: Shutdown,
    /// From a retry to giving up.
    pub deadline: Duration,
    /// When an account counts as in an outage.
    pub health: HealthPolicy,
    /// What requests may take.
    pub limits: ApiLimits,
    /// Who may; anybody may do everything if none.
    pub keys: Option<Keys>,
    /// Hears who did what.
    pub audit: Audit,
    /// The networks of proxies that are believed when they say who called.
    pub trusted_proxies: Vec<IpNet>,
    /// Keeps the ids of requests apart.
    pub seed: u64,
}

/// What requests may take.
#[derive(Debug, Clone)]
pub struct ApiLimits {
    /// The largest dataset.
    pub max_dataset_bytes: u64,
    /// The most unfinished submissions of an account; 0 for no limit.
    pub max_unfinished: u64,
    /// Requests at once.
    pub max_concurrent_requests: usize,
    /// Memory for bodies that arrive at once, in bytes.
    pub request_memory: u64,
    /// How long a client may keep the server waiting.
    pub client_timeout: Duration,
}

/// The HTTP API.
#[derive(Debug, Clone)]
pub struct Api(Arc<Shared>);

/// What all requests share.
#[derive(Debug)]
struct Shared {
    parts: Parts,
    /// The paths that need no key.
    open_paths: BTreeSet<&'static str>,
    /// One permit for each request at once.
    requests: Arc<Semaphore>,
    /// One permit for each request that holds its answer back.
    waiters: Semaphore,
    /// One permit for each open stream of events.
    streams: Arc<Semaphore>,
    event_poller: EventPoller,
    body_memory: BodyMemory,
    capacity: Capacity,
    throughput: Throughput,
    rng: Mutex<Rng>,
}

impl Api {
    /// An API of these parts; nothing listens yet.
    pub fn new(parts: Parts) -> Self {
        let limits = &parts.limits;
        parts.metrics.serves(routes::names());
        Self(Arc::new(Shared {
            open_paths: routes::open_paths(),
            requests: Arc::new(Semaphore::new(limits.max_concurrent_requests)),
            // A waiting request keeps its place: some are left for those that only ask.
            waiters: Semaphore::new((limits.max_concurrent_requests / 2).max(1)),
            streams: Arc::new(Semaphore::new((limits.max_concurrent_requests / 4).max(1))),
            event_poller: EventPoller::default(),
            body_memory: BodyMemory::new(limits.request_memory.max(body::json_limit(limits))),
            capacity: Capacity::new(limits.max_unfinished),
            throughput: Throughput::default(),
            rng: Mutex::new(Rng::with_seed(parts.seed)),
            parts,
        }))
    }

    /// All routes.
    pub fn router(&self) -> Router {
        routes::router(self.0.clone())
    }
}

impl Shared {
    /// An id for a request.
    fn request_id(&self) -> String {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        // Of the same form as the ids of submissions: sorted by time, and unlike any other.
        SubmissionId::new(self.parts.clock.now(), rng.u128(..)).to_string()
    }
}
