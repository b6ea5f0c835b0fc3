//! The calls of the Upload API for one account.

use std::fmt;
use std::sync::Arc;

use reqwest::Url;
use secrecy::ExposeSecret;
use tracing::warn;

use super::access_log::AccessLog;
use super::account::{AccountConfig, InvalidAccountError, Limits};
use super::authorized::{AuthorizedRequests, Scope};
use super::check::{ApiCheck, NO_SUCH, PATHS, judge, lost_response, may_be_of_any_path, no_access};
use super::denial_limit::DenialLimit;
use super::endpoint::{FEEDBACK, RESULTS, SHORT, STATUS, UPLOAD};
use super::exchange::Exchange;
use super::guard::{RequestError, RequestGuard, Unguarded};
use super::metrics::Direction;
use super::observed::Observer;
use super::response::{Pages, PlatformResponse};
use super::scrub::Scrubber;
use super::secrets::Secrets;
use super::shape::status_word;
use super::token_endpoint::TokenEndpoint;
use super::token_shape::bare_uuid;
use super::tokens::Tokens;
use super::upload::Upload;
use super::url::{below, is_loopback};
use super::wire::{Connection, TransportError, WireRequest, Wires};
use crate::metrics::Metrics;
use ferry_types::clock::{Clock, MonotonicClock};
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::outcome::{AcceptedUpload, Content, PlatformError, Status};

/// Maximum length of an unknown status that is shown, in characters.
const SHOWN: usize = 64;

/// The parts of a client of the Platform.
#[derive(Debug)]
pub struct PlatformParts {
    /// The account that it has the credentials of.
    pub account: AccountConfig,
    /// The limits of each request.
    pub limits: Limits,
    /// The ways to its servers.
    pub wires: Wires,
    /// For responses that name a date and not what time it is, and for metrics.
    pub clock: Arc<dyn Clock>,
    /// For the lifetime of tokens.
    pub monotonic: Arc<dyn MonotonicClock>,
    /// Counts requests and tokens.
    pub metrics: Arc<Metrics>,
}

/// The Platform as one account sees it, with one token for all requests.
pub struct Platform {
    account: AccountConfig,
    limits: Limits,
    api_url: Url,
    requests: AuthorizedRequests,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("account", &self.account.name).finish_non_exhaustive()
    }
}

impl Platform {
    /// A client for an account.
    pub fn new(parts: PlatformParts) -> Result<Self, InvalidAccountError> {
        let PlatformParts { account, limits, wires, clock, monotonic, metrics } = parts;
        let (token_url, api_url) = checked_urls(&account)?;
        let scrubber = Scrubber::new(&account);
        let observer = Observer {
            account: account.name.as_str().into(),
            metrics: metrics.of(),
            payloads: metrics.of(),
            clock: clock.clone(),
            monotonic: monotonic.clone(),
            access: AccessLog::default(),
        };
        let secrets = Arc::new(Secrets::new(&account, scrubber.clone()));
        let exchange =
            |wire| Exchange { wire, scrubber: scrubber.clone(), observer: observer.clone() };
        let tokens = Tokens::new(TokenEndpoint {
            url: token_url,
            exchange: exchange(wires.tokens),
            secrets: secrets.clone(),
            denials: DenialLimit::new(limits.denied_timeout),
            clock: clock.clone(),
            monotonic: monotonic.clone(),
        });
        let requests = AuthorizedRequests {
            exchange: exchange(wires.api),
            tokens,
            secrets,
            denials: [(); 2].map(|()| DenialLimit::new(limits.denied_timeout)),
            monotonic,
        };
        Ok(Self { account, limits, api_url, requests, clock })
    }

    /// The short name of the account.
    pub fn account(&self) -> &str {
        &self.account.name
    }

    /// The record of its last token and denial.
    pub fn access(&self) -> &AccessLog {
        &self.requests.exchange.observer.access
    }

    /// Limits of the account's use of the Platform.
    pub fn account_limits(&self) -> AccountLimits {
        self.account.account_limits
    }

    /// Uploads a dataset.
    pub async fn upload(
        &self,
        upload: Upload<'_>,
        guard: &dyn RequestGuard,
    ) -> Result<AcceptedUpload, RequestError> {
        let url = below(&self.api_url, "UploadData");
        let rows = [upload.data, upload.event_data.unwrap_or_default()];
        // One that may overwrite is sent again without harm.
        let connection = if upload.overwrite { Connection::Any } else { Connection::New };
        let request = || {
            let body = upload.body(&self.account, self.requests.secrets.api_key().expose_secret());
            WireRequest::post(url.clone(), "application/json", body, SHORT).on(connection)
        };
        let response =
            self.requests.send(UPLOAD, &rows, Scope::Account, guard, request).await?.map_err(
                |error| match error {
                    TransportError::NotSent(why) => PlatformError::Unsent(why),
                    TransportError::NoResponse(why) => PlatformError::Ambiguous(why),
                    TransportError::TimedOut(why) => PlatformError::TimedOut(why),
                    // It was accepted, and the processing token is lost: another upload would not show it.
                    TransportError::CutShort(why) | TransportError::Unreadable(why) => {
                        PlatformError::Unreadable(why)
                    }
                    TransportError::TooLarge => PlatformError::Unreadable(format!(
                        "{UPLOAD}: the response is longer than {SHORT} bytes"
                    )),
                },
            )?;
        if response.status.is_success() {
            let bytes = rows.iter().map(|rows| rows.len() as u64).sum();
            self.requests.exchange.observer.payload(Direction::Uploaded, bytes);
        }
        Ok(response.into_accepted(self.scrubber(), &rows, self.clock.now())?)
    }

    /// Requests the status of a dataset.
    pub async fn status(
        &self,
        processing_token: &str,
        guard: &dyn RequestGuard,
    ) -> Result<Status, RequestError> {
        let response = self.get(STATUS, processing_token, "status", Scope::Account, guard).await;
        let response = response.map_err(|error| match error {
            // Some page of a proxy: the next response may be a status again.
            RequestError::Platform(PlatformError::TooLarge { .. }) => PlatformError::Transient(
                format!("{STATUS}: the response is longer than {SHORT} bytes, and no status word"),
            )
            .into(),
            error => error,
        })?;
        let words = &self.account.status_map;
        let Some(value) = status_word(&response.text(), words) else {
            let shown = response.shown(self.scrubber(), &[]);
            let what = format!("{STATUS}: the response is not a status word: {shown}");
            return Err(PlatformError::Unreadable(what).into());
        };
        let shown = || self.scrubber().clean(&value.to_lowercase(), &[], SHOWN);
        Ok(match words.classify(&value) {
            Status::Done => Status::Done,
            Status::Failed { .. } => Status::Failed { status: shown() },
            Status::Pending { known, .. } => {
                let retry_after = response.retry_after(self.clock.now());
                Status::Pending { status: shown(), known, retry_after }
            }
        })
    }

    /// Fetches the feedback about a dataset.
    pub async fn feedback(
        &self,
        processing_token: &str,
        guard: &dyn RequestGuard,
    ) -> Result<Content, RequestError> {
        self.content(FEEDBACK, processing_token, "feedback", Scope::Account, guard).await
    }

    /// Fetches the result `key`; `has_others` says that another one of the dataset was fetched, so that a
    /// 403 is about this one alone.
    pub async fn result(
        &self,
        processing_token: &str,
        key: &str,
        has_others: bool,
        guard: &dyn RequestGuard,
    ) -> Result<Content, RequestError> {
        let scope = if has_others { Scope::OneResult } else { Scope::Account };
        self.content(RESULTS, processing_token, key, scope, guard).await
    }

    /// Gets a token, to see if the credentials work.
    pub async fn check_credentials(&self) -> Result<(), PlatformError> {
        Ok(self.requests.tokens.get(&Unguarded).await.map(drop)?)
    }

    /// Requests the status of a dataset that does not exist, to see if the Upload API responds.
    pub async fn check_api(&self) -> ApiCheck {
        let response = match self.check_path(PATHS[1]).await {
            Ok(Ok(response)) => response,
            Ok(Err(lost)) => return lost_response(lost),
            Err(error) => return no_access(&error.into()),
        };
        let words = &self.account.status_map;
        let mut around = Vec::new();
        if may_be_of_any_path(&response, words) {
            for path in PATHS {
                // A firewall may drop a path that it does not know: no response says nothing.
                around.extend(self.check_path(path).await.ok().and_then(Result::ok));
            }
        }
        judge(&response, &around, words, self.scrubber())
    }

    async fn check_path(
        &self,
        path: &str,
    ) -> Result<Result<PlatformResponse, TransportError>, RequestError> {
        let url = self.get_url(path, NO_SUCH, "status");
        let request = || WireRequest::get(url(), SHORT);
        self.requests.send(STATUS, &[], Scope::Account, &Unguarded, request).await
    }

    async fn content(
        &self,
        endpoint: &'static str,
        token: &str,
        key: &str,
        scope: Scope,
        guard: &dyn RequestGuard,
    ) -> Result<Content, RequestError> {
        let Content { content_type, bytes } =
            self.get(endpoint, token, key, scope, guard).await?.into_content();
        let content_type = content_type.map(|text| self.scrubber().without_secrets(text.into()));
        let content = Content {
            content_type: content_type.map(|text| String::from_utf8_lossy(&text).into_owned()),
            bytes: self.scrubber().without_secrets(bytes),
        };
        let bytes = content.bytes.len() as u64;
        self.requests.exchange.observer.payload(Direction::Fetched, bytes);
        Ok(content)
    }

    async fn get(
        &self,
        endpoint: &'static str,
        processing_token: &str,
        data_key: &str,
        scope: Scope,
        guard: &dyn RequestGuard,
    ) -> Result<PlatformResponse, RequestError> {
        let url = self.get_url("GetResults", processing_token, data_key);
        match (self.get_at(endpoint, url, scope, guard).await, bare_uuid(processing_token)) {
            // Some servers know a UUID only without what they write around it.
            (Err(RequestError::Platform(PlatformError::UnknownToken)), Some(bare))
                if bare != processing_token =>
            {
                let url = self.get_url("GetResults", bare, data_key);
                self.get_at(endpoint, url, scope, guard).await
            }
            (response, _) => response,
        }
    }

    async fn get_at(
        &self,
        endpoint: &'static str,
        url: impl Fn() -> Url + Send + Sync,
        scope: Scope,
        guard: &dyn RequestGuard,
    ) -> Result<PlatformResponse, RequestError> {
        let (limit, pages) = match endpoint {
            STATUS => (SHORT, Pages::Never),
            RESULTS => (self.limits.max_response_bytes, Pages::IfDeclaredOtherwise),
            _ => (self.limits.max_response_bytes, Pages::Never),
        };
        let request = || WireRequest::get(url(), limit);
        let response =
            self.requests.send(endpoint, &[], scope, guard, request).await?.map_err(|error| {
                match error {
                    TransportError::TooLarge => PlatformError::TooLarge { endpoint, limit },
                    TransportError::NotSent(why) => PlatformError::Unsent(why),
                    TransportError::Unreadable(why) => PlatformError::Unreadable(why),
                    TransportError::NoResponse(what) | TransportError::TimedOut(what)
                        if endpoint != STATUS =>
                    {
                        PlatformError::Declined { may_be_outage: true, what }
                    }
                    TransportError::CutShort(what) if endpoint != STATUS => {
                        PlatformError::Declined { may_be_outage: false, what }
                    }
                    TransportError::NoResponse(why)
                    | TransportError::TimedOut(why)
                    | TransportError::CutShort(why) => PlatformError::Transient(why),
                }
            })?;
        Ok(response.into_found(pages, self.scrubber(), self.clock.now())?)
    }

    /// Makes the URL of what is requested, with the API key as it is by then.
    fn get_url(&self, path: &str, processing_token: &str, data_key: &str) -> impl Fn() -> Url {
        let mut url = below(&self.api_url, path);
        url.query_pairs_mut()
            .append_pair("token", processing_token)
            .append_pair("dataKey", data_key);
        move || {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair("key", self.requests.secrets.api_key().expose_secret());
            url
        }
    }

    fn scrubber(&self) -> &Scrubber {
        &self.requests.exchange.scrubber
    }
}

/// The URLs of the token endpoint and of the Upload API, if the account can be used.
fn checked_urls(account: &AccountConfig) -> Result<(Url, Url), InvalidAccountError> {
    let invalid = |what: String| InvalidAccountError::new(account, what);
    let token_url = account.token_url().map_err(invalid)?;
    let api_url = account.api_url().map_err(invalid)?;
    if account.client_id.contains(':') {
        return Err(invalid("`client_id` must not hold a colon".to_owned()));
    }
    for (setting, url) in [("token_url", &token_url), ("api_url", &api_url)] {
        if url.scheme() == "http" && !is_loopback(url) {
            warn!(
                account = account.name,
                "`{setting}` begins with http://: secrets travel unencrypted"
            );
        }
    }
    Ok((token_url, api_url))
}
