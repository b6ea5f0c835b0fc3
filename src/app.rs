//! The composition root: makes the parts of a process from its configuration, each in one place.

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;
use tracing::warn;

use crate::api::{
    Api, CertificateMetrics, Keys, KeysError, Parts, SessionSecret, Tls, TlsError,
    watch_certificate,
};
use crate::audit::Audit;
use crate::boot_clock::BootClock;
use crate::config::{Config, StoreLocation};
use crate::metrics::Metrics;
use crate::open_files;
use crate::pipeline::{
    Intake, IntakeMetrics, IntakeParts, Policy, PushedIntake, Source, WorkerMetrics, Workers,
};
use crate::platform::{
    AccessLogs, AccountConfig, InvalidAccountError, Limits, PayloadMetrics, Platform,
    PlatformMetrics, PlatformParts, Wires,
};
use crate::rehearsal::Rehearsal;
use crate::shutdown::Shutdown;
use ferry_client::http::TlsSetupError;
use ferry_store::redis::{PushedRequests, RedisStore};
use ferry_store::sqlite::SqliteStore;
use ferry_store::{Store, StoreError};
use ferry_types::clock::{Clock, MonotonicClock, SystemClock};
use ferry_types::contract::SettingView;
use ferry_types::domain::ProcessRole;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::StepKind;

use crate::durability::{Durability, DurabilityMetrics};
use crate::exporter::QueueMetrics;
use crate::heartbeats::{Heartbeats, Reported};
use crate::instrumented::InstrumentedStore;
use crate::readiness::Readiness;
use crate::store_failures::StoreFailures;
use crate::store_watch::DataLossMetrics;
use crate::throughput::Throughput;
use crate::traces::Traces;
use crate::webhook::{WebhookMetrics, Webhooks};
use crate::{account_watch, exporter, store_watch};

/// Workers that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An account that no client of the Platform can be made for.
    #[error(transparent)]
    Account(#[from] InvalidAccountError),
    /// No client for webhooks, as on a machine without certificates of authorities.
    #[error("cannot send webhooks")]
    Webhooks(#[from] TlsSetupError),
}

/// The parts of a process that everything else is made of.
#[derive(Debug)]
pub struct App {
    /// The configuration that it was made from.
    pub config: Config,
    /// The store of the submissions.
    pub store: Arc<dyn Store>,
    /// Its failures.
    failures: StoreFailures,
    /// The queue that other Rust services push to with apalis-redis, if the store is on Redis.
    pub pushed: Option<Arc<PushedRequests>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Measures durations.
    pub monotonic: Arc<dyn MonotonicClock>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// The traces of its steps.
    pub traces: Traces,
    /// The audit log.
    pub audit: Audit,
    /// The pace of the queue.
    pub throughput: Arc<Throughput>,
    /// Responds to readiness probes.
    pub readiness: Readiness,
    /// Findings of the last check of the store.
    pub durability: Durability,
    /// Stops the process.
    pub shutdown: Shutdown,
    /// Drills, where a simulated Platform runs in the process.
    pub rehearsal: Option<Rehearsal>,
    /// Access of the accounts whose steps run in the process.
    access: AccessLogs,
    /// The source of randomness.
    seeds: Mutex<Rng>,
}

impl App {
    /// Opens the store; one that is not there is made.
    pub fn open(config: Config) -> Result<Self, StoreError> {
        Self::open_with(config, SqliteStore::open)
    }

    /// Opens a store that is there, and reads it where it cannot be written.
    pub fn open_existing(config: Config) -> Result<Self, StoreError> {
        Self::open_with(config, SqliteStore::open_existing)
    }

    fn open_with(config: Config, open_file: OpenFile) -> Result<Self, StoreError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::of_accounts(config.account_names()));
        declare(&metrics);
        let store = open_store(&config, clock.clone(), open_file)?;
        let failures = StoreFailures::default();
        let store: Arc<dyn Store> =
            Arc::new(InstrumentedStore::new(store, &metrics, failures.clone()));
        #[expect(clippy::disallowed_methods, reason = "the one place that asks for a random seed")]
        let mut seeds = Rng::with_seed(fastrand::u64(..));
        let pushed = match &config.store {
            StoreLocation::Redis(address, _) => {
                let queue = config.intake_queue.clone().unwrap_or_else(|| address.intake_queue());
                let caller = format!("{:016x}", seeds.u64(..));
                Some(Arc::new(PushedRequests::new(address, &queue, caller)?))
            }
            StoreLocation::Sqlite(_) => None,
        };
        let seeds = Mutex::new(seeds);
        let traces = config.otlp_endpoint.as_deref().map(Traces::connect).unwrap_or_default();
        let audit = Audit::new(config.audit_log.clone());
        let shutdown = Shutdown::default();
        let monotonic = Arc::new(BootClock);
        let readiness = Readiness::new(store.clone(), shutdown.clone(), failures.clone());
        let throughput = Arc::default();
        Ok(Self {
            config,
            store,
            failures,
            pushed,
            clock,
            monotonic,
            metrics,
            traces,
            audit,
            throughput,
            readiness,
            durability: Durability::default(),
            shutdown,
            rehearsal: None,
            access: AccessLogs::default(),
            seeds,
        })
    }

    /// Another one each time: two parts with one seed would give out the same ids.
    fn seed(&self) -> u64 {
        self.seeds.lock().u64(..)
    }

    /// The intake of submissions.
    pub fn intake(&self) -> Intake {
        Intake::new(IntakeParts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            accounts: self.config.account_names(),
            deadline: self.config.policy.deadline,
            max_dataset_bytes: self.config.api.max_dataset_bytes,
            seed: self.seed(),
            metrics: &self.metrics,
        })
        .with_traces(self.traces.clone())
        .with_webhooks(self.config.webhook_rules.clone(), self.config.targets.clone())
    }

    /// The HTTP API.
    pub fn api(&self) -> Result<Api, KeysError> {
        let keys = self.config.api_keys.as_deref().map(Keys::open).transpose()?;
        let secret = self.config.session_secret.clone().map_or_else(SessionSecret::random, Ok);
        let session_secret = secret.map_err(|_| KeysError::NoRandomness)?;
        Ok(Api::new(Parts {
            keys,
            console: self.config.console,
            session_secret,
            store: self.store.clone(),
            intake: self.intake().with_source(Source::Api),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            throughput: self.throughput.clone(),
            readiness: self.readiness.clone(),
            durability: self.durability.clone(),
            shutdown: self.shutdown.clone(),
            rehearsal: self.rehearsal.clone(),
            deadline: self.config.policy.deadline,
            health: self.config.health,
            limits: self.config.api.clone(),
            audit: self.audit.clone(),
            trusted_proxies: self.config.trusted_proxies.clone(),
            settings: self.config.settings.iter().map(SettingView::from).collect(),
            access: self.access.clone(),
            seed: self.seed(),
        }))
    }

    /// The certificate of the HTTP API, if it has one.
    pub fn tls(&self) -> Result<Option<Tls>, TlsError> {
        self.config.tls.clone().map(Tls::open).transpose()
    }

    /// One client of the Platform for each account.
    pub fn platforms(&self) -> Result<Vec<Platform>, InvalidAccountError> {
        let accounts = self.config.accounts.values();
        let client = |account| platform(account, &self.config.limits, &self.metrics);
        let clients: Vec<Platform> = accounts.map(client).collect::<Result<_, _>>()?;
        let logs = clients.iter().map(|one| (one.account().to_owned(), one.access().clone()));
        self.access.lock().extend(logs);
        Ok(clients)
    }

    /// Keeps the metrics of the queue up to date, for as long as it is polled.
    pub fn exporting(&self) -> impl Future<Output = ()> + Send + use<> {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let (metrics, throughput) = (self.metrics.clone(), self.throughput.clone());
        exporter::export(store, clock, self.config.health, metrics, throughput)
    }

    /// Checks the durability of the store and logs problems, for as long as it is polled.
    pub fn watching_durability(&self) -> impl Future<Output = ()> + Send + use<> {
        self.durability.clone().watch(self.store.clone(), self.metrics.clone())
    }

    /// Exports how long the server's certificate is valid, if it has one, for as long as it is polled.
    pub fn watching_certificate(&self) -> impl Future<Output = ()> + Send + use<> {
        let (metrics, tls) = (self.metrics.clone(), self.config.tls.clone());
        async move {
            if let Some(files) = tls {
                watch_certificate(files.certificate, &metrics).await;
            }
        }
    }

    /// Logs what blocks the accounts of the store, for as long as it is polled.
    pub fn watching_accounts(&self) -> impl Future<Output = ()> + Send + use<> {
        account_watch::watch(self.store.clone(), self.clock.clone(), self.config.health)
    }

    /// Watches the store for outages and lost data, for as long as it is polled.
    pub fn watching_store(&self) -> impl Future<Output = ()> + Send + use<> {
        let (store, failures) = (self.store.clone(), self.failures.clone());
        let metrics = self.metrics.clone();
        async move { store_watch::watch(store, failures, &metrics).await }
    }

    /// Reports this process in the store until it ends.
    pub fn reporting(&self, roles: &[ProcessRole]) -> Heartbeats {
        Heartbeats::begin(Reported {
            id: format!("{:016x}", self.seed()),
            roles: roles.to_vec(),
            accounts: self.config.accounts.keys().cloned().collect(),
            store: self.store.clone(),
            metrics: self.metrics.of(),
            shutdown: self.shutdown.clone(),
        })
    }

    /// The policy, with no more steps at once than the limit of open files allows.
    fn policy(&self, serves: bool) -> Policy {
        let (policy, limit) = (self.config.policy.clone(), open_files::raise_limit());
        let (wanted, kinds) = (policy.concurrency, StepKind::ALL.len());
        let concurrency = open_files::concurrency(wanted, kinds, limit, serves);
        if concurrency < policy.concurrency {
            warn!(
                concurrency,
                "{concurrency} steps of each kind run at once, not {}: the process may open {limit} \
                 files; raise the limit (`ulimit -n`)",
                policy.concurrency
            );
        }
        Policy { concurrency, ..policy }
    }

    /// The workers of the process.
    pub fn workers(&self) -> Result<Workers, SetupError> {
        self.workers_with(self.policy(false))
    }

    /// The workers of a process that also serves clients: part of its open files stays free for them.
    pub fn workers_of_server(&self) -> Result<Workers, SetupError> {
        self.workers_with(self.policy(true))
    }

    /// Number of client connections that leave enough open files for everything else.
    pub fn client_connections(&self, has_workers: bool) -> usize {
        let kinds = if has_workers { StepKind::ALL.len() } else { 0 };
        let steps = self.config.policy.concurrency.saturating_mul(kinds);
        let (limit, wanted) = (open_files::raise_limit(), self.config.api.max_concurrent_requests);
        let connections = open_files::client_connections(steps, limit);
        if connections < wanted {
            warn!(
                connections,
                "{connections} connections of clients at once, not {wanted} \
                 (`max_concurrent_requests`): the process may open {limit} files; raise the limit \
                 (`ulimit -n`)"
            );
        }
        connections
    }

    fn workers_with(&self, policy: Policy) -> Result<Workers, SetupError> {
        let pushed = self.pushed.clone().map(|requests| PushedIntake {
            requests,
            intake: self.intake().with_source(Source::Apalis),
            clock: self.clock.clone(),
        });
        let metrics = self.metrics.of::<WorkerMetrics>();
        // The first heartbeat may come before the workers begin.
        for kind in StepKind::ALL {
            metrics.slots.set(kind, policy.concurrency as f64);
        }
        Ok(Workers {
            store: self.store.clone(),
            pushed,
            platforms: self.platforms()?,
            webhooks: Webhooks::new(
                self.config.webhook_rules.clone(),
                self.config.targets.clone(),
                &self.config.webhook_authorities,
                self.config.webhook_timeout,
                &self.metrics,
            )?,
            kinds: StepKind::ALL.into(),
            policy,
            metrics: self.metrics.clone(),
            traces: self.traces.clone(),
            monotonic: self.monotonic.clone(),
            shutdown: self.shutdown.clone(),
            seed: self.seed(),
        })
    }
}

/// A client of the Platform for an account, over HTTP.
pub fn platform(
    account: &AccountConfig,
    limits: &Limits,
    metrics: &Arc<Metrics>,
) -> Result<Platform, InvalidAccountError> {
    Platform::new(PlatformParts {
        wires: Wires::http(account, limits)?,
        account: account.clone(),
        limits: limits.clone(),
        clock: Arc::new(SystemClock),
        monotonic: Arc::new(BootClock),
        metrics: metrics.clone(),
    })
}

/// Makes every series exist from the start, so that a missing one means that the process is down.
fn declare(metrics: &Metrics) {
    metrics.of::<WorkerMetrics>();
    metrics.of::<IntakeMetrics>();
    metrics.of::<PlatformMetrics>();
    metrics.of::<PayloadMetrics>();
    metrics.of::<WebhookMetrics>();
    metrics.of::<QueueMetrics>();
    metrics.of::<DurabilityMetrics>();
    metrics.of::<DataLossMetrics>();
    metrics.of::<CertificateMetrics>();
}

/// Opens an SQLite file.
type OpenFile = fn(&Path, Arc<dyn Clock>, HealthPolicy) -> Result<SqliteStore, StoreError>;

fn open_store(
    config: &Config,
    clock: Arc<dyn Clock>,
    open_file: OpenFile,
) -> Result<Arc<dyn Store>, StoreError> {
    match &config.store {
        StoreLocation::Sqlite(path) => {
            Ok(Arc::new(open_file(Path::new(path), clock, config.health)?))
        }
        // The server's time counts there.
        StoreLocation::Redis(address, durability) => {
            Ok(Arc::new(RedisStore::new(address, *durability, config.health)?))
        }
    }
}
