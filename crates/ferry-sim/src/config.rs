//! Settings of a simulated Platform.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::dialect::Dialect;
use super::faults::FaultRates;
use super::processing::Processing;

/// Credentials of the account that a client needs.
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

/// Settings of a simulated Platform, which has one account.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The same seed gives the same tokens, times and faults for the same requests.
    pub seed: u64,
    /// Credentials of the account.
    pub credentials: Credentials,
    /// Lifetime of an access token.
    pub token_lifetime: Duration,
    /// Time from the upload of a dataset to the verdict.
    pub processing: Processing,
    /// Probability of each fault.
    pub faults: FaultRates,
    /// Requests in a second that are allowed, beside those for tokens; the next one gets 429. Of what was
    /// not used, as much as is allowed in a second may be used later.
    pub requests_per_second: Option<f64>,
    /// `Retry-After` of a seeded 429 or 503, and of one for too many requests.
    pub retry_after: Duration,
    /// Time that a client has to obey a 429. Requests that come later are early, for they were not
    /// on their way when it was sent. A request about the same dataset is early at once.
    pub notice: Duration,
    /// Time from the work of a request to its response.
    pub latency: Duration,
    /// Seconds that the Platform's clock is ahead.
    pub clock_skew: i64,
    /// Statuses, words and forms of the responses; `None` is [`Dialect::PLAIN`].
    pub dialect: Option<Dialect>,
    /// Dataset names that others have uploaded before.
    pub foreign_names: BTreeSet<String>,
    /// Size limit of an upload.
    pub max_upload_bytes: usize,
    /// Time that a dataset is remembered after its verdict. If there are so many that they would
    /// fill the memory, the oldest are forgotten sooner.
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
            requests_per_second: None,
            retry_after: Duration::from_secs(2),
            notice: Duration::from_secs(1),
            latency: Duration::ZERO,
            clock_skew: 0,
            dialect: None,
            foreign_names: BTreeSet::new(),
            max_upload_bytes: 128 << 20,
            memory: Duration::from_hours(1),
        }
    }
}
