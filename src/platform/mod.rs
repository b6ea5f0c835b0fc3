//! The client of the Platform's Upload API: it asks, and says in [`ferry_types::domain::outcome`]'s words
//! what the answer means. It knows nothing of stores and schedules.

mod account;
mod check;
mod coding;
mod fuzzed;
mod observed;
mod patience;
mod response;
mod scrub;
mod secrets;
mod shape;
mod status_map;
mod tokens;
mod wire;

pub use account::{AccountConfig, Limits, OverwriteFormat};
pub use check::ApiCheck;
#[doc(hidden)]
pub use fuzzed::read_response;
pub use status_map::StatusMap;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret;
use serde::Serialize;
use tracing::warn;

use crate::http_client::{ClientError, root_cause};
use crate::metrics::{Direction, Metrics};
use check::{NO_SUCH, judge, lost_answer, no_access};
use ferry_types::clock::Clock;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::outcome::{Content, PlatformError, Status};
use observed::Observer;
use patience::{Patience, denied};
use response::{Pages, PlatformResponse};
use scrub::Scrubber;
use secrets::Secrets;
use shape::status_word;
use tokens::{Token, Tokens};
use wire::{Query, TransportError};

/// The largest answer that is a word, a token or an error.
const SHORT: u64 = 64 << 10;

/// How much of an unknown status word is kept, in characters.
const WORD: usize = 64;

/// A fresh token that is refused is used again for so long at least.
const YOUNG: Duration = Duration::from_secs(2);

const UPLOAD: &str = "UploadData";
const STATUS: &str = "GetResults (status)";
const FEEDBACK: &str = "GetResults (feedback)";
const RESULTS: &str = "GetResults (results)";

/// A dataset as the Platform takes it.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Its `Name`.
    pub name: &'a str,
    /// Its `Data`.
    pub data: &'a str,
    /// Its `EventData`.
    pub event_data: Option<&'a str>,
    /// Its `Overwrite`.
    pub overwrite: bool,
}

/// An account that no client can be made for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("account `{account}`: {what}")]
pub struct InvalidAccountError {
    account: String,
    what: String,
}

/// The Platform as one account sees it: one pool of connections and one token for all calls.
pub struct Platform {
    account: AccountConfig,
    limits: Limits,
    http: Client,
    api_url: Url,
    tokens: Tokens,
    denials: Patience,
    secrets: Arc<Secrets>,
    scrubber: Scrubber,
    clock: Arc<dyn Clock>,
    observer: Observer,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("account", &self.account.name).finish_non_exhaustive()
    }
}

/// The body of `UploadData`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UploadBody<'a> {
    name: &'a str,
    data: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_data: Option<&'a str>,
    username: &'a str,
    key: &'a str,
    overwrite: Overwrite,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Overwrite {
    Text(&'static str),
    Boolean(bool),
}

/// Returns what is wrong with the URL of a service, if anything is.
pub fn check_url(text: &str) -> Result<(), String> {
    wire::base_url(text, Query::Forbidden).map(drop)
}

/// Returns what is wrong with the URL of a token endpoint, which may have a query.
pub fn check_token_url(text: &str) -> Result<(), String> {
    wire::base_url(text, Query::Allowed).map(drop)
}

impl Platform {
    /// A client for `account`, which counts in `metrics`. The clock serves only answers that name a
    /// date and do not say what time it is, and what is counted.
    pub fn new(
        account: AccountConfig,
        limits: Limits,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, InvalidAccountError> {
        let invalid = |what: String| InvalidAccountError { account: account.name.clone(), what };
        let token_url = wire::base_url(&account.token_url, Query::Allowed)
            .map_err(|what| invalid(format!("`token_url`: {what}")))?;
        let api_url = wire::base_url(&account.api_url, Query::Forbidden)
            .map_err(|what| invalid(format!("`api_url`: {what}")))?;
        if account.client_id.contains(':') {
            return Err(invalid("`client_id` must not hold a colon".to_owned()));
        }
        for (setting, url) in [("token_url", &token_url), ("api_url", &api_url)] {
            if url.scheme() == "http" && !wire::is_loopback(url) {
                warn!(
                    account = account.name,
                    "`{setting}` begins with http://: secrets travel unencrypted"
                );
            }
        }
        let no_client = |error: ClientError| {
            let cause = root_cause(&error);
            invalid(format!("{error}: {cause} (`platform_ca` names certificates to trust)"))
        };
        let http = wire::client(&limits, &api_url).map_err(no_client)?;
        let token_http = wire::client(&limits, &token_url).map_err(no_client)?;
        let scrubber = Scrubber::new(&account);
        let observer = Observer::new(metrics, &account.name);
        let denials = || Patience::new(limits.denied_timeout);
        let secrets = Arc::new(Secrets::new(&account, scrubber.clone()));
        let (scrub, observe) = (scrubber.clone(), observer.clone());
        let tokens = Tokens::new(secrets.clone(), token_http, token_url, scrub, observe, denials());
        Ok(Self {
            denials: denials(),
            api_url,
            secrets,
            tokens,
            scrubber,
            http,
            limits,
            clock,
            account,
            observer,
        })
    }

    /// The short name of the account.
    pub fn account(&self) -> &str {
        &self.account.name
    }

    /// How much of the Platform the account may use.
    pub fn account_limits(&self) -> AccountLimits {
        self.account.account_limits
    }

    /// Hands a dataset over; answers the processing token.
    pub async fn upload(&self, upload: Upload<'_>) -> Result<String, PlatformError> {
        let url = wire::below(&self.api_url, "UploadData");
        let request = |http: &Client| {
            http.post(url.clone())
                .header("content-type", "application/json")
                .body(self.upload_body(upload))
        };
        let rows = [upload.data, upload.event_data.unwrap_or_default()];
        let response = match self.ask(UPLOAD, SHORT, &rows, request).await? {
            Ok(response) => response,
            Err(TransportError::NotSent(why)) => return Err(PlatformError::Unsent(why)),
            Err(TransportError::Unanswered(why)) => return Err(PlatformError::Ambiguous(why)),
            Err(TransportError::Unreadable(why)) => return Err(PlatformError::Unreadable(why)),
            Err(TransportError::TooLarge) => {
                let what = format!("{UPLOAD}: the answer is longer than {SHORT} bytes");
                return Err(PlatformError::Unreadable(what));
            }
        };
        if response.status.is_success() {
            let bytes = rows.iter().map(|rows| rows.len() as u64).sum();
            self.observer.payload(Direction::Uploaded, bytes);
        }
        response.into_processing_token(&self.scrubber, &rows, self.clock.now())
    }

    /// Asks how far the Platform is.
    pub async fn status(&self, processing_token: &str) -> Result<Status, PlatformError> {
        let response = self.get(STATUS, processing_token, "status", SHORT, Pages::Never).await;
        let response = response.map_err(|error| match error {
            // Some page of a proxy: the next answer may be a word again.
            PlatformError::TooLarge { .. } => PlatformError::Transient(format!(
                "{STATUS}: the answer is longer than {SHORT} bytes, and no status word"
            )),
            error => error,
        })?;
        let words = &self.account.status_map;
        let Some(value) = status_word(&response.text(), words) else {
            let shown = response.shown(&self.scrubber, &[]);
            let what = format!("{STATUS}: the answer is not a status word: {shown}");
            return Err(PlatformError::Unreadable(what));
        };
        let mut status = words.classify(&value);
        if let Status::Pending { status: shown, .. } | Status::Failed { status: shown } =
            &mut status
        {
            *shown = self.scrubber.clean(&value, &[], WORD).to_lowercase();
        }
        Ok(status)
    }

    /// Fetches what is wrong with a dataset.
    pub async fn feedback(&self, processing_token: &str) -> Result<Content, PlatformError> {
        self.content(FEEDBACK, processing_token, "feedback", Pages::Never).await
    }

    /// Fetches the result `key`.
    pub async fn result(
        &self,
        processing_token: &str,
        key: &str,
    ) -> Result<Content, PlatformError> {
        self.content(RESULTS, processing_token, key, Pages::IfDeclaredOtherwise).await
    }

    /// Gets a token, to see whether the credentials work.
    pub async fn check_credentials(&self) -> Result<(), PlatformError> {
        self.tokens.get(self.clock.as_ref()).await.map(drop)
    }

    /// Asks for the status of a dataset that does not exist, to see whether the Upload API answers.
    pub async fn check_api(&self) -> ApiCheck {
        let url = self.results_url(NO_SUCH, "status");
        let response = match self.ask(STATUS, SHORT, &[], |http| http.get(url())).await {
            Ok(Ok(response)) => response,
            Ok(Err(lost)) => return lost_answer(lost),
            Err(error) => return no_access(&error),
        };
        let mut other = None;
        if response.status == StatusCode::NOT_FOUND {
            let url = wire::below(&self.api_url, NO_SUCH);
            let requested = self.ask(STATUS, SHORT, &[], |http| http.get(url.clone())).await;
            other = requested.ok().and_then(Result::ok);
        }
        judge(&response, other.as_ref(), &self.account.status_map, &self.scrubber)
    }

    async fn content(
        &self,
        endpoint: &'static str,
        token: &str,
        key: &str,
        pages: Pages,
    ) -> Result<Content, PlatformError> {
        let limit = self.limits.max_response_bytes;
        let content = self.get(endpoint, token, key, limit, pages).await?.into_content();
        self.observer.payload(Direction::Fetched, content.bytes.len() as u64);
        Ok(content)
    }

    async fn get(
        &self,
        endpoint: &'static str,
        processing_token: &str,
        data_key: &str,
        limit: u64,
        pages: Pages,
    ) -> Result<PlatformResponse, PlatformError> {
        let url = self.results_url(processing_token, data_key);
        let request = |http: &Client| http.get(url());
        match self.ask(endpoint, limit, &[], request).await? {
            Ok(response) => response.into_found(pages, &self.scrubber, self.clock.now()),
            Err(TransportError::TooLarge) => Err(PlatformError::TooLarge { endpoint, limit }),
            Err(TransportError::NotSent(why)) => Err(PlatformError::Unsent(why)),
            Err(TransportError::Unanswered(why)) => Err(PlatformError::Transient(why)),
            Err(TransportError::Unreadable(why)) => Err(PlatformError::Unreadable(why)),
        }
    }

    /// What makes the URL of a result, with the API key as it is by then.
    fn results_url(&self, processing_token: &str, data_key: &str) -> impl Fn() -> Url {
        let mut url = wire::below(&self.api_url, "GetResults");
        url.query_pairs_mut()
            .append_pair("token", processing_token)
            .append_pair("dataKey", data_key);
        move || {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("key", self.secrets.api_key().expose_secret());
            url
        }
    }

    /// Sends a request with a token. One that is refused is replaced at once, and once; the Platform
    /// may repeat `rows`. The outer error means that there was no token, or that access is denied.
    async fn ask(
        &self,
        endpoint: &'static str,
        limit: u64,
        rows: &[&str],
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Result<PlatformResponse, TransportError>, PlatformError> {
        let mut refused: Option<Token> = None;
        self.secrets.refresh_if_old();
        loop {
            let token = self.tokens.get(self.clock.as_ref()).await?;
            let request = request(&self.http).bearer_auth(token.secret.expose_secret());
            let response = wire::ask(request, endpoint, limit, &self.scrubber);
            let response = self.observer.observe(endpoint, response, self.clock.as_ref()).await;
            let status = response.as_ref().map(|response| response.status).ok();
            let is_denied =
                matches!(status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN));
            if is_denied && self.secrets.refresh() {
                self.tokens.forget(&token);
                continue;
            }
            match (response, status) {
                (Ok(response), Some(StatusCode::UNAUTHORIZED)) => {
                    if refused.is_none() && !self.is_young(&token) {
                        self.tokens.forget(&token);
                        refused = Some(token);
                        continue;
                    }
                    // Some servers issue a token until it expires, whoever refuses it.
                    let same = refused.filter(|refused| refused.is_same(&token));
                    return Err(self.denied(&response, rows, same.map(|same| same.expires_at)));
                }
                (Ok(response), Some(StatusCode::FORBIDDEN)) => {
                    return Err(self.denied(&response, rows, None));
                }
                (response, status) => {
                    // A gateway may refuse for other reasons without a look at the token.
                    if status.is_some_and(|status| status.is_success()) {
                        token.has_worked();
                        self.denials.end();
                    }
                    return Ok(response);
                }
            }
        }
    }

    /// True for a token that nobody could use yet and that may still become valid: the clocks of
    /// those who issue and check it may differ. The first that is refused is replaced at once, and
    /// each one after that is used twice as long as the one before.
    fn is_young(&self, token: &Token) -> bool {
        let Some(lasts_for) = self.denials.lasts_for() else { return false };
        !token.worked() && token.fetched_at.elapsed() < YOUNG.max(lasts_for / 2)
    }

    /// What a 401 or 403 means: a denial, if it says so of the credentials, or goes on, and longer than
    /// until it is `expected` to end.
    fn denied(
        &self,
        response: &PlatformResponse,
        rows: &[&str],
        expected: Option<Instant>,
    ) -> PlatformError {
        let (endpoint, status) = (response.endpoint, response.status);
        let words = match response.shown(&self.scrubber, rows) {
            _ if response.body.is_empty() => String::new(),
            shown => format!(": {shown}"),
        };
        let what = format!("{endpoint}: access denied ({}){words}", status.as_u16());
        // That a token is refused may pass; a fresh one that may do too little stays so.
        if status == StatusCode::FORBIDDEN && response.denies_credentials() {
            return PlatformError::Credentials(what);
        }
        denied(&self.denials, what, expected, PlatformError::Transient)
    }

    fn upload_body(&self, upload: Upload<'_>) -> Vec<u8> {
        let key = self.secrets.api_key();
        let overwrite = match (self.account.overwrite_format, upload.overwrite) {
            (OverwriteFormat::Booleans, overwrite) => Overwrite::Boolean(overwrite),
            (OverwriteFormat::Strings, true) => Overwrite::Text("true"),
            (OverwriteFormat::Strings, false) => Overwrite::Text("false"),
        };
        let body = UploadBody {
            name: upload.name,
            data: upload.data,
            event_data: upload.event_data,
            username: &self.account.client_id,
            key: key.expose_secret(),
            overwrite,
        };
        serde_json::to_vec(&body).expect("texts and booleans have a JSON form")
    }
}
