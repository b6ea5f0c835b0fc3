//! `ferry audit`: verifies the audit log.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::error::{CliError, Exit};
use super::ui::Ui;
use crate::audit::{Finding, Verification, verify};
use crate::config::Config;
use crate::words;

/// Verify that no record of the audit log was changed or removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry audit verify
  ferry audit verify audit-2026-10.jsonl audit-2026-11.jsonl audit.jsonl
Each record has the hash of the one before it. A log that was moved away is continued in a new file:
name both, the older one first. Note the last hash elsewhere, and give it with --known next time:
who may write the file could replace all of it.

Exit codes: 0 the chain is whole; 1 records were changed, removed or put in; 2 a file cannot be
read.")]
pub(super) struct AuditCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Verify the chain of records.
    Verify {
        /// The files, oldest first [default: the setting `audit_log`].
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// A hash that was noted earlier: it must be that of a record.
        #[arg(long, value_name = "HASH")]
        known: Option<String>,
    },
}

impl AuditCommand {
    pub(super) fn run(self, config: &Config, ui: &Ui) -> Result<Exit, CliError> {
        let Action::Verify { mut files, known } = self.action;
        if files.is_empty() {
            files.extend(config.audit_log.clone());
        }
        if files.is_empty() {
            let what = "no audit log is configured, and no file is named".to_owned();
            return Err(CliError::usage(what).hint("name one, or set `audit_log`"));
        }
        for file in &files {
            std::fs::File::open(file).map_err(|error| {
                let what = format!("cannot read the audit log `{}`", file.display());
                CliError::new(Exit::Usage, anyhow::Error::new(error).context(what))
            })?;
        }
        let found = verify(&files, known.as_deref()).map_err(|error| {
            CliError::new(Exit::Usage, anyhow::Error::new(error).context("cannot verify"))
        })?;
        let is_whole = found.violations == 0;
        if ui.json {
            let mut object = json!(found);
            object["intact"] = is_whole.into();
            ui.object(&object)?;
        } else {
            summary(&found).into_iter().try_for_each(|line| ui.out(line))?;
        }
        Ok(if is_whole { Exit::Done } else { Exit::Failed })
    }
}

fn summary(found: &Verification) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(found.problems.iter().map(|finding| line("violation", finding)));
    lines.extend(found.interrupted.iter().map(|finding| line("note", finding)));
    let unfinished = found.unfinished.iter().map(|finding| line("no outcome", finding));
    lines.extend(unfinished);
    let (Some(first), Some(last)) = (found.first, &found.last) else {
        lines.push("there is no record".to_owned());
        return lines;
    };
    if first > 1 {
        lines.push(format!("records 1 to {} are in older files, or were deleted", first - 1));
    }
    let records = words::counted(found.records, "record");
    let verdict = match found.violations {
        0 => "the chain is whole".to_owned(),
        count => words::counted(count, "violation"),
    };
    lines.push(format!("{records}, numbers {first} to {}: {verdict}", last.n));
    lines.push(format!("last hash: {}", last.hash));
    lines
}

fn line(kind: &str, Finding { file, line, what }: &Finding) -> String {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    format!("{kind}: {}{line}: {what}", file.display())
}
