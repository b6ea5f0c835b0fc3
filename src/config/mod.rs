//! Reads the configuration once, from `ferry.toml`, the environment and the command line, and
//! reports every error in it at once.

mod accounts;
mod reader;
mod sources;
mod values;

/// The settings in effect.
pub mod effective;
/// The table of all settings.
pub mod settings;

pub use sources::{ConfigErrors, Sources};
pub use values::StoreLocation;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::ExposeSecret;

use crate::api::{ApiLimits, ConsoleMode, SessionSecret, TlsFiles};
use crate::pipeline::Policy;
use crate::platform::{AccountConfig, Limits};
use crate::secret::Secret;
use crate::telemetry::LogFormat;
use crate::webhook::{Rules, WebhookTargets};
use effective::EffectiveSetting;
use ferry_client::http::Authorities;
use ferry_types::domain::account::HealthPolicy;
use reader::{FoundSecret, SettingsReader, readable};

/// Everything that can be configured.
#[derive(Debug)]
pub struct Config {
    /// The location of the store.
    pub store: StoreLocation,
    /// The queue that other services push to with apalis-redis, if not that of the namespace.
    pub intake_queue: Option<String>,
    /// The filter of log lines.
    pub log: String,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// The address of a worker's metrics, if any.
    pub metrics_listen: Option<SocketAddr>,
    /// The collector that traces go to, if any.
    pub otlp_endpoint: Option<String>,
    /// The address of the HTTP API.
    pub listen: SocketAddr,
    /// The file with its keys, if it has any.
    pub api_keys: Option<PathBuf>,
    /// The file of the audit log, if any.
    pub audit_log: Option<PathBuf>,
    /// The certificate of the HTTP API, if any.
    pub tls: Option<TlsFiles>,
    /// The networks of proxies that are believed when they say who called.
    pub trusted_proxies: Vec<IpNet>,
    /// Extent of its console.
    pub console: ConsoleMode,
    /// Signs the sessions of the console; without one, each process draws its own.
    pub session_secret: Option<SessionSecret>,
    /// The limits of its requests.
    pub api: ApiLimits,
    /// The addresses that webhooks may go to.
    pub webhook_rules: Rules,
    /// Certificate authorities to trust for receivers, beside those of the machine.
    pub webhook_authorities: Authorities,
    /// Time limit of a delivery attempt.
    pub webhook_timeout: Duration,
    /// The webhook settings of each account.
    pub targets: WebhookTargets,
    /// Delays and limits of the pipeline.
    pub policy: Policy,
    /// The rules of the circuit breaker.
    pub health: HealthPolicy,
    /// The limits of requests to the Platform.
    pub limits: Limits,
    /// The accounts, by name.
    pub accounts: BTreeMap<String, AccountConfig>,
    /// The accounts without their secrets, each with the errors of a process that would run their steps.
    pub without_secrets: BTreeMap<String, Vec<String>>,
    /// Settings that work but deserve a look, each a sentence.
    pub warnings: Vec<String>,
    /// The settings in effect, and where each comes from.
    pub settings: Vec<EffectiveSetting>,
}

impl Config {
    /// Reads and checks everything; the error lists all of them.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let mut reader = SettingsReader::new(sources);
        let webhook_rules = Rules {
            allowed: reader.read("webhook_allow", values::allowed),
            plain_http: reader.read("webhook_allow_http", values::yes_or_no),
        };
        let config = Self {
            store: store(&mut reader),
            intake_queue: Some(reader.read("intake_queue", values::text)).filter(|q| !q.is_empty()),
            log: reader.read("log", values::log_filter),
            log_format: reader.read("log_format", values::word),
            metrics_listen: reader.read("metrics_listen", values::address),
            otlp_endpoint: reader.read("otlp_endpoint", values::collector),
            listen: reader.read("listen", values::socket),
            api_keys: reader.read("api_keys", values::file),
            audit_log: reader.read("audit_log", values::file),
            tls: tls(&mut reader),
            trusted_proxies: reader.read("trusted_proxies", values::networks),
            console: reader.read("console", values::word),
            session_secret: session_secret(&mut reader),
            api: ApiLimits {
                max_dataset_bytes: reader.read("max_dataset_bytes", values::bytes),
                max_unfinished: reader.read("max_unfinished", values::most),
                max_concurrent_requests: reader.read("max_concurrent_requests", values::slots),
                request_memory: reader.read("body_memory_bytes", values::bytes),
                response_memory: reader.read("response_memory_bytes", values::bytes),
                client_timeout: reader.read("client_timeout", values::delay),
            },
            targets: reader.targets(&webhook_rules),
            webhook_rules,
            webhook_authorities: reader.read("webhook_ca", values::authorities),
            webhook_timeout: reader.read("webhook_timeout", values::delay),
            policy: policy(&mut reader),
            health: HealthPolicy {
                breaker_failures: reader.read("breaker_failures", values::count),
                breaker_open_max: reader.read("breaker_open_max", values::delay),
                ..HealthPolicy::default()
            },
            limits: Limits {
                connect_timeout: reader.read("connect_timeout", values::delay),
                request_timeout: reader.read("request_timeout", values::delay),
                authorities: reader.read("platform_ca", values::authorities),
                denied_timeout: reader.read("denied_timeout", values::delay),
                max_response_bytes: reader.read("max_response_bytes", values::bytes),
            },
            accounts: reader.accounts(),
            without_secrets: std::mem::take(&mut reader.without_secrets),
            warnings: Vec::new(),
            settings: effective::effective(sources),
        };
        let warnings = reader.take_warnings();
        let config = reader.finish(config)?;
        Ok(Self { warnings, ..config })
    }

    /// The names of all accounts, with and without secrets.
    pub fn account_names(&self) -> BTreeSet<String> {
        self.accounts.keys().chain(self.without_secrets.keys()).cloned().collect()
    }
}

/// Returns the webhook settings of each account, also where the configuration lacks others: a receiver needs
/// nothing else.
pub fn webhook_targets(sources: &Sources) -> WebhookTargets {
    SettingsReader::new(sources).targets(&Rules::default())
}

fn store(reader: &mut SettingsReader<'_>) -> StoreLocation {
    let location = reader.read("store", values::store);
    let namespace = reader.read("namespace", values::namespace);
    let durability = reader.read("durability", values::word);
    let password = reader.global_secret("store_password");
    let authorities = reader.read("store_ca", values::certificates);
    let address = match location {
        StoreLocation::Redis(address, _) => address,
        StoreLocation::Sqlite(path) => {
            // Such as one that was restored from a backup.
            let what = format!("the store `{}`", path.display());
            reader.warnings.extend(readable(&path, &what));
            return StoreLocation::Sqlite(path);
        }
    };
    let mut address = address.with_namespace(&namespace);
    if let Some(FoundSecret { text, file }) = password {
        address = address.with_password(&text);
        if let Some(file) = file {
            let secret = Secret::text("`store_password`", text.into(), Some(file));
            address = address.with_password_from(Arc::new(move || {
                secret.refresh();
                Some(secret.get().expose_secret().to_owned())
            }));
        }
    }
    if let Some(pem) = authorities {
        match address.clone().with_authorities(pem) {
            Ok(trusting) => address = trusting,
            Err(record) => reader.record("store_ca", &record),
        }
    }
    StoreLocation::Redis(Box::new(address), durability)
}

fn tls(reader: &mut SettingsReader<'_>) -> Option<TlsFiles> {
    let certificate = reader.read("tls_certificate", values::file);
    let key = reader.read("tls_key", values::file);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let what = format!("the private key `{}`", key.display());
            reader.warnings.extend(readable(&key, &what));
            Some(TlsFiles { certificate, key })
        }
        (None, None) => None,
        _ => {
            let record = "`tls_certificate` and `tls_key`: give both of them, or none";
            reader.errors.push(record.to_owned());
            None
        }
    }
}

fn session_secret(reader: &mut SettingsReader<'_>) -> Option<SessionSecret> {
    let FoundSecret { text, file } = reader.global_secret("session_secret")?;
    let secret = SessionSecret::new(text.into(), file);
    secret.map_err(|error| reader.record("session_secret", &error)).ok()
}

fn policy(reader: &mut SettingsReader<'_>) -> Policy {
    Policy {
        poll_schedule: reader.read("poll_schedule", values::word),
        poll_initial: reader.read("poll_initial", values::delay),
        poll_factor: reader.read("poll_factor", values::factor),
        poll_max: reader.read("poll_max", values::delay),
        retry_initial: reader.read("retry_initial", values::delay),
        retry_max: reader.read("retry_max", values::delay),
        default_retry_after: reader.read("default_retry_after", values::delay),
        retry_after_max: reader.read("retry_after_max", values::delay),
        unknown_token_timeout: reader.read("unknown_token_timeout", values::delay),
        webhook_backoff_initial: reader.read("webhook_backoff_initial", values::delay),
        webhook_backoff_max: reader.read("webhook_backoff_max", values::delay),
        webhook_max_attempts: reader.read("webhook_max_attempts", values::count),
        deadline: reader.read("deadline", values::delay),
        ambiguous_upload: reader.read("ambiguous_upload", values::word),
        concurrency: reader.read("concurrency", values::slots),
        upload_memory: reader.read("upload_memory_bytes", values::bytes),
        lease: reader.read("lease", values::lease),
        shutdown_timeout: reader.read("shutdown_timeout", values::duration),
        retention: reader.read("retention", values::duration),
    }
}
