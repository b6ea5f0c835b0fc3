//! One set of Platform credentials, and the forms that this Platform expects.

use std::time::Duration;

use reqwest::Url;

use super::status_map::StatusMap;
use super::url::{Query, base_url};
use crate::secret::Secret;
use ferry_client::http::Authorities;
use ferry_types::closed_set;
use ferry_types::domain::limits::AccountLimits;

/// One set of Platform credentials. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// The short name that submissions have.
    pub name: String,
    /// URL of the token endpoint.
    pub token_url: String,
    /// The Upload API; `UploadData` and `GetResults` follow it.
    pub api_url: String,
    /// The client id, which is also the `Username`.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// The API key.
    pub api_key: Secret,
    /// Form of `Overwrite`.
    pub overwrite_format: OverwriteFormat,
    /// Meaning of the status words.
    pub status_map: StatusMap,
    /// Limits of its use of the Platform.
    pub account_limits: AccountLimits,
}

closed_set! {
    /// Form of `Overwrite`: the field is documented as a boolean, and every example sends a string.
    #[derive(Default)]
    pub enum OverwriteFormat: "format" {
        /// `"true"` and `"false"`.
        #[default]
        Strings = "strings",
        /// `true` and `false`.
        Booleans = "booleans",
    }
}

/// Limits of a request.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For a whole request, with the body of its response.
    pub request_timeout: Duration,
    /// For retries of 401 and 403 that do not say that the credentials are denied.
    pub denied_timeout: Duration,
    /// Certificate authorities to trust beside those of the machine.
    pub authorities: Authorities,
    /// The largest result or feedback that is read, in bytes.
    pub max_response_bytes: u64,
}

/// An account that no client can be made for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("account `{account}`: {what}")]
pub struct InvalidAccountError {
    account: String,
    what: String,
}

impl InvalidAccountError {
    pub(super) fn new(account: &AccountConfig, what: String) -> Self {
        Self { account: account.name.clone(), what }
    }
}

impl AccountConfig {
    pub(super) fn token_url(&self) -> Result<Url, String> {
        base_url(&self.token_url, Query::Allowed).map_err(|what| format!("`token_url`: {what}"))
    }

    pub(super) fn api_url(&self) -> Result<Url, String> {
        base_url(&self.api_url, Query::Forbidden).map_err(|what| format!("`api_url`: {what}"))
    }
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
