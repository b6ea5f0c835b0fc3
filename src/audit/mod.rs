//! The audit log: which operator did what to submissions, accounts and keys, in the log and, if
//! configured, in a file of its own.

mod action;
mod chain;
mod file;
mod newest;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::error;

use action::cut;
use chain::{Phase, Record};
use ferry_types::domain::Timestamp;
use file::AuditFile;

pub use action::AuditAction;
pub use chain::Head;
pub use newest::{NewestRecords, newest_records};
pub use verify::{Finding, Verification, verify};

/// The audit log.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    file: Option<Arc<AuditFile>>,
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
        action.log("intent", head.as_ref().map(|head| &*head.hash));
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
        action.log(&outcome, head.as_ref().map(|head| &*head.hash));
    }

    fn append(&self, record: &Record<'_>) -> Result<Option<Head>, AuditError> {
        let Some(file) = &self.file else { return Ok(None) };
        file.append(record).map(Some).map_err(|source| failed(file, source))
    }
}

fn failed(file: &AuditFile, source: io::Error) -> AuditError {
    AuditError { path: file.path().to_owned(), source }
}
