//! The bodies about keys, the audit log, checks and settings of a server.

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// An API key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeyView {
    /// Its name.
    pub name: String,
    /// The role: `read`, `submit` or `operate`.
    pub role: String,
    /// The only accounts that it sees; null if it sees all.
    pub accounts: Option<Vec<String>>,
    /// Time of its creation.
    pub created_at: Timestamp,
}

/// The API keys of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysView {
    /// The keys, in the order of the file.
    pub keys: Vec<KeyView>,
}

/// An API key to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Its unique name.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub name: String,
    /// The role.
    #[schemars(regex(pattern = r"^(read|submit|operate)$"))]
    pub role: String,
    /// The only accounts that it sees; all if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = r"^[a-z0-9_-]{1,64}$")))]
    pub accounts: Vec<String>,
}

/// An API key that was created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CreatedKeyView {
    /// Its name.
    pub name: String,
    /// The role.
    pub role: String,
    /// The only accounts that it sees; null if it sees all.
    pub accounts: Option<Vec<String>>,
    /// The key itself, which is not shown again.
    pub key: String,
}

impl std::fmt::Debug for CreatedKeyView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, role, accounts, key: _ } = self;
        let mut shown = f.debug_struct("CreatedKeyView");
        shown.field("name", name).field("role", role).field("accounts", accounts);
        shown.finish_non_exhaustive()
    }
}

/// An API key that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RevokedKeyView {
    /// Its name.
    pub name: String,
}

/// A record of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditRecordView {
    /// Its number.
    pub n: u64,
    /// Its time.
    pub at: Timestamp,
    /// `intent`, before anything was done, or `outcome`.
    pub phase: String,
    /// The name of an API key, or the user of the operating system.
    pub actor: String,
    /// `api`, `console` or `cli`.
    pub via: String,
    /// The request or the command.
    pub action: String,
    /// The decision, the reason or the role that came with it.
    #[serde(default)]
    pub details: Option<String>,
    /// The address that it came from.
    #[serde(default)]
    pub client: Option<String>,
    /// The id of the request.
    #[serde(default)]
    pub request: Option<String>,
    /// The number of the record of the intent.
    #[serde(default)]
    pub intent: Option<u64>,
    /// The outcome.
    #[serde(default)]
    pub outcome: Option<String>,
}

/// A part of the audit log of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditView {
    /// The records that match, the newest first.
    pub records: Vec<AuditRecordView>,
    /// Number of lines among them that are no records; `ferry audit verify` names them.
    pub unreadable: u64,
    /// Send it as `cursor` to continue; null at the beginning of the log.
    pub next_cursor: Option<String>,
}

/// A check of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CheckView {
    /// True if all is well.
    pub ok: bool,
    /// Subject and finding.
    pub text: String,
    /// The way out; null if none is needed.
    pub hint: Option<String>,
}

/// The checks of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChecksView {
    /// Version of Ferry.
    pub version: String,
    /// True if all checks passed.
    pub ok: bool,
    /// Time at which those of the store were made: of a large one they take long, and count for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_checked_at: Option<Timestamp>,
    /// The checks.
    pub checks: Vec<CheckView>,
}

/// A setting in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SettingView {
    /// The account, of a setting of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value, without passwords of URLs; null if it is secret, or its file may be.
    pub value: Option<String>,
    /// Its source: `default`, `file`, `environment` or `flag`.
    pub source: String,
    /// Place of the source: the file and line, the variable, or the flag; null of a default.
    #[serde(default)]
    pub location: Option<String>,
}

/// The settings of the server, in effect since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SettingsView {
    /// The settings, those of accounts behind the others.
    pub settings: Vec<SettingView>,
}
