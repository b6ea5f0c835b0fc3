//! The audit log: which operator did what to submissions, accounts and keys, in the log and, if
//! configured, in a file of its own.

mod chain;
mod file;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tracing::{error, info};

use crate::telemetry::AUDIT;
use chain::{Phase, Record};
use ferry_types::domain::Timestamp;
use file::AuditFile;

pub use chain::Head;
pub use verify::{Finding, Verification, verify};

/// The most characters of a text in a record: it has to stay a line.
const LONGEST_TEXT: usize = 500;

/// The audit log.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    file: Option<Arc<AuditFile>>,
}

/// An action of an operator.
#[derive(Debug, Clone, Serialize)]
pub struct AuditAction {
    /// The name of an API key, or the user of the operating system.
    pub actor: String,
    /// `api` or `cli`.
    pub via: &'static str,
    /// The request or the command, with the canonical id of its submission; no secret.
    pub action: String,
    /// The decision, the reason or the role that came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The address that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// The file cannot be appended to.
#[derive(Debug, thiserror::Error)]
#[error("cannot append to the audit log `{}`", path.display())]
pub struct AuditError {
    path: PathBuf,
    source: io::Error,
}

impl Audit {
    /// With this file.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file: file.map(|path| Arc::new(AuditFile::new(path))) }
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_deref().map(AuditFile::path)
    }

    /// Checks that the file can be written to.
    pub fn check(&self) -> Result<(), AuditError> {
        let Some(file) = &self.file else { return Ok(()) };
        file.check().map_err(|source| failed(file, source))
    }

    /// Records what is about to be done, durably. Returns the number of the record, which its outcome
    /// names; without a file there is none. Blocks.
    pub fn intend(&self, action: &AuditAction, at: Timestamp) -> Result<Option<u64>, AuditError> {
        let action = action.bounded();
        let head = self.append(&Record::new(Phase::Intent, &action, at))?;
        action.log("intent", head.as_ref());
        Ok(head.map(|head| head.n))
    }

    /// Records the outcome of what was intended under this number, or was never begun. Blocks.
    pub fn conclude(
        &self,
        action: &AuditAction,
        intent: Option<u64>,
        outcome: &str,
        at: Timestamp,
    ) {
        let (action, outcome) = (action.bounded(), cut(outcome));
        let record = Record::new(Phase::Outcome, &action, at);
        let head = self.append(&record.with_outcome(intent, &outcome)).unwrap_or_else(|error| {
            error!(error = %error.source, "{error}");
            None
        });
        action.log(&outcome, head.as_ref());
    }

    fn append(&self, record: &Record<'_>) -> Result<Option<Head>, AuditError> {
        let Some(file) = &self.file else { return Ok(None) };
        file.append(record).map(Some).map_err(|source| failed(file, source))
    }
}

impl AuditAction {
    fn bounded(&self) -> Self {
        let details = self.details.as_deref().map(cut);
        Self { action: cut(&self.action), details, ..self.clone() }
    }

    fn log(&self, outcome: &str, head: Option<&Head>) {
        let Self { actor, action, details, client, request, .. } = self;
        let hash = head.map(|head| head.hash.as_str());
        info!(
            target: AUDIT,
            {
                audit.actor = actor, audit.action = action, audit.details = details,
                audit.client = client, audit.outcome = outcome, audit.hash = hash,
                request.id = request
            },
            "`{actor}` called `{action}`: {outcome}"
        );
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

fn failed(file: &AuditFile, source: io::Error) -> AuditError {
    AuditError { path: file.path().to_owned(), source }
}
