//! The client of the Platform's Upload API: it asks, and says in [`ferry_types::domain::outcome`]'s words
//! what the answer means. It knows nothing of stores and schedules.

mod account;
mod answer;
mod observed;
mod scrub;
mod tokens;
mod wire;
mod words;

pub use account::{Account, Limits, OverwriteAs};
pub use words::StatusWords;

use std::fmt;
use std::sync::Arc;

use reqwest::{Client, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tracing::warn;

use crate::metrics::{Direction, Metrics};
use answer::Answer;
use ferry_types::clock::Clock;
use ferry_types::domain::budget::Budget;
use ferry_types::domain::outcome::{Content, Status, Trouble};
use observed::Observer;
use scrub::Scrubber;
use tokens::Tokens;
use wire::Lost;

/// The largest answer that is a word, a token or an error.
const SHORT: u64 = 64 << 10;

/// How much of an unknown status word is kept, in characters.
const WORD: usize = 64;

/// So many tokens are tried for one call before it has to come again.
const ROUNDS: usize = 5;

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
pub struct InvalidAccount {
    account: String,
    what: String,
}

/// The Platform as one account sees it: one pool of connections and one token for all calls.
pub struct Platform {
    account: Account,
    limits: Limits,
    http: Client,
    upload_url: Url,
    results_url: Url,
    tokens: Tokens,
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

/// Says what is wrong with the URL of a service, if anything is.
pub fn check_url(text: &str) -> Result<(), String> {
    wire::base_url(text).map(drop)
}

impl Platform {
    /// A client for `account`, which counts in `metrics`. The clock serves only answers that name a
    /// date and do not say what time it is, and what is counted.
    pub fn new(
        account: Account,
        limits: Limits,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, InvalidAccount> {
        let invalid = |what: String| InvalidAccount { account: account.name.clone(), what };
        let base_url = |setting: &str, text: &str| {
            wire::base_url(text).map_err(|what| invalid(format!("`{setting}`: {what}")))
        };
        let token_url = base_url("token_url", &account.token_url)?;
        let api_url = base_url("api_url", &account.api_url)?;
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
        let http = wire::client(&limits, &api_url).map_err(invalid)?;
        let token_http = wire::client(&limits, &token_url).map_err(invalid)?;
        let scrubber = Scrubber::new(&account);
        let observer = Observer::new(metrics, &account.name);
        let tokens =
            Tokens::new(&account, token_http, token_url, scrubber.clone(), observer.clone());
        Ok(Self {
            upload_url: wire::below(&api_url, "UploadData"),
            results_url: wire::below(&api_url, "GetResults"),
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
    pub fn budget(&self) -> Budget {
        self.account.budget
    }

    /// Hands a dataset over; answers the processing token.
    pub async fn upload(&self, upload: Upload<'_>) -> Result<String, Trouble> {
        let request = |token: &SecretString| {
            self.http
                .post(self.upload_url.clone())
                .bearer_auth(token.expose_secret())
                .header("content-type", "application/json")
                .body(self.upload_body(upload))
        };
        let answer = match self.ask(UPLOAD, SHORT, request).await? {
            Ok(answer) => answer,
            Err(Lost::NotSent(why)) => return Err(Trouble::Transient(why)),
            Err(Lost::Unanswered(why)) => return Err(Trouble::Ambiguous(why)),
            Err(Lost::TooLarge) => {
                let what = format!("{UPLOAD}: the answer is longer than {SHORT} bytes");
                return Err(Trouble::Ambiguous(what));
            }
        };
        let rows = [upload.data, upload.event_data.unwrap_or_default()];
        if answer.status.is_success() {
            let bytes = rows.iter().map(|rows| rows.len() as u64).sum();
            self.observer.payload(Direction::Uploaded, bytes);
        }
        answer.into_processing_token(&self.scrubber, &rows, self.clock.now())
    }

    /// Asks how far the Platform is.
    pub async fn status(&self, processing_token: &str) -> Result<Status, Trouble> {
        let not_a_word =
            || Trouble::Transient(format!("{STATUS}: the answer is not a status word"));
        let answer = self.get(STATUS, processing_token, "status", SHORT).await;
        let answer = answer.map_err(|trouble| match trouble {
            // Some page of a proxy: the next answer may be a word again.
            Trouble::TooLarge { .. } => not_a_word(),
            trouble => trouble,
        })?;
        let word = answer.word().ok_or_else(not_a_word)?;
        let mut status = self.account.status_words.classify(&word);
        if let Status::Pending { word: shown, .. } | Status::Failed { word: shown } = &mut status {
            *shown = self.scrubber.clean(&word, &[], WORD).to_lowercase();
        }
        Ok(status)
    }

    /// Fetches what is wrong with a dataset.
    pub async fn feedback(&self, processing_token: &str) -> Result<Content, Trouble> {
        self.content(FEEDBACK, processing_token, "feedback").await
    }

    /// Fetches the result `key`.
    pub async fn result(&self, processing_token: &str, key: &str) -> Result<Content, Trouble> {
        self.content(RESULTS, processing_token, key).await
    }

    /// Gets a token, to see whether the credentials work.
    pub async fn check_credentials(&self) -> Result<(), Trouble> {
        self.tokens.get(self.clock.as_ref()).await.map(drop)
    }

    async fn content(
        &self,
        endpoint: &'static str,
        token: &str,
        key: &str,
    ) -> Result<Content, Trouble> {
        let limit = self.limits.max_answer_bytes;
        let content = self.get(endpoint, token, key, limit).await?.into_content();
        self.observer.payload(Direction::Fetched, content.bytes.len() as u64);
        Ok(content)
    }

    async fn get(
        &self,
        endpoint: &'static str,
        processing_token: &str,
        data_key: &str,
        limit: u64,
    ) -> Result<Answer, Trouble> {
        let mut url = self.results_url.clone();
        url.query_pairs_mut()
            .append_pair("token", processing_token)
            .append_pair("dataKey", data_key)
            .append_pair("key", self.account.api_key.expose_secret());
        let request =
            |token: &SecretString| self.http.get(url.clone()).bearer_auth(token.expose_secret());
        match self.ask(endpoint, limit, request).await? {
            Ok(answer) => answer.into_found(self.clock.now()),
            Err(Lost::TooLarge) => Err(Trouble::TooLarge { endpoint, limit }),
            Err(Lost::NotSent(why) | Lost::Unanswered(why)) => Err(Trouble::Transient(why)),
        }
    }

    /// Sends a request with a token; one that is refused is replaced at once. The outer error means
    /// that nothing was asked.
    async fn ask(
        &self,
        endpoint: &'static str,
        limit: u64,
        request: impl Fn(&SecretString) -> RequestBuilder,
    ) -> Result<Result<Answer, Lost>, Trouble> {
        let mut never_worked = 0;
        for _ in 0..ROUNDS {
            let token = self.tokens.get(self.clock.as_ref()).await?;
            let answer = wire::ask(request(&token.secret), endpoint, limit, &self.scrubber);
            let answer = self.observer.observe(endpoint, answer, self.clock.as_ref()).await;
            let refused = answer.as_ref().is_ok_and(|a| a.status == StatusCode::UNAUTHORIZED);
            if !refused {
                // A gateway may refuse for other reasons without a look at the token.
                if answer.as_ref().is_ok_and(|answer| answer.status.is_success()) {
                    token.has_worked();
                }
                return Ok(answer);
            }
            self.tokens.forget(&token);
            never_worked += usize::from(!token.worked());
            // One may have been revoked between two calls, even before its first use was answered;
            // two that nobody could ever use, one fetched after the other, mean that the account
            // may not do this. Only a person lifts that pause, so one is not enough.
            if never_worked == 2 {
                let what =
                    format!("{endpoint}: a fresh token was refused, and so was the next (401)");
                return Err(Trouble::Credentials(what));
            }
        }
        Err(Trouble::Transient(format!("{endpoint}: {ROUNDS} tokens in a row were refused (401)")))
    }

    fn upload_body(&self, upload: Upload<'_>) -> Vec<u8> {
        let overwrite = match (self.account.overwrite_as, upload.overwrite) {
            (OverwriteAs::Booleans, overwrite) => Overwrite::Boolean(overwrite),
            (OverwriteAs::Strings, true) => Overwrite::Text("true"),
            (OverwriteAs::Strings, false) => Overwrite::Text("false"),
        };
        let body = UploadBody {
            name: upload.name,
            data: upload.data,
            event_data: upload.event_data,
            username: &self.account.client_id,
            key: self.account.api_key.expose_secret(),
            overwrite,
        };
        serde_json::to_vec(&body).expect("texts and booleans have a JSON form")
    }
}
