//! The parts of the API that all requests share.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;
use std::time::Duration;

use fastrand::Rng;
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::attempts::Attempts;
use super::body_memory::{BodyMemory, MemoryPermit};
use super::caller::Caller;
use super::capacity::Capacity;
use super::console::mode::ConsoleMode;
use super::console::session::SessionSecret;
use super::error::ApiError;
use super::event_poller::EventPoller;
use super::event_reads::EventReads;
use super::keys::Keys;
use super::limits::ApiLimits;
use super::loaded::LastLoaded;
use super::metrics::HttpMetrics;
use super::openapi::Documents;
use super::shares::Owner;
use super::slots::Slots;
use super::store_checks::StoreChecks;
use super::turns::Turns;
use crate::audit::Audit;
use crate::durability::Durability;
use crate::metrics::Metrics;
use crate::pipeline::Intake;
use crate::platform::AccessLogs;
use crate::queue::AbandonedWebhooks;
use crate::readiness::Readiness;
use crate::rehearsal::Rehearsal;
use crate::shutdown::Shutdown;
use crate::throughput::Throughput;
use ferry_store::Store;
use ferry_types::clock::Clock;
use ferry_types::contract::SettingView;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::HealthPolicy;

/// Logins of a network that may fail in a minute.
const LOGINS: u32 = 10;

/// Denied actions of a key, and failed logins, that are recorded in a minute.
const DENIALS: u32 = 100;

/// Responses beside the slots that are compressed at once. Each takes about a megabyte meanwhile.
const COMPRESSORS: usize = 16;

/// The parts of the API.
#[derive(Debug)]
pub struct Parts {
    /// The store of the submissions.
    pub store: Arc<dyn Store>,
    /// Validates new submissions.
    pub intake: Intake,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// The metrics that `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// The pace of the queue.
    pub throughput: Arc<Throughput>,
    /// Responds to readiness probes.
    pub readiness: Readiness,
    /// Findings of the last check of the store.
    pub durability: Durability,
    /// Graceful shutdown.
    pub shutdown: Shutdown,
    /// Drills, where a simulated Platform runs in the process.
    pub rehearsal: Option<Rehearsal>,
    /// Time limit of a submission after a retry.
    pub deadline: Duration,
    /// Policy of the circuit breaker.
    pub health: HealthPolicy,
    /// Bounds of requests.
    pub limits: ApiLimits,
    /// The API keys; without any, every local process has full access.
    pub keys: Option<Keys>,
    /// The log of what operators did.
    pub audit: Audit,
    /// The networks of trusted proxies.
    pub trusted_proxies: Vec<IpNet>,
    /// Extent of the console.
    pub console: ConsoleMode,
    /// Signs the sessions of the console.
    pub session_secret: SessionSecret,
    /// The settings in effect, without secrets.
    pub settings: Vec<SettingView>,
    /// Access of the accounts whose steps run in the process.
    pub access: AccessLogs,
    /// Seed for the ids of requests.
    pub seed: u64,
}

/// The parts that all requests share, and the bounds of their work together.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) parts: Parts,
    pub(super) http: Arc<HttpMetrics>,
    /// The paths that need no key.
    pub(super) open_paths: BTreeSet<&'static str>,
    /// The paths of operators.
    pub(super) operate_paths: BTreeSet<&'static str>,
    pub(super) slots: Slots,
    /// Responses beside the slots that are compressed while they are sent.
    pub(super) compressors: Arc<Semaphore>,
    pub(super) event_poller: EventPoller,
    pub(super) event_reads: Arc<EventReads>,
    pub(super) body_memory: BodyMemory,
    pub(super) response_memory: BodyMemory,
    pub(super) capacity: Capacity,
    pub(super) store_checks: StoreChecks,
    /// Batches of lines that are checked at once: there are more threads than processors, and the others are for
    /// other requests.
    pub(super) bulk_checks: Turns<Owner>,
    /// Pieces of compressed bodies that are taken apart at once: a few bytes may be a long work.
    pub(super) decoders: Arc<Turns<Owner>>,
    /// Actions of operators, which outlive their connections.
    pub(super) actions: TaskTracker,
    /// Logins at the console that failed, by network.
    pub(super) failed_logins: Attempts<IpAddr>,
    /// Actions that were denied for want of the role, by the name of the key, and logins that failed.
    pub(super) denied_actions: Attempts<String>,
    /// Abandoned webhooks, counted lately.
    pub(super) abandoned: AbandonedWebhooks,
    /// The last large dataset whose rows were shown.
    pub(super) last_loaded: LastLoaded,
    pub(super) documents: &'static LazyLock<Documents>,
    rng: Mutex<Rng>,
}

/// As many turns as there are processors, half of them for one key.
fn one_per_processor() -> Turns<Owner> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    Turns::new(processors, processors.div_ceil(2))
}

impl Shared {
    pub(super) fn new(
        parts: Parts,
        [open_paths, operate_paths]: [BTreeSet<&'static str>; 2],
        documents: &'static LazyLock<Documents>,
    ) -> Self {
        let limits = &parts.limits;
        Self {
            http: parts.metrics.of(),
            open_paths,
            operate_paths,
            slots: Slots::new(limits.max_concurrent_requests),
            compressors: Arc::new(Semaphore::new(COMPRESSORS)),
            event_poller: EventPoller::default(),
            event_reads: EventReads::new(parts.store.clone()),
            body_memory: BodyMemory::new(
                limits.request_memory,
                limits.json_body(),
                "body_memory_bytes",
            ),
            response_memory: BodyMemory::new(limits.response_memory, 0, "response_memory_bytes"),
            capacity: Capacity::new(limits.max_unfinished),
            store_checks: StoreChecks::default(),
            bulk_checks: one_per_processor(),
            decoders: Arc::new(one_per_processor()),
            actions: TaskTracker::new(),
            failed_logins: Attempts::new(LOGINS),
            denied_actions: Attempts::new(DENIALS),
            abandoned: AbandonedWebhooks::default(),
            last_loaded: LastLoaded::default(),
            documents,
            rng: Mutex::new(Rng::with_seed(parts.seed)),
            parts,
        }
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.parts.store.as_ref()
    }

    /// Memory for so many bytes of a response, or as many as the caller can have at all, before they are read.
    /// A dataset that stays in memory for its next rows gives way.
    pub(super) fn response_permit(
        &self,
        caller: &Caller,
        bytes: u64,
    ) -> Result<MemoryPermit, ApiError> {
        let memory = self.response_memory.permit(&caller.owner);
        let bytes = self.response_memory.most(bytes, &caller.owner);
        match memory.resize(bytes) {
            Err(_) if self.last_loaded.forget() => memory.resize(bytes)?,
            result => result?,
        }
        Ok(memory)
    }

    /// A new id for a request.
    pub(super) fn request_id(&self) -> String {
        let mut rng = self.rng.lock();
        // Like the ids of submissions: sorted by time, and unlike any other.
        SubmissionId::new(self.parts.clock.now(), rng.u128(..)).to_string()
    }
}
