//! The account's access token: one for all calls, fetched once however many wait for it, renewed
//! before it expires, dropped when it is refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::answer::Answer;
use super::observed::Observer;
use super::scrub::{Scrubber, basic};
use super::wire::{self, Lost};
use super::{Account, SHORT};
use ferry_types::clock::Clock;
use ferry_types::domain::outcome::Trouble;

const ENDPOINT: &str = "token endpoint";

/// For a token that does not say how long it lasts.
const LIFETIME: Duration = Duration::from_mins(5);

/// A token is renewed so long before it expires, or a tenth of its lifetime if that is less.
const EARLY: Duration = Duration::from_secs(30);

/// Not sooner is a renewal tried again that failed, while the old token lasts.
const AGAIN: Duration = Duration::from_secs(1);

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
    http: Client,
    scrubber: Scrubber,
    observer: Observer,
    kept: Mutex<Kept>,
    /// Held while a token is fetched: the others wait for that one.
    fetching: tokio::sync::Mutex<()>,
}

/// What came of the fetches so far.
#[derive(Debug, Default)]
struct Kept {
    token: Option<Token>,
    /// When the last fetch failed, and how.
    failed: Option<(Instant, Trouble)>,
}

/// An access token. Clones speak of the same one.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: SecretString,
    /// By the monotonic clock: a wrong time of day does not matter.
    renew_at: Instant,
    expires_at: Instant,
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

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.worked, &other.worked)
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
    error_description: Option<String>,
}

impl Tokens {
    pub(super) fn new(
        account: &Account,
        http: Client,
        url: Url,
        scrubber: Scrubber,
        observer: Observer,
    ) -> Self {
        let basic = SecretString::from(format!("Basic {}", basic(account)));
        let (kept, fetching) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { url, basic, http, scrubber, observer, kept, fetching }
    }

    pub(super) async fn get(&self, clock: &dyn Clock) -> Result<Token, Trouble> {
        let asked = Instant::now();
        let old = self.kept().token.clone().filter(|token| asked < token.expires_at);
        let _fetching = match &old {
            Some(token) if asked < token.renew_at => return Ok(token.clone()),
            // It still works: nobody else need wait for its successor.
            Some(token) => match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return Ok(token.clone()),
            },
            None => self.fetching.lock().await,
        };
        if let Some(news) = self.news_since(asked) {
            return news;
        }
        let fetched = self.fetch(clock).await;
        let left = fetched.as_ref().map(|token| token.expires_at - Instant::now());
        self.observer.token(left, clock);
        self.keep(fetched, old)
    }

    /// What somebody else fetched while this call waited; a failure counts for all who waited.
    fn news_since(&self, asked: Instant) -> Option<Result<Token, Trouble>> {
        let kept = self.kept();
        let token = kept.token.as_ref().filter(|token| Instant::now() < token.renew_at);
        let failed = kept.failed.as_ref().filter(|(at, _)| *at >= asked);
        match (token, failed) {
            (Some(token), _) => Some(Ok(token.clone())),
            (None, Some((_, trouble))) => Some(Err(trouble.clone())),
            (None, None) => None,
        }
    }

    /// While the old token lasts, a fault of the token endpoint does no harm.
    fn keep(&self, fetched: Result<Token, Trouble>, old: Option<Token>) -> Result<Token, Trouble> {
        let now = Instant::now();
        let mut kept = self.kept();
        match fetched {
            Ok(token) => {
                *kept = Kept { token: Some(token.clone()), failed: None };
                Ok(token)
            }
            Err(trouble) => {
                let current = kept.token.as_mut().filter(|current| {
                    now < current.expires_at && old.is_some_and(|old| old.is(current))
                });
                if let (Trouble::Transient(_), Some(current)) = (&trouble, current) {
                    current.renew_at = now + AGAIN.max((current.expires_at - now) / 4);
                    return Ok(current.clone());
                }
                kept.failed = Some((now, trouble.clone()));
                Err(trouble)
            }
        }
    }

    /// Drops a token that was refused, unless somebody has replaced it by now.
    pub(super) fn forget(&self, refused: &Token) {
        let mut kept = self.kept();
        if kept.token.as_ref().is_some_and(|token| token.is(refused)) {
            kept.token = None;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, clock: &dyn Clock) -> Result<Token, Trouble> {
        let asked = Instant::now();
        let request = self
            .http
            .post(self.url.clone())
            .header("authorization", self.basic.expose_secret())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(FORM);
        let answer = wire::ask(request, ENDPOINT, SHORT, &self.scrubber);
        let answer = match self.observer.observe(ENDPOINT, answer, clock).await {
            Ok(answer) => answer,
            Err(Lost::NotSent(why) | Lost::Unanswered(why)) => return Err(Trouble::Transient(why)),
            Err(Lost::TooLarge) => {
                let what = format!("{ENDPOINT}: the answer is longer than {SHORT} bytes");
                return Err(Trouble::Transient(what));
            }
        };
        match serde_json::from_slice::<TokenAnswer>(&answer.body) {
            Ok(parsed) if answer.status.is_success() && is_sendable(&parsed.access_token) => {
                let secret = SecretString::from(parsed.access_token);
                self.scrubber.add_bearer(&secret);
                let lifetime = parsed.expires_in.and_then(seconds).unwrap_or(LIFETIME);
                Ok(Token {
                    secret,
                    renew_at: asked + lifetime.saturating_sub(EARLY.min(lifetime / 10)),
                    expires_at: asked + lifetime,
                    worked: Arc::default(),
                })
            }
            // Some servers say 200 to everything.
            _ => Err(self.refusal(&answer, clock)),
        }
    }

    fn refusal(&self, answer: &Answer, clock: &dyn Clock) -> Trouble {
        let status = answer.status.as_u16();
        let error = serde_json::from_slice::<TokenError>(&answer.body).ok();
        let of_credentials =
            error.as_ref().is_some_and(|told| CREDENTIAL_ERRORS.contains(&told.error.as_str()));
        let said = error.map(|told| {
            let more = told.error_description.unwrap_or_default();
            self.scrubber.clean(&format!("{} {more}", told.error), &[], 200)
        });
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        match status {
            401 | 403 => Trouble::Credentials(format!(
                "{ENDPOINT}: client id or secret refused ({status}){said}"
            )),
            _ if of_credentials => Trouble::Credentials(format!(
                "{ENDPOINT}: no token for this account ({status}){said}"
            )),
            // The parser's own words may quote the token.
            200..300 => Trouble::Transient(format!(
                "{ENDPOINT}: the answer holds no token ({status}){said}"
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

/// Whether it can stand in a header.
fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
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
