//! Records of the audit log: each has its number, the hash of the one before it, and its own.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::action::AuditAction;
use ferry_types::domain::{Timestamp, escape_json};

/// Stands before the hash of a record, which is the end of its line.
const HASH: &str = ",\"hash\":\"";

/// The newest record of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number; the first one has 1.
    pub n: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub hash: String,
}

impl Head {
    /// Before the first record.
    pub(super) fn genesis() -> Self {
        Self { n: 0, hash: "0".repeat(64) }
    }
}

/// Part of an action that a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// It is about to begin.
    Intent,
    /// It ended, or was not begun.
    Outcome,
}

/// A record that is not yet in a chain.
#[derive(Debug, Serialize)]
pub(super) struct Record<'a> {
    at: Timestamp,
    phase: Phase,
    #[serde(flatten)]
    action: &'a AuditAction,
    /// The number of the record of the intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
}

impl<'a> Record<'a> {
    pub(super) fn new(phase: Phase, action: &'a AuditAction, at: Timestamp) -> Self {
        Self { at, phase, action, intent: None, outcome: None }
    }

    pub(super) fn with_outcome(self, intent: Option<u64>, outcome: &'a str) -> Self {
        Self { intent, outcome: Some(outcome), ..self }
    }

    /// The record as JSON.
    pub(super) fn text(&self) -> serde_json::Result<String> {
        // The log is read on terminals, too.
        serde_json::to_string(self).map(|text| escape_json(&text))
    }
}

/// The line of a record, given as JSON, behind `head`, and the head that it makes.
pub(super) fn link(record: &str, head: &Head) -> (String, Head) {
    let n = head.n.saturating_add(1);
    let fields = record.strip_prefix('{').and_then(|record| record.strip_suffix('}'));
    let fields = fields.unwrap_or(record);
    let open = format!("{{\"n\":{n},{fields},\"prev\":\"{}\"", head.hash);
    let hash = hash(&format!("{open}}}"));
    (format!("{open}{HASH}{hash}\"}}\n"), Head { n, hash })
}

/// The links of a record that was read.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) n: u64,
    pub(super) at: Timestamp,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) phase: Phase,
    pub(super) intent: Option<u64>,
    pub(super) prev: String,
    pub(super) hash: String,
}

impl Link {
    /// The links of a line without its end; `None` if it is no record.
    pub(super) fn of(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// True if the line is as it was written: its hash is that of its text.
    pub(super) fn is_intact(&self, line: &str) -> bool {
        line.rsplit_once(HASH).is_some_and(|(open, end)| {
            let is_hash = end.strip_suffix("\"}") == Some(&self.hash);
            is_hash && hash(&format!("{open}}}")) == self.hash
        })
    }

    pub(super) fn head(&self) -> Head {
        Head { n: self.n, hash: self.hash.clone() }
    }
}

fn hash(text: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}
