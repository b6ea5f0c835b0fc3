//! The intake: every request of a producer is checked here, wherever it comes from, before the store
//! keeps it. An invalid request stores nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;

use super::metrics::{IntakeMetrics, IntakeResult, Source};
use crate::metrics::Metrics;
use crate::platform::{Direction, PayloadMetrics};
use crate::traces::Traces;
use crate::webhook::{Rules, WebhookTargets};
use ferry_store::{Accepted, Deadline, NewSubmission, Payload, Store, StoreError};
use ferry_types::clock::Clock;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::dataset::{Report, Table, check, check_pair};
use ferry_types::domain::submission::FEEDBACK_KEY;
use ferry_types::domain::{SubmissionId, Timestamp, TraceParent};

/// The account of submissions that name none, where none is configured or one of this name is.
pub const DEFAULT_ACCOUNT: &str = "default";

/// The result that is fetched if none is asked for.
pub const DEFAULT_RESULT_KEY: &str = "tableofresultids";

/// The longest Name, account, result key, idempotency key or label, in characters.
const MAX_CHARS: usize = 255;

/// The most result keys, and the most labels, of one submission.
pub const MAX_ITEMS: usize = 32;

/// The names of the texts of a dataset in messages: files, or fields of a request.
#[derive(Debug, Clone)]
pub struct SourceLabels {
    /// The dataset.
    pub data: String,
    /// Its events.
    pub events: String,
}

impl Default for SourceLabels {
    fn default() -> Self {
        Self { data: "data".to_owned(), events: "event_data".to_owned() }
    }
}

/// Reason to accept no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The CSV texts have errors.
    #[error("the dataset is invalid")]
    Dataset(Vec<Report>),
    /// The texts together are larger than the configured limit.
    #[error("the dataset has {bytes} bytes, more than the limit of {limit} (`max_dataset_bytes`)")]
    TooLarge {
        /// The size.
        bytes: u64,
        /// The configured limit.
        limit: u64,
    },
    /// A field does not hold what it must.
    #[error("`{field}`: {what}")]
    Field {
        /// The field of the request.
        field: &'static str,
        /// The error.
        what: String,
    },
    /// The account is not among the configured ones.
    #[error("account `{account}` is not configured: there is {known}")]
    UnknownAccount {
        /// The account that was asked for.
        account: String,
        /// The configured ones.
        known: String,
    },
    /// Several accounts are configured, and none is named.
    #[error("`account` is needed, because several are configured: {0}")]
    AccountNeeded(String),
}

/// A request that may be accepted.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The submission to accept.
    pub new: NewSubmission,
    /// The problems of the texts: warnings at most.
    pub reports: Vec<Report>,
}

/// Checks requests and hands them to the store.
#[derive(Debug)]
pub struct Intake {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The configured accounts; none where only others know them.
    accounts: BTreeSet<String>,
    deadline: Duration,
    max_dataset_bytes: u64,
    rng: Mutex<Rng>,
    metrics: Arc<IntakeMetrics>,
    payloads: Arc<PayloadMetrics>,
    traces: Traces,
    source: Source,
    rules: Rules,
    targets: WebhookTargets,
}

/// The parts of an intake.
#[derive(Debug)]
pub struct IntakeParts<'a> {
    /// The store that it accepts into.
    pub store: Arc<dyn Store>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The configured accounts; none where only others know them.
    pub accounts: BTreeSet<String>,
    /// Time from acceptance to the deadline, unless a request has its own.
    pub deadline: Duration,
    /// The largest dataset, in bytes.
    pub max_dataset_bytes: u64,
    /// Keeps the ids of several processes apart.
    pub seed: u64,
    /// Metrics of the process.
    pub metrics: &'a Metrics,
}

/// Bytes for all of a request but its dataset.
pub const REQUEST_OVERHEAD: u64 = 64 << 10;

/// The largest request that is JSON: line breaks and quotes of the dataset take twice their space there.
pub fn largest_json(max_dataset_bytes: u64) -> u64 {
    max_dataset_bytes.saturating_mul(2).saturating_add(REQUEST_OVERHEAD)
}

impl Intake {
    /// The largest request that is JSON.
    pub(super) fn largest_json(&self) -> u64 {
        largest_json(self.max_dataset_bytes)
    }

    /// An intake of these parts.
    pub fn new(parts: IntakeParts<'_>) -> Self {
        let IntakeParts { store, clock, accounts, deadline, max_dataset_bytes, seed, metrics } =
            parts;
        Self {
            store,
            clock,
            accounts,
            deadline,
            max_dataset_bytes,
            rng: Mutex::new(Rng::with_seed(seed)),
            metrics: metrics.of(),
            payloads: metrics.of(),
            traces: Traces::default(),
            source: Source::Cli,
            rules: Rules::default(),
            targets: WebhookTargets::default(),
        }
    }

    /// The same intake with these rules about webhooks.
    #[must_use]
    pub fn with_webhooks(self, rules: Rules, targets: WebhookTargets) -> Self {
        Self { rules, targets, ..self }
    }

    /// The same intake, with a trace of each acceptance.
    #[must_use]
    pub fn with_traces(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// The same intake, for requests from `source`; only metrics differ by it.
    #[must_use]
    pub fn with_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Checks a request whole; `names` says what its texts are called in messages.
    pub fn prepare(
        &self,
        request: SubmissionRequest,
        names: &SourceLabels,
    ) -> Result<Prepared, IntakeError> {
        let prepared = self.check(request, names);
        if prepared.is_err() {
            self.metrics.received.inc((self.source, IntakeResult::Invalid));
        }
        prepared
    }

    /// Checks the texts of a dataset as [`Intake::prepare`] does, and returns the problems, errors or not.
    pub fn validate(
        &self,
        data: &str,
        event_data: Option<&str>,
        names: &SourceLabels,
    ) -> Result<Vec<Report>, IntakeError> {
        match self.payload(data, event_data, names) {
            Ok((_, reports)) | Err(IntakeError::Dataset(reports)) => Ok(reports),
            Err(error) => Err(error),
        }
    }

    fn check(
        &self,
        request: SubmissionRequest,
        names: &SourceLabels,
    ) -> Result<Prepared, IntakeError> {
        let now = self.clock.now();
        check_fields(&request, now)?;
        let account = self.account(request.account)?;
        let webhook_url = self.webhook(request.webhook_url, &account)?;
        let (payload, reports) =
            self.payload(&request.data, request.event_data.as_deref(), names)?;
        let result_keys = if request.result_keys.is_empty() {
            vec![DEFAULT_RESULT_KEY.to_owned()]
        } else {
            request.result_keys
        };
        let new = NewSubmission {
            id: self.id(now),
            name: request.name,
            account,
            payload,
            overwrite: request.overwrite,
            result_keys,
            priority: request.priority,
            not_before: request.not_before,
            deadline: request.deadline.map_or(Deadline::After(self.deadline), Deadline::At),
            idempotency_key: request.idempotency_key,
            labels: request.labels,
            revision_of: None,
            traceparent: request.traceparent,
            webhook_url,
        };
        Ok(Prepared { new, reports })
    }

    /// Keeps what was prepared: all or nothing.
    pub async fn accept(&self, batch: Vec<NewSubmission>) -> Result<Vec<Accepted>, StoreError> {
        let sizes: Vec<u64> = batch.iter().map(|new| new.payload.bytes()).collect();
        let traced = self.traced_of(&batch);
        let requested_at = self.clock.now();
        let response = self.store.accept(batch).await;
        let Ok(accepted) = &response else {
            for _ in sizes {
                self.metrics.received.inc((self.source, IntakeResult::Failed));
            }
            return response;
        };
        for (accepted, bytes) in accepted.iter().zip(sizes) {
            let result = match accepted {
                Accepted::New(_) => {
                    self.payloads.bytes.observe(Direction::Accepted, bytes as f64);
                    IntakeResult::Accepted
                }
                Accepted::Duplicate(_) => IntakeResult::Duplicate,
                Accepted::Conflict(_) => IntakeResult::Conflict,
            };
            self.metrics.received.inc((self.source, result));
        }
        for (accepted, account, parent) in traced.iter().map(|(n, a, p)| (accepted.get(*n), a, *p))
        {
            if let Some(Accepted::New(id)) = accepted {
                self.traces.accepted(parent, *id, account, requested_at);
            }
        }
        response
    }

    /// Which of a batch belong to a producer's trace, and to which account.
    fn traced_of(&self, batch: &[NewSubmission]) -> Vec<(usize, String, TraceParent)> {
        let traced = batch.iter().enumerate().filter(|_| self.traces.are_on());
        let traced = traced.filter_map(|(n, new)| Some((n, new.account.clone(), new.traceparent?)));
        traced.collect()
    }

    /// True if this process knows the account.
    pub fn is_configured(&self, account: &str) -> bool {
        self.accounts.contains(account)
    }

    /// The configured accounts.
    pub fn accounts(&self) -> &BTreeSet<String> {
        &self.accounts
    }

    /// The account that uploads a submission which names this one, or none.
    pub fn account(&self, requested: Option<String>) -> Result<String, IntakeError> {
        let known = || {
            let names: Vec<String> = self.accounts.iter().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        match requested {
            Some(account) if self.accounts.is_empty() => {
                check_text("account", &account)?;
                Ok(account)
            }
            Some(account) if self.accounts.contains(&account) => Ok(account),
            Some(account) => Err(IntakeError::UnknownAccount { account, known: known() }),
            None if self.accounts.is_empty() => Ok(DEFAULT_ACCOUNT.to_owned()),
            None if self.accounts.len() == 1 => {
                Ok(self.accounts.iter().next().cloned().unwrap_or_default())
            }
            None if self.accounts.contains(DEFAULT_ACCOUNT) => Ok(DEFAULT_ACCOUNT.to_owned()),
            None => Err(IntakeError::AccountNeeded(known())),
        }
    }

    /// The URL of the webhook.
    fn webhook(
        &self,
        requested: Option<String>,
        account: &str,
    ) -> Result<Option<String>, IntakeError> {
        let receiver = self.targets.get(account);
        let Some(url) = requested else { return Ok(receiver.and_then(|known| known.url.clone())) };
        self.rules.check(&url).map_err(|what| field("webhook_url", what))?;
        if self.accounts.contains(account) && receiver.is_none_or(|known| known.secrets.is_empty())
        {
            let what = format!("account `{account}` has no `webhook_secret` to sign with");
            return Err(field("webhook_url", what));
        }
        Ok(Some(url))
    }

    fn payload(
        &self,
        data: &str,
        event_data: Option<&str>,
        names: &SourceLabels,
    ) -> Result<(Payload, Vec<Report>), IntakeError> {
        let bytes = (data.len() + event_data.map_or(0, str::len)) as u64;
        if bytes > self.max_dataset_bytes {
            return Err(IntakeError::TooLarge { bytes, limit: self.max_dataset_bytes });
        }
        let (report, data) = check(Table::Data, &names.data, data.as_bytes());
        let mut reports = vec![report];
        let mut events = None;
        if let Some(event_data) = event_data {
            let (report, text) = check(Table::Events, &names.events, event_data.as_bytes());
            reports.push(report);
            events = Some(text);
        }
        match (data, events) {
            (Some(data), None) => Ok((Payload { data, event_data: None }, reports)),
            (Some(data), Some(Some(events))) => {
                if let Some(report) = reports.last_mut() {
                    check_pair(&data, &events, report);
                }
                Ok((Payload { data, event_data: Some(events) }, reports))
            }
            _ => Err(IntakeError::Dataset(reports)),
        }
    }

    fn id(&self, now: Timestamp) -> SubmissionId {
        let mut rng = self.rng.lock();
        SubmissionId::new(now, rng.u128(..))
    }
}

fn check_fields(request: &SubmissionRequest, now: Timestamp) -> Result<(), IntakeError> {
    check_text("name", &request.name)?;
    if request.name.trim() != request.name {
        return Err(field("name", "it must not begin or end with a blank"));
    }
    if let Some(key) = &request.idempotency_key {
        check_text("idempotency_key", key)?;
    }
    few("result_keys", request.result_keys.len())?;
    few("labels", request.labels.len())?;
    let mut keys = BTreeSet::new();
    for key in &request.result_keys {
        check_text("result_keys", key)?;
        if matches!(key.as_str(), "status" | FEEDBACK_KEY) {
            return Err(field("result_keys", format!("`{key}` is not a result")));
        }
        if !keys.insert(key) {
            return Err(field("result_keys", format!("`{key}` stands there twice")));
        }
    }
    for (label, value) in &request.labels {
        check_text("labels", label)?;
        check_text("labels", value)?;
    }
    let begin = request.not_before.map_or(now, |not_before| not_before.max(now));
    match request.deadline {
        Some(deadline) if deadline <= now => {
            Err(field("deadline", format!("`{deadline}` is in the past")))
        }
        Some(deadline) if deadline <= begin => {
            Err(field("deadline", format!("`{deadline}` is not after `not_before`")))
        }
        _ => Ok(()),
    }
}

fn field(field: &'static str, what: impl Into<String>) -> IntakeError {
    IntakeError::Field { field, what: what.into() }
}

fn check_text(name: &'static str, text: &str) -> Result<(), IntakeError> {
    if text.is_empty() {
        return Err(field(name, "it must not be empty"));
    }
    if text.chars().count() > MAX_CHARS {
        return Err(field(name, format!("it is longer than {MAX_CHARS} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(field(name, "it holds a control character"));
    }
    Ok(())
}

fn few(name: &'static str, count: usize) -> Result<(), IntakeError> {
    if count > MAX_ITEMS {
        return Err(field(name, format!("there are {count}, and at most {MAX_ITEMS} are allowed")));
    }
    Ok(())
}
