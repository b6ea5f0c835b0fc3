//! The Platform's own state: tokens, datasets, and when each is ready. It knows nothing of HTTP but
//! the status that an answer has.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde::Deserialize;
use serde_json::json;

use super::SimConfig;
use super::dataset::{ValidationResult, hash, judge};
use super::faults::Faults;
use super::jobs::{Job, Jobs};
use super::ledger::{AcceptedUpload, Ledger};

/// An answer before it travels.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// The Name and the processing token of the upload that it tells about, if it was stored.
    pub(super) stored: Option<(String, String)>,
}

impl Reply {
    pub(super) fn of(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type, body: body.into(), stored: None }
    }

    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::of(status, "text/plain; charset=utf-8", body)
    }

    fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::of(status, "application/json", body.to_string())
    }
}

/// The body of `UploadData`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UploadData {
    pub(super) name: String,
    data: String,
    #[serde(default)]
    event_data: Option<String>,
    username: String,
    key: String,
    #[serde(default)]
    overwrite: serde_json::Value,
}

/// The query of `GetResults`.
#[derive(Debug, Default)]
pub(super) struct ResultsQuery {
    pub(super) token: String,
    pub(super) data_key: String,
    pub(super) key: String,
    /// Whether a parameter is missing, doubled or unknown.
    pub(super) is_strange: bool,
}

#[derive(Debug)]
struct AccessToken {
    expires: Instant,
    used: bool,
}

/// The Platform's state.
#[derive(Debug)]
pub(super) struct World {
    config: SimConfig,
    rng: Rng,
    access_tokens: HashMap<String, AccessToken>,
    jobs: Jobs,
    /// Until when a dataset's client was asked to wait, by Name or processing token.
    asked_to_wait: HashMap<String, Instant>,
    pub(super) faults: Faults,
    pub(super) ledger: Ledger,
}

impl World {
    pub(super) fn new(config: SimConfig) -> Self {
        Self {
            rng: Rng::with_seed(config.seed),
            access_tokens: HashMap::new(),
            jobs: Jobs::default(),
            asked_to_wait: HashMap::new(),
            faults: Faults::new(config.faults, config.retry_after),
            ledger: Ledger::default(),
            config,
        }
    }

    /// The fault of a request that comes with `access_token`, if it has one.
    pub(super) fn next_fault(
        &mut self,
        endpoint: super::Endpoint,
        access_token: Option<&str>,
    ) -> Option<super::Fault> {
        let in_use = access_token
            .and_then(|token| self.access_tokens.get(token))
            .is_some_and(|token| token.used);
        let fault = self.faults.next(endpoint, in_use, &mut self.rng)?;
        *self.ledger.faults.entry(fault.name()).or_default() += 1;
        Some(fault)
    }

    /// Notes a request about a dataset, which may come too early.
    pub(super) fn note_request(&mut self, about: Option<&str>) {
        self.ledger.requests += 1;
        let requested = about.and_then(|about| self.asked_to_wait.remove(about));
        self.ledger.early_requests +=
            u64::from(requested.is_some_and(|until| Instant::now() < until));
    }

    /// Remembers that the client of a dataset was asked to wait.
    pub(super) fn ask_to_wait(&mut self, about: Option<&str>, delay: Duration) {
        // What has passed need not be remembered longer.
        if self.asked_to_wait.len() == self.asked_to_wait.capacity() {
            self.asked_to_wait.retain(|_, until| Instant::now() < *until);
        }
        if let Some(about) = about {
            self.asked_to_wait.insert(about.to_owned(), Instant::now() + delay);
        }
    }

    pub(super) fn revoke(&mut self, access_token: &str) {
        self.access_tokens.remove(access_token);
    }

    /// `POST /connect/token`.
    pub(super) fn token(&mut self, authorization: &str, content_type: &str, body: &str) -> Reply {
        let credentials = &self.config.credentials;
        let secret: String =
            form_urlencoded::byte_serialize(credentials.client_secret.as_bytes()).collect();
        let expected = STANDARD.encode(format!("{}:{secret}", credentials.client_id));
        if authorization.strip_prefix("Basic ") != Some(expected.as_str()) {
            self.ledger.unauthorized += 1;
            return Reply::json(401, &json!({ "error": "invalid_client" }));
        }
        if content_type != "application/x-www-form-urlencoded" {
            return Reply::json(400, &json!({ "error": "invalid_request" }));
        }
        let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
        if form.iter().all(|(key, value)| key != "grant_type" || value != "client_credentials") {
            return Reply::json(400, &json!({ "error": "unsupported_grant_type" }));
        }
        if form.iter().all(|(key, value)| key != "scope" || value != "platform_upload_api") {
            return Reply::json(400, &json!({ "error": "invalid_scope" }));
        }
        let now = Instant::now();
        self.access_tokens.retain(|_, token| now < token.expires);
        let token = format!("{:032x}", self.rng.u128(..));
        let lifetime = self.config.token_lifetime;
        self.access_tokens
            .insert(token.clone(), AccessToken { expires: now + lifetime, used: false });
        self.ledger.tokens_issued += 1;
        let expires_in = lifetime.as_secs();
        Reply::json(
            200,
            &json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in }),
        )
    }

    /// Whether a request may pass; notes that the token is in use.
    pub(super) fn authorize(&mut self, access_token: Option<&str>) -> Result<(), Reply> {
        let known = access_token
            .and_then(|token| self.access_tokens.get_mut(token))
            .filter(|token| Instant::now() < token.expires);
        let Some(token) = known else {
            self.ledger.unauthorized += 1;
            return Err(Reply::text(401, "unauthorized"));
        };
        token.used = true;
        Ok(())
    }

    /// `POST /upload/UploadData`, with none if it is not an upload. The answer may get lost on the
    /// way.
    pub(super) fn upload(&mut self, upload: Option<&UploadData>, answer_lost: bool) -> Reply {
        let strange = || Reply::text(400, "not an upload: check the fields and the content type");
        let checked = upload.ok_or_else(strange).and_then(|upload| {
            let overwrite = self.check_upload(upload)?;
            Ok((upload, overwrite))
        });
        match checked {
            Ok((upload, overwrite)) => self.store(upload, overwrite, answer_lost),
            Err(reply) => {
                self.ledger.uploads_refused += 1;
                reply
            }
        }
    }

    fn check_upload(&mut self, upload: &UploadData) -> Result<bool, Reply> {
        let overwrite = match &upload.overwrite {
            serde_json::Value::Null => false,
            serde_json::Value::Bool(overwrite) => *overwrite,
            serde_json::Value::String(text) if text == "true" => true,
            serde_json::Value::String(text) if text == "false" => false,
            _ => return Err(Reply::text(400, "Overwrite must be true or false")),
        };
        if upload.key != self.config.credentials.api_key {
            return Err(Reply::text(403, "unknown key"));
        }
        if upload.username != self.config.credentials.client_id {
            return Err(Reply::text(400, "Username does not match the client"));
        }
        if upload.name.is_empty() || upload.data.trim().is_empty() {
            return Err(Reply::text(422, "Name and Data are required"));
        }
        if self.jobs.has_name(&upload.name) && !overwrite {
            self.ledger.names.entry(upload.name.clone()).or_default().refused_exists += 1;
            let text = format!("a dataset named {} already exists", upload.name);
            return Err(Reply::text(409, text));
        }
        Ok(overwrite)
    }

    fn store(&mut self, upload: &UploadData, overwrite: bool, answer_lost: bool) -> Reply {
        for name in self.jobs.forget(self.config.memory) {
            self.ledger.forget(&name);
        }
        let token = self.uuid(&upload.name);
        let verdict = judge(&upload.name, &upload.data, upload.event_data.as_deref());
        let ready_at = Instant::now() + self.config.processing.time(&mut self.rng);
        let job = Job { name: upload.name.clone(), ready_at, verdict };
        self.jobs.insert(token.clone(), job);
        let accepted = AcceptedUpload {
            overwrite,
            processing_token: token.clone(),
            answer_lost,
            data_bytes: upload.data.len() as u64,
        };
        self.ledger.names.entry(upload.name.clone()).or_default().accepted.push(accepted);
        Reply { stored: Some((upload.name.clone(), token.clone())), ..self.status(&token) }
    }

    /// `GET /upload/GetResults`.
    pub(super) fn results(&mut self, query: &ResultsQuery) -> Reply {
        if query.is_strange {
            return Reply::text(400, "token, dataKey and key are required, once each");
        }
        if query.key != self.config.credentials.api_key {
            return Reply::text(403, "unknown key");
        }
        let Some(job) = self.jobs.get(&query.token) else {
            return Reply::text(404, "unknown token");
        };
        let ready = job.ready_at <= Instant::now();
        let entry = self.ledger.names.entry(job.name.clone()).or_default();
        if query.data_key == "status" {
            let status = match (ready, &job.verdict) {
                (false, _) if entry.polls_before_ready == 0 => "Submitted",
                (false, _) => "Processing",
                (true, ValidationResult::Results(_)) => "CompletedSuccessfully",
                (true, ValidationResult::Feedback(_)) => "CompletedWithErrors",
            };
            entry.polls_before_ready += u64::from(!ready);
            entry.polls_after_ready += u64::from(ready);
            return self.status(status);
        }
        if !ready {
            return Reply::text(409, "not ready");
        }
        entry.results_fetched += 1;
        match (&job.verdict, query.data_key.as_str()) {
            (ValidationResult::Feedback(feedback), "feedback") => {
                Reply::text(200, feedback.clone())
            }
            (ValidationResult::Results(_), "feedback") => Reply::text(200, ""),
            (ValidationResult::Results(table), "tableofresultids") => {
                Reply::of(200, "text/csv", table.clone())
            }
            (ValidationResult::Results(table), key) => {
                Reply::json(200, &json!({ "key": key, "rows": table.lines().count() - 1 }))
            }
            (ValidationResult::Feedback(_), _) => Reply::text(409, "the dataset was rejected"),
        }
    }

    fn status(&self, status: &str) -> Reply {
        if self.config.quoted { Reply::json(200, &json!(status)) } else { Reply::text(200, status) }
    }

    /// Depends on the Name, too: after a restart with the same seed no old token may stand for
    /// another dataset.
    fn uuid(&mut self, name: &str) -> String {
        let hex = format!("{:016x}{:016x}", self.rng.u64(..), self.rng.u64(..) ^ hash(name));
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        parts.join("-")
    }
}
