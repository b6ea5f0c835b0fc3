//! The account's access token: one for all calls, fetched once however many wait for it, renewed
//! before it expires, dropped when it is refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::SHORT;
use super::observed::Observer;
use super::patience::{Patience, denied};
use super::response::PlatformResponse;
use super::scrub::{Scrubber, basic};
use super::secrets::Secrets;
use super::shape::object;
use super::wire::{self, TransportError};
use ferry_types::clock::Clock;
use ferry_types::domain::outcome::PlatformError;

const ENDPOINT: &str = "token endpoint";

/// For a token that does not say how long it lasts.
const LIFETIME: Duration = Duration::from_mins(5);

/// A token is renewed so long before it expires, or a tenth of its lifetime if that is less.
const EARLY: Duration = Duration::from_secs(30);

/// Not sooner is a renewal tried again that failed, while the old token lasts.
const AGAIN: Duration = Duration::from_secs(1);

const FORM: &str = "grant_type=client_credentials&scope=platform_upload_api";

/// Fetches and keeps the token.
#[derive(Debug)]
pub(super) struct Tokens {
    url: Url,
    secrets: Arc<Secrets>,
    http: Client,
    scrubber: Scrubber,
    observer: Observer,
    cached: Mutex<CachedToken>,
    denials: Patience,
    /// Held while a token is fetched: the others wait for that one.
    fetching: tokio::sync::Mutex<()>,
}

/// What came of the fetches so far.
#[derive(Debug, Default)]
struct CachedToken {
    token: Option<Token>,
    /// The last one that was dropped: some servers issue a token until it expires.
    dropped: Option<Token>,
    /// When the last fetch failed, and how.
    failed: Option<(Instant, PlatformError)>,
}

/// An access token. Clones speak of the same one.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: SecretString,
    /// By the monotonic clock: a wrong time of day does not matter.
    renew_at: Instant,
    pub(super) fetched_at: Instant,
    pub(super) expires_at: Instant,
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

    /// True if the server issued one token twice.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.secret.expose_secret() == other.secret.expose_secret()
    }
}

impl Tokens {
    pub(super) fn new(
        secrets: Arc<Secrets>,
        http: Client,
        url: Url,
        scrubber: Scrubber,
        observer: Observer,
        denials: Patience,
    ) -> Self {
        let (cached, fetching) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { url, secrets, http, scrubber, observer, cached, denials, fetching }
    }

    pub(super) async fn get(&self, clock: &dyn Clock) -> Result<Token, PlatformError> {
        let requested_at = Instant::now();
        let old = self.cached().token.clone().filter(|token| requested_at < token.expires_at);
        let _fetching = match &old {
            Some(token) if requested_at < token.renew_at => return Ok(token.clone()),
            // It still works: nobody else need wait for its successor.
            Some(token) => match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return Ok(token.clone()),
            },
            None => self.fetching.lock().await,
        };
        if let Some(news) = self.news_since(requested_at) {
            return news;
        }
        let fetched = self.fetch(clock).await;
        let left = fetched.as_ref().map(|token| token.expires_at - Instant::now());
        self.observer.token(left, clock);
        self.keep(fetched, old)
    }

    /// What somebody else fetched while this call waited; a failure counts for all who waited.
    fn news_since(&self, requested_at: Instant) -> Option<Result<Token, PlatformError>> {
        let cached = self.cached();
        let token = cached.token.as_ref().filter(|token| Instant::now() < token.renew_at);
        let failed = cached.failed.as_ref().filter(|(at, _)| *at >= requested_at);
        match (token, failed) {
            (Some(token), _) => Some(Ok(token.clone())),
            (None, Some((_, error))) => Some(Err(error.clone())),
            (None, None) => None,
        }
    }

    /// While the old token lasts, a fault of the token endpoint does no harm.
    fn keep(
        &self,
        fetched: Result<Token, PlatformError>,
        old: Option<Token>,
    ) -> Result<Token, PlatformError> {
        let now = Instant::now();
        let mut cached = self.cached();
        match fetched {
            Ok(mut token) => {
                if let Some(dropped) = cached.dropped.take().filter(|old| old.is_same(&token)) {
                    token.worked = dropped.worked;
                    token.fetched_at = dropped.fetched_at;
                }
                cached.token = Some(token.clone());
                cached.failed = None;
                Ok(token)
            }
            Err(error) => {
                let current = cached.token.as_mut().filter(|current| {
                    now < current.expires_at && old.is_some_and(|old| old.is(current))
                });
                if let (PlatformError::Unsent(_), Some(current)) = (&error, current) {
                    current.renew_at = now + AGAIN.max((current.expires_at - now) / 4);
                    return Ok(current.clone());
                }
                cached.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// Drops a token that was refused, unless somebody has replaced it by now.
    pub(super) fn forget(&self, refused: &Token) {
        let mut cached = self.cached();
        if cached.token.as_ref().is_some_and(|token| token.is(refused)) {
            cached.dropped = cached.token.take();
        }
    }

    fn cached(&self) -> MutexGuard<'_, CachedToken> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a token, once more if the secret was replaced meanwhile.
    async fn fetch(&self, clock: &dyn Clock) -> Result<Token, PlatformError> {
        self.secrets.refresh_if_old();
        match self.fetch_once(clock).await {
            Err(_) if self.secrets.refresh() => self.fetch_once(clock).await,
            fetched => fetched,
        }
    }

    async fn fetch_once(&self, clock: &dyn Clock) -> Result<Token, PlatformError> {
        let requested_at = Instant::now();
        let secret = self.secrets.client_secret();
        let basic = SecretString::from(basic(self.secrets.client_id(), secret.expose_secret()));
        let request = self
            .http
            .post(self.url.clone())
            .header("authorization", format!("Basic {}", basic.expose_secret()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(FORM);
        let response = wire::ask(request, ENDPOINT, SHORT, &self.scrubber);
        let response = match self.observer.observe(ENDPOINT, response, clock).await {
            Ok(response) => response,
            Err(
                TransportError::NotSent(why)
                | TransportError::Unanswered(why)
                | TransportError::Unreadable(why),
            ) => {
                return Err(PlatformError::Unsent(why));
            }
            Err(TransportError::TooLarge) => {
                let what = format!("{ENDPOINT}: the answer is longer than {SHORT} bytes");
                return Err(PlatformError::Unsent(what));
            }
        };
        let said = object(&response.text()).unwrap_or_default();
        let secret = said.get("access_token").and_then(Value::as_str).map(str::trim);
        match secret.filter(|secret| response.status.is_success() && is_sendable(secret)) {
            Some(secret) => {
                self.denials.end();
                let secret = SecretString::from(secret);
                self.scrubber.add_bearer(&secret);
                let lifetime = said.get("expires_in").and_then(seconds).unwrap_or(LIFETIME);
                Ok(Token {
                    secret,
                    renew_at: requested_at + lifetime.saturating_sub(EARLY.min(lifetime / 10)),
                    fetched_at: requested_at,
                    expires_at: requested_at + lifetime,
                    worked: Arc::default(),
                })
            }
            // Some servers say 200 to everything.
            None => Err(self.refusal(&response, &said, clock)),
        }
    }

    fn refusal(
        &self,
        response: &PlatformResponse,
        said: &Map<String, Value>,
        clock: &dyn Clock,
    ) -> PlatformError {
        let status = response.status.as_u16();
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let words = match text("error") {
            Some(error) => {
                let more = text("error_description").unwrap_or_default();
                self.scrubber.clean(&format!("{error} {more}"), &[], 200)
            }
            // It may hold a token, under a name that nobody knows.
            None if response.status.is_success() => self.names(response, said),
            None if response.body.is_empty() => String::new(),
            None => response.shown(&self.scrubber, &[]),
        };
        let words = if words.is_empty() { words } else { format!(": {words}") };
        if response.denies_credentials() {
            let what = format!("{ENDPOINT}: no token for this account ({status}){words}");
            return PlatformError::Credentials(what);
        }
        match status {
            401 | 403 => {
                let what = format!("{ENDPOINT}: access denied ({status}){words}");
                denied(&self.denials, what, None, PlatformError::Unsent)
            }
            200..300 => PlatformError::Unsent(format!(
                "{ENDPOINT}: the answer holds no token ({status}){words}"
            )),
            404 | 405 => PlatformError::Unsent(format!(
                "{ENDPOINT}: nothing answers there ({status}); check `token_url`"
            )),
            _ => response.throttled(clock.now()).unwrap_or_else(|| {
                PlatformError::Unsent(format!("{}{words}", response.described("token_url")))
            }),
        }
    }

    /// What a successful answer looks like, without any value of it.
    fn names(&self, response: &PlatformResponse, said: &Map<String, Value>) -> String {
        if said.is_empty() {
            return response.shown(&self.scrubber, &[]);
        }
        let names: Vec<&str> = said.keys().map(String::as_str).collect();
        self.scrubber.clean(&format!("JSON with {}", names.join(", ")), &[], 200)
    }
}

/// Whether it can stand in a header.
fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Some servers write the number as a string. A lifetime of a century is as good as any longer one.
pub(super) fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(3.2e9)))
}
