//! The Platform's own state: tokens, datasets, and when each is ready. It knows nothing of HTTP and
//! of faults.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use fastrand::Rng;

use super::config::{Credentials, SimConfig};
use super::dataset::{ValidationResult, hash, judge, reject_first_row};
use super::faults::Endpoint;
use super::jobs::{Job, Jobs};
use super::ledger::{AcceptedUpload, Ledger};
use super::parsed_request::{ParsedRequest, ResultsQuery, UploadData, media_type};
use super::reply::{Rejection, Reply, Word};
use super::requests::Effect;
use super::time::later;

/// A reply, and what the Platform did before.
#[derive(Debug)]
pub(super) struct PlatformReply {
    pub(super) reply: Reply,
    pub(super) effect: Effect,
    /// Processing token of a stored upload.
    pub(super) stored: Option<String>,
}

impl From<Reply> for PlatformReply {
    fn from(reply: Reply) -> Self {
        Self { reply, effect: Effect::Nothing, stored: None }
    }
}

/// Deviations from what the documentation promises.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Oddities {
    /// Time that the processing token of an upload is unknown.
    pub(super) unknown_for: Duration,
    /// True if the name counts as taken, whatever `Overwrite` says.
    pub(super) reject_name: bool,
    /// True if the response to a status request has a word of its own.
    pub(super) odd_word: bool,
    /// True if the first row of an upload is rejected.
    pub(super) reject_row: bool,
}

#[derive(Debug)]
struct AccessToken {
    expires: DateTime<Utc>,
    used: bool,
}

/// The Platform's state.
#[derive(Debug)]
pub(super) struct Platform {
    credentials: Credentials,
    pub(super) config: SimConfig,
    pub(super) rng: Rng,
    access_tokens: HashMap<String, AccessToken>,
    jobs: Jobs,
    foreign_names: BTreeSet<String>,
    pub(super) ledger: Ledger,
    /// True while no credentials and no access token are accepted.
    pub(super) denied: bool,
}

impl Platform {
    pub(super) fn new(config: SimConfig) -> Self {
        Self {
            credentials: config.credentials.clone(),
            rng: Rng::with_seed(config.seed),
            access_tokens: HashMap::new(),
            jobs: Jobs::default(),
            foreign_names: config.foreign_names.clone(),
            ledger: Ledger::default(),
            denied: false,
            config,
        }
    }

    /// Others upload a dataset called `name`.
    pub(super) fn occupy(&mut self, name: &str) {
        self.foreign_names.insert(name.to_owned());
    }

    /// Client id of the account that a request belongs to.
    pub(super) fn account_of(&self, parsed: &ParsedRequest<'_>) -> Option<String> {
        if parsed.endpoint == Endpoint::Token {
            let basic = parsed.request.header("authorization").strip_prefix("Basic ")?;
            let pair = String::from_utf8(BASE64.decode(basic.as_bytes()).ok()?).ok()?;
            return Some(pair.split_once(':')?.0.to_owned());
        }
        let known = self.access_tokens.contains_key(parsed.access_token()?);
        known.then(|| self.credentials.client_id.clone())
    }

    /// Dataset name of a processing token.
    pub(super) fn name_of(&self, processing_token: &str) -> Option<&str> {
        self.jobs.get(processing_token).map(|job| job.name.as_str())
    }

    /// True if the access token has been accepted before.
    pub(super) fn is_in_use(&self, access_token: Option<&str>) -> bool {
        let token = access_token.and_then(|token| self.access_tokens.get(token));
        token.is_some_and(|token| token.used)
    }

    pub(super) fn revoke(&mut self, access_token: Option<&str>) {
        self.access_tokens.remove(access_token.unwrap_or_default());
    }

    /// Executes a request.
    pub(super) fn carry_out(
        &mut self,
        now: DateTime<Utc>,
        parsed: &ParsedRequest<'_>,
        oddities: Oddities,
    ) -> PlatformReply {
        if parsed.endpoint == Endpoint::Token {
            return self.token(now, parsed);
        }
        if !self.is_authorized(now, parsed.access_token()) {
            self.ledger.unauthorized += 1;
            return Reply::rejection(Rejection::Unauthorized).into();
        }
        if parsed.endpoint != Endpoint::Upload {
            return self.results(now, &parsed.query, oddities);
        }
        let checked = if parsed.request.body.len() > self.config.max_upload_bytes {
            Err(Reply::rejection(Rejection::TooLarge))
        } else {
            self.check_upload(parsed.upload.as_ref(), oddities)
        };
        match checked {
            Ok((upload, overwrite)) => self.store(now, upload, overwrite, oddities),
            Err(reply) => {
                self.ledger.uploads_rejected += 1;
                reply.into()
            }
        }
    }

    /// `POST /connect/token`.
    fn token(&mut self, now: DateTime<Utc>, parsed: &ParsedRequest<'_>) -> PlatformReply {
        let secret: String =
            form_urlencoded::byte_serialize(self.credentials.client_secret.as_bytes()).collect();
        let expected = BASE64.encode(format!("{}:{secret}", self.credentials.client_id).as_bytes());
        let authorization = parsed.request.header("authorization");
        let denied = |status, error| Reply::TokenError { status, error }.into();
        if self.denied || authorization.strip_prefix("Basic ") != Some(expected.as_str()) {
            self.ledger.unauthorized += 1;
            return denied(401, "invalid_client");
        }
        if media_type(parsed.request) != "application/x-www-form-urlencoded" {
            return denied(400, "invalid_request");
        }
        let form: Vec<_> = form_urlencoded::parse(&parsed.request.body).collect();
        if form.iter().all(|(key, value)| key != "grant_type" || value != "client_credentials") {
            return denied(400, "unsupported_grant_type");
        }
        if form.iter().all(|(key, value)| key != "scope" || value != "platform_upload_api") {
            return denied(400, "invalid_scope");
        }
        self.access_tokens.retain(|_, token| now < token.expires);
        let token = format!("{:032x}", self.rng.u128(..));
        let lifetime = self.config.token_lifetime;
        let expires = later(now, lifetime);
        self.access_tokens.insert(token.clone(), AccessToken { expires, used: false });
        self.ledger.tokens_issued += 1;
        let reply = Reply::AccessToken { token, seconds: lifetime.as_secs() };
        PlatformReply { reply, effect: Effect::TokenIssued, stored: None }
    }

    /// True if a request may pass; notes that the token is in use.
    fn is_authorized(&mut self, now: DateTime<Utc>, access_token: Option<&str>) -> bool {
        let token = access_token.and_then(|token| self.access_tokens.get_mut(token));
        token.filter(|token| now < token.expires && !self.denied).is_some_and(|token| {
            token.used = true;
            true
        })
    }

    /// Returns an upload that may be stored, and its `Overwrite`.
    fn check_upload<'a>(
        &mut self,
        upload: Option<&'a UploadData>,
        oddities: Oddities,
    ) -> Result<(&'a UploadData, bool), Reply> {
        let rejected = |why| Err(Reply::rejection(why));
        let Some(upload) = upload else { return rejected(Rejection::NotAnUpload) };
        let overwrite = match &upload.overwrite {
            serde_json::Value::Null => false,
            serde_json::Value::Bool(overwrite) => *overwrite,
            serde_json::Value::String(text) if text == "true" => true,
            serde_json::Value::String(text) if text == "false" => false,
            _ => return rejected(Rejection::BadOverwrite),
        };
        if upload.key != self.credentials.api_key {
            return rejected(Rejection::UnknownKey);
        }
        if upload.username != self.credentials.client_id {
            return rejected(Rejection::OtherUsername);
        }
        if upload.name.is_empty() || upload.data.trim().is_empty() {
            return rejected(Rejection::Incomplete);
        }
        let name = &upload.name;
        let exists = self.jobs.has_name(name) || self.foreign_names.contains(name);
        if (exists && !overwrite) || oddities.reject_name {
            self.ledger.names.entry(name.clone()).or_default().rejected_exists += 1;
            return Err(Reply::Rejection { why: Rejection::NameExists, name: name.clone() });
        }
        Ok((upload, overwrite))
    }

    fn store(
        &mut self,
        now: DateTime<Utc>,
        upload: &UploadData,
        overwrite: bool,
        oddities: Oddities,
    ) -> PlatformReply {
        for name in self.jobs.forget(now, self.config.memory) {
            self.ledger.forget(&name);
        }
        let name = upload.name.clone();
        let is_foreign = self.foreign_names.remove(&name);
        let effect = match (is_foreign, self.jobs.has_name(&name)) {
            (true, _) => Effect::ReplacedForeign,
            (false, true) => Effect::Replaced,
            (false, false) => Effect::Stored,
        };
        let token = self.uuid(&name);
        let rejected = oddities.reject_row.then(|| reject_first_row(&upload.data)).flatten();
        let verdict =
            rejected.unwrap_or_else(|| judge(&name, &upload.data, upload.event_data.as_deref()));
        let valid = matches!(verdict, ValidationResult::Results(_));
        let ready_at = later(now, self.config.processing.time(&mut self.rng));
        let known_at = later(now, oddities.unknown_for);
        self.jobs.insert(token.clone(), Job { name: name.clone(), known_at, ready_at, verdict });
        let entry = self.ledger.names.entry(name).or_default();
        entry.foreign_replaced += u64::from(is_foreign);
        entry.accepted.push(AcceptedUpload {
            at: now,
            overwrite,
            processing_token: token.clone(),
            answer_lost: true,
            valid,
            data_bytes: upload.data.len() as u64,
        });
        let reply = Reply::Stored { token: token.clone() };
        PlatformReply { reply, effect, stored: Some(token) }
    }

    /// `GET /upload/GetResults`.
    fn results(
        &mut self,
        now: DateTime<Utc>,
        query: &ResultsQuery,
        oddities: Oddities,
    ) -> PlatformReply {
        let rejected = |why| Reply::rejection(why).into();
        if query.is_strange {
            return rejected(Rejection::BadQuery);
        }
        if query.key != self.credentials.api_key {
            return rejected(Rejection::UnknownKey);
        }
        let known = self.jobs.get(&query.token).filter(|job| job.known_at <= now);
        let Some(job) = known else { return rejected(Rejection::UnknownToken) };
        let ready = job.ready_at <= now;
        let entry = self.ledger.names.entry(job.name.clone()).or_default();
        let read = |reply| PlatformReply { reply, effect: Effect::Read, stored: None };
        if query.data_key == "status" {
            let word = match (ready, &job.verdict) {
                _ if oddities.odd_word => Word::Odd,
                (false, _) if entry.polls_before_ready == 0 => Word::Submitted,
                (false, _) => Word::Processing,
                (true, ValidationResult::Results(_)) => Word::Completed,
                (true, ValidationResult::Feedback(_)) => Word::Failed,
            };
            entry.polls_before_ready += u64::from(!ready);
            entry.polls_after_ready += u64::from(ready);
            return read(Reply::Status(word));
        }
        if !ready {
            return rejected(Rejection::NotReady);
        }
        entry.results_fetched += 1;
        let result = |content_type, body| read(Reply::Result { content_type, body });
        match (&job.verdict, query.data_key.as_str()) {
            (ValidationResult::Feedback(row_errors), "feedback") => {
                read(Reply::Feedback(row_errors.clone()))
            }
            (ValidationResult::Results(_), "feedback") => read(Reply::Feedback(Vec::new())),
            (ValidationResult::Results(table), "tableofresultids") => {
                result("text/csv", table.clone())
            }
            (ValidationResult::Results(table), key) => {
                let summary = serde_json::json!({ "key": key, "rows": table.lines().count() - 1 });
                result("application/json", summary.to_string())
            }
            (ValidationResult::Feedback(_), _) => rejected(Rejection::DataRejected),
        }
    }

    /// Depends on the name, too: after a restart with the same seed no old token may stand for
    /// another dataset.
    fn uuid(&mut self, name: &str) -> String {
        let hex = format!("{:016x}{:016x}", self.rng.u64(..), self.rng.u64(..) ^ hash(name));
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        parts.join("-")
    }
}
