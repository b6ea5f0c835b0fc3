//! One set of Platform credentials, and how that Platform likes to be spoken to.

use std::time::Duration;

use super::status_map::StatusMap;
use crate::http_client::Authorities;
use crate::secret::Secret;
use ferry_types::domain::limits::AccountLimits;

/// One set of Platform credentials. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// The short name that submissions carry.
    pub name: String,
    /// Where tokens come from.
    pub token_url: String,
    /// The Upload API; `UploadData` and `GetResults` follow it.
    pub api_url: String,
    /// The client id, which is also the `Username`.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// The API key.
    pub api_key: Secret,
    /// How `Overwrite` is sent.
    pub overwrite_format: OverwriteFormat,
    /// What the status words mean.
    pub status_map: StatusMap,
    /// How much of the Platform it may use.
    pub account_limits: AccountLimits,
}

/// How `Overwrite` is sent: the field is documented as a boolean, and every example sends a string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OverwriteFormat {
    /// `"true"` and `"false"`.
    #[default]
    Strings,
    /// `true` and `false`.
    Booleans,
}

/// What a call may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For a whole call, the answer's body included.
    pub request_timeout: Duration,
    /// How long 401 and 403 are retried that do not say that the credentials are at fault.
    pub denied_timeout: Duration,
    /// Certificate authorities to trust beside those of the machine.
    pub authorities: Authorities,
    /// The largest result or feedback that is read, in bytes.
    pub max_response_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(2),
            denied_timeout: Duration::from_mins(1),
            authorities: Authorities::default(),
            max_response_bytes: 64 << 20,
        }
    }
}
