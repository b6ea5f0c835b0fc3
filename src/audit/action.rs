//! An action of an operator, in the log of the process.

use serde::Serialize;
use tracing::info;

use crate::telemetry::AUDIT;

/// The longest text in a record, in bytes, as JSON writes it: it has to stay a line.
const LONGEST_TEXT: usize = 500;

/// An action of an operator.
#[derive(Debug, Clone, Serialize)]
pub struct AuditAction {
    /// The name of an API key, or the user of the operating system.
    pub actor: String,
    /// `api`, `console` or `cli`.
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

impl AuditAction {
    /// With texts that fit into a record.
    pub(super) fn bounded(&self) -> Self {
        let details = self.details.as_deref().map(cut);
        Self { action: cut(&self.action), details, ..self.clone() }
    }

    /// Logs it, with the hash of its record.
    pub(super) fn log(&self, outcome: &str, hash: Option<&str>) {
        let Self { actor, action, details, client, request, .. } = self;
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

/// The beginning of a text, as much as fits into a record.
pub(super) fn cut(text: &str) -> String {
    let mut room = LONGEST_TEXT;
    let fits = |next: &char| {
        let bytes =
            if next.is_control() || matches!(next, '"' | '\\') { 6 } else { next.len_utf8() };
        let left = room.checked_sub(bytes);
        room = left.unwrap_or_default();
        left.is_some()
    };
    text.chars().take_while(fits).collect()
}
