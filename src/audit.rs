//! The audit log: which operator did what to submissions, accounts and keys, in the log and, if
//! configured, in a file of its own.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tracing::{error, info};

use crate::telemetry::AUDIT;
use ferry_types::domain::Timestamp;

/// The audit log.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    file: Option<PathBuf>,
}

/// An action of an operator.
#[derive(Debug, Clone, Serialize)]
pub struct AuditRecord<'a> {
    /// The time.
    pub at: Timestamp,
    /// The name of an API key, or the user of the operating system.
    pub actor: &'a str,
    /// `api` or `cli`.
    pub via: &'static str,
    /// The call; no secret.
    pub action: &'a str,
    /// The address that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The result.
    pub outcome: &'a str,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<&'a str>,
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
        Self { file }
    }

    /// Checks that the file can be written to; to be called before an action.
    pub fn check(&self) -> Result<(), AuditError> {
        let Some(path) = &self.file else { return Ok(()) };
        appending(path).map(drop).map_err(|source| AuditError { path: path.clone(), source })
    }

    /// Records an action that was done.
    pub fn record(&self, record: &AuditRecord<'_>) {
        let AuditRecord { actor, action, client, outcome, request, .. } = record;
        info!(
            target: AUDIT,
            {
                audit.actor = actor, audit.action = action, audit.client = client, audit.outcome = outcome,
                request.id = request
            },
            "`{actor}` called `{action}`: {outcome}"
        );
        let Some(path) = &self.file else { return };
        let line = serde_json::to_string(record).map_err(io::Error::from);
        // It is opened each time, so that it can be moved away; a line is written at once.
        let written = line.and_then(|line| appending(path)?.write_all((line + "\n").as_bytes()));
        if let Err(error) = written {
            error!(%error, "cannot append to the audit log `{}`", path.display());
        }
    }
}

fn appending(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
