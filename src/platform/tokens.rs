//! The account's access token: one for all calls, fetched once however many wait for it, renewed
//! before it expires, dropped when it is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::answer::Answer;
use super::scrub::{Scrubber, basic};
use super::wire::{self, Lost};
use super::{Account, SHORT};
use crate::clock::Clock;
use crate::domain::outcome::Trouble;

const ENDPOINT: &str = "token endpoint";

/// For a token that does not say how long it lasts.
const LIFETIME: Duration = Duration::from_mins(5);

/// A token is renewed so long before it expires, or a tenth of its lifetime if that is less.
const EARLY: Duration = Duration::from_secs(30);

const FORM: &str = "grant_type=client_credentials&scope=platform_upload_api";

/// Errors of RFC 6749 §5.2 that only a person can mend.
const CREDENTIAL_ERRORS: [&str; 5] = [
    "invalid_client",
    "unauthorized_client",
    "invalid_grant",
    "invalid_scope",
    "unsupported_grant_type",
];

/// Fetches and keeps the token.
#[derive(Debug)]
pub(super) struct Tokens {
    url: Url,
    basic: SecretString,
    scrubber: Scrubber,
    /// Locked while a token is fetched: the others wait for that one.
    cached: Mutex<Option<Token>>,
}

/// An access token. Clones speak of the same one.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: SecretString,
    /// By the monotonic clock: a wrong time of day does not matter.
    renew_at: Instant,
    worked: Arc<AtomicBool>,
}

impl Token {
    /// Whether the Platform has ever accepted it.
    pub(super) fn worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    pub(super) fn has_worked(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Tokens {
    pub(super) fn new(account: &Account, url: Url, scrubber: Scrubber) -> Self {
        let basic = SecretString::from(format!("Basic {}", basic(account)));
        Self { url, basic, scrubber, cached: Mutex::default() }
    }

    pub(super) async fn get(&self, http: &Client, clock: &dyn Clock) -> Result<Token, Trouble> {
        let mut cached = self.cached.lock().await;
        if let Some(token) = cached.as_ref().filter(|token| Instant::now() < token.renew_at) {
            return Ok(token.clone());
        }
        let token = self.fetch(http, clock).await?;
        *cached = Some(token.clone());
        Ok(token)
    }

    /// Drops a token that was refused, unless somebody has replaced it by now.
    pub(super) async fn forget(&self, refused: &Token) {
        let mut cached = self.cached.lock().await;
        if cached.as_ref().is_some_and(|token| Arc::ptr_eq(&token.worked, &refused.worked)) {
            *cached = None;
        }
    }

    async fn fetch(&self, http: &Client, clock: &dyn Clock) -> Result<Token, Trouble> {
        let asked = Instant::now();
        let request = http
            .post(self.url.clone())
            .header("authorization", self.basic.expose_secret())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(FORM);
        let answer = match wire::ask(request, ENDPOINT, SHORT, &self.scrubber).await {
            Ok(answer) => answer,
            Err(Lost::NotSent(why) | Lost::Unanswered(why)) => return Err(Trouble::Transient(why)),
            Err(Lost::TooLarge) => {
                let what = format!("{ENDPOINT}: the answer is longer than {SHORT} bytes");
                return Err(Trouble::Transient(what));
            }
        };
        if !answer.status.is_success() {
            return Err(self.refusal(&answer, clock));
        }
        let parsed: TokenAnswer = serde_json::from_slice(&answer.body)
            // The parser's own words may quote the token.
            .map_err(|_| Trouble::Transient(format!("{ENDPOINT}: the answer holds no token")))?;
        let lifetime = parsed.expires_in.and_then(seconds).unwrap_or(LIFETIME);
        Ok(Token {
            secret: parsed.access_token.into(),
            renew_at: asked + lifetime.saturating_sub(EARLY.min(lifetime / 10)),
            worked: Arc::default(),
        })
    }

    fn refusal(&self, answer: &Answer, clock: &dyn Clock) -> Trouble {
        let status = answer.status.as_u16();
        let error = serde_json::from_slice::<TokenError>(&answer.body).ok();
        let of_credentials =
            error.as_ref().is_some_and(|told| CREDENTIAL_ERRORS.contains(&told.error.as_str()));
        let said = error.map(|told| format!("{} {}", told.error, told.error_description));
        let said = self.scrubber.clean(&said.unwrap_or_default(), 200);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        match status {
            401 | 403 => Trouble::Credentials(format!(
                "{ENDPOINT}: client id or secret refused ({status}){said}"
            )),
            _ if of_credentials => Trouble::Credentials(format!(
                "{ENDPOINT}: no token for this account ({status}){said}"
            )),
            404 | 405 => Trouble::Transient(format!(
                "{ENDPOINT}: nothing answers there ({status}); check `token_url`"
            )),
            _ => answer.slow_down(clock.now()).unwrap_or_else(|| {
                Trouble::Transient(format!("{ENDPOINT}: answered {status}{said}"))
            }),
        }
    }
}

/// Some servers write the number as a string. A lifetime of a century is as good as any longer one.
fn seconds(value: serde_json::Value) -> Option<Duration> {
    let seconds = match value {
        serde_json::Value::Number(number) => number.as_f64()?,
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(3.2e9)))
}
