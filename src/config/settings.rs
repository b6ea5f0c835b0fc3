//! Every setting there is: name, default and meaning stand here and nowhere else. The same name is
//! the key in `ferry.toml`, `FERRY_NAME` in the environment, and `--set name=value` on the command
//! line.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in `ferry.toml`; upper case after `FERRY_` in the environment.
    pub name: &'static str,
    /// The default as one would write it; empty for none.
    pub default: &'static str,
    /// Meaning and allowed values.
    pub description: &'static str,
    /// True if it may also be given as a file, by `name_file`.
    pub secret: bool,
}

impl Setting {
    /// The environment variable.
    pub fn variable(&self) -> String {
        variable(self.name)
    }
}

/// The environment variable of a setting.
pub(super) fn variable(name: &str) -> String {
    format!("FERRY_{}", name.to_uppercase())
}

const fn setting(name: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { name, default, description, secret: false }
}

const fn secret(name: &'static str, description: &'static str) -> Setting {
    Setting { name, default: "", description, secret: true }
}

/// Settings of the process.
pub const SETTINGS: &[Setting] = &[
    setting(
        "store",
        "sqlite:ferry.db",
        "location of the store: `sqlite:PATH`, `redis://HOST:PORT/DATABASE`, or `redis+sentinel://HOST:PORT,…/MASTER/DATABASE`; with TLS `rediss`",
    ),
    secret("store_password", "password for a Redis server, unless it is in the URL"),
    setting(
        "store_ca",
        "",
        "file with the CA certificates (PEM) to trust for a `rediss://` server, instead of those of the machine",
    ),
    setting(
        "namespace",
        "ferry",
        "prefix of the store's keys, by which several stores share a Redis server",
    ),
    setting(
        "durability",
        "server",
        "on Redis: `server` as the server is configured, `fsynced` to accept, and to begin uploads, only when that is synced to its disk (WAITAOF), `replicated` only when a replica has it (WAIT)",
    ),
    setting(
        "intake_queue",
        "",
        "on Redis: the queue into which other services push requests with apalis-redis; if empty, `{NAMESPACE}:intake`",
    ),
    setting(
        "log",
        "",
        "filter for log lines, such as `warn` or `ferry=debug,info`; if empty, `info` for `serve`, `worker` and `simulate`, `warn` for the rest",
    ),
    setting("log_format", "pretty", "`pretty` for people or `json` for machines"),
    setting(
        "metrics_listen",
        "",
        "address for /metrics and /healthz of a worker, such as `127.0.0.1:9464`",
    ),
    setting(
        "otlp_endpoint",
        "",
        "OpenTelemetry collector that the trace of each step is sent to, over HTTP, such as `http://127.0.0.1:4318`; if empty, there are no traces",
    ),
    setting("listen", "127.0.0.1:8600", "address of the HTTP API of `ferry serve`"),
    setting(
        "api_keys",
        "",
        "file with the keys of the HTTP API, which `ferry keys` writes; without one it listens on loopback addresses only",
    ),
    setting(
        "audit_log",
        "",
        "file for audit records of changes to submissions, accounts and keys, over HTTP or on the command line, as JSON lines",
    ),
    setting(
        "tls_certificate",
        "",
        "file with the certificate of the HTTP API, as PEM, and those that it was signed with; without one it speaks plain HTTP",
    ),
    setting("tls_key", "", "file with the private key of that certificate, as PEM"),
    setting(
        "trusted_proxies",
        "",
        "trusted proxy networks, whose forwarded client addresses are used, such as `10.0.0.0/8, ::1`",
    ),
    setting(
        "console",
        "yes",
        "web console of `ferry serve`: `yes`, `read_only` for pages without acts, or `no`",
    ),
    secret(
        "session_secret",
        "secret of 32 characters or more that signs sessions of the console, the same on all servers; without one, sessions end with the process",
    ),
    setting("max_concurrent_requests", "512", "concurrent requests of the HTTP API"),
    setting(
        "max_unfinished",
        "0",
        "unfinished submissions of an account beyond which the HTTP API accepts no more; 0 for no limit",
    ),
    setting(
        "body_memory_bytes",
        "268435456",
        "memory for request bodies that arrive at once, beside 64 KiB of each; half of it for one API key",
    ),
    setting(
        "response_memory_bytes",
        "268435456",
        "memory for responses that are sent at once, beside 64 KiB of each; half of it for one API key",
    ),
    setting("client_timeout", "30s", "time limit for a client of the HTTP API to send or read"),
    setting("concurrency", "64", "steps of one kind that a process runs at once"),
    setting("lease", "5s", "time after which a silent worker's steps are rescued"),
    setting("shutdown_timeout", "10s", "time for running steps to finish when a worker stops"),
    setting(
        "deadline",
        "24h",
        "time from acceptance to giving up; a late upload is polled for a quarter of that",
    ),
    setting("retention", "30d", "time after which final submissions are removed"),
    setting(
        "poll_schedule",
        "adaptive",
        "schedule of polls: `adaptive` by the estimated processing time of the Platform, or `backoff`",
    ),
    setting("poll_initial", "2s", "first delay of backoff; no delay is shorter than half of it"),
    setting("poll_factor", "2", "backoff multiplier between polls"),
    setting("poll_max", "60s", "longest delay between polls"),
    setting("retry_initial", "1s", "first delay after an error; doubled with each error in a row"),
    setting("retry_max", "60s", "longest delay after an error"),
    setting("default_retry_after", "5s", "delay after a 429 without `Retry-After`"),
    setting(
        "retry_after_max",
        "1h",
        "longest `Retry-After` that is trusted; Ferry sends requests again after it",
    ),
    setting(
        "unknown_token_timeout",
        "2m",
        "duration for which the Platform may respond 404 to a processing token that it issued",
    ),
    setting(
        "ambiguous_upload",
        "hold",
        "treatment of an upload without overwrite that may have arrived: `hold` or `overwrite`",
    ),
    setting(
        "webhook_allow",
        "",
        "hosts, addresses and networks beside public ones that webhooks may go to, such as `hooks.internal, 10.0.0.0/8`",
    ),
    setting("webhook_allow_http", "no", "unencrypted webhooks: `yes` or `no`"),
    setting(
        "webhook_ca",
        "",
        "file with the CA certificates (PEM) to trust for receivers of webhooks, beside those of the machine",
    ),
    setting("webhook_timeout", "15s", "time limit of one delivery attempt"),
    setting(
        "webhook_backoff_initial",
        "5s",
        "first delay after a failed delivery; each is four times as long as the last",
    ),
    setting("webhook_backoff_max", "12h", "longest of these delays"),
    setting("webhook_max_attempts", "12", "delivery attempts before giving up"),
    setting(
        "breaker_failures",
        "10",
        "failures in a row that open the circuit breaker of an account",
    ),
    setting(
        "breaker_open_max",
        "60s",
        "longest delay between probes while the circuit breaker is open",
    ),
    setting(
        "platform_ca",
        "",
        "file with the certificates (PEM) of authorities to trust for the Platform, beside those that the machine trusts",
    ),
    setting("connect_timeout", "10s", "time limit for a connection to the Platform"),
    setting("request_timeout", "2m", "time limit for a whole request to the Platform"),
    setting(
        "denied_timeout",
        "1m",
        "duration for which 401 and 403 are retried that do not blame the credentials; then the account is paused",
    ),
    setting(
        "max_dataset_bytes",
        "67108864",
        "the largest dataset that is accepted, data and events together",
    ),
    setting("max_response_bytes", "67108864", "the largest result or feedback that is fetched"),
    setting(
        "upload_memory_bytes",
        "268435456",
        "memory for datasets that are being uploaded at once",
    ),
    setting(
        "status_success",
        "completedsuccessfully",
        "status words that mean success, separated by commas",
    ),
    setting(
        "status_failed",
        "completed*, failed, error, rejected, invalid, cancelled",
        "status words that mean rejection; `completed*` are all others that begin so",
    ),
    setting(
        "status_pending",
        "queued, pending, submitted, processing, inprogress, running",
        "status words that mean not yet; any other word does too, and is counted",
    ),
];

/// Settings of an account: in the environment for the account `default`, in `ferry.toml` in a table
/// `[accounts.NAME]`.
pub const ACCOUNT_SETTINGS: &[Setting] = &[
    setting(
        "token_url",
        "",
        "URL that issues access tokens, such as `https://identity.example.com/connect/token`",
    ),
    setting("api_url", "", "URL of the Upload API, such as `https://api.example.com/upload`"),
    setting("client_id", "", "the client id, which is also the `Username`"),
    secret("client_secret", "the client secret"),
    secret("api_key", "the API key"),
    setting("webhook_url", "", "default webhook URL of submissions that name none"),
    secret("webhook_secret", "secret that signs webhooks, `whsec_…`"),
    secret("webhook_secret_old", "a second secret that signs too, while one replaces the other"),
    setting(
        "overwrite_format",
        "strings",
        "form of `Overwrite` in requests: `strings` or `booleans`",
    ),
    setting(
        "uploads_per_second",
        "",
        "uploads begun in a second by all workers together; empty for no limit",
    ),
    setting(
        "requests_per_second",
        "",
        "requests in a second by all workers together, but those for tokens",
    ),
    setting(
        "max_concurrent_uploads",
        "",
        "concurrent uploads of all workers together; empty for no limit",
    ),
];
