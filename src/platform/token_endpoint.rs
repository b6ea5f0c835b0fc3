//! The token endpoint: one request for a token, and the meaning of its response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::access_token;
use super::denial_limit::{DenialLimit, denied};
use super::endpoint::{SHORT, TOKEN};
use super::exchange::Exchange;
use super::response::PlatformResponse;
use super::scrub::basic;
use super::secrets::Secrets;
use super::shape::json_error;
use super::wire::{TransportError, WireRequest};
use ferry_types::clock::{Clock, MonotonicClock, MonotonicTime};
use ferry_types::domain::outcome::PlatformError;

/// For a token that does not say how long it lasts.
const LIFETIME: Duration = Duration::from_mins(5);

/// A token is renewed so long before it expires, or a tenth of its lifetime if that is less.
const EARLY: Duration = Duration::from_secs(30);

const FORM: &[u8] = b"grant_type=client_credentials&scope=platform_upload_api";

/// Requests tokens of one account.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    pub(super) url: Url,
    pub(super) exchange: Exchange,
    pub(super) secrets: Arc<Secrets>,
    pub(super) denials: DenialLimit,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) monotonic: Arc<dyn MonotonicClock>,
}

/// An access token. Clones speak of the same one.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: SecretString,
    pub(super) renew_at: MonotonicTime,
    pub(super) fetched_at: MonotonicTime,
    pub(super) expires_at: MonotonicTime,
    pub(super) worked: Arc<AtomicBool>,
}

impl Token {
    /// Value of the header `Authorization`: a secret.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.secret.expose_secret())
    }

    /// True if the Platform has ever accepted it.
    pub(super) fn worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    pub(super) fn has_worked(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.worked, &other.worked)
    }

    /// True if the server issued one token twice.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.secret.expose_secret() == other.secret.expose_secret()
    }
}

impl TokenEndpoint {
    pub(super) async fn fetch(&self) -> Result<Token, PlatformError> {
        let requested_at = self.monotonic.now();
        let secret = self.secrets.client_secret();
        let basic = SecretString::from(basic(self.secrets.client_id(), secret.expose_secret()));
        let url = self.url.clone();
        let mut request =
            WireRequest::post(url, "application/x-www-form-urlencoded", FORM.to_vec(), SHORT)
                .with_secret(AUTHORIZATION, &format!("Basic {}", basic.expose_secret()));
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.exchange.send(TOKEN, request).await;
        self.denials.extend(self.monotonic.now());
        let response = match response {
            Ok(response) => response,
            Err(
                TransportError::NotSent(why)
                | TransportError::NoResponse(why)
                | TransportError::TimedOut(why)
                | TransportError::CutShort(why)
                | TransportError::Unreadable(why),
            ) => {
                return Err(PlatformError::Unsent(why));
            }
            Err(TransportError::TooLarge) => {
                let what = format!("{TOKEN}: the response is longer than {SHORT} bytes");
                return Err(PlatformError::Unsent(what));
            }
        };
        let text = response.text();
        let said = access_token::members(&text);
        match access_token::secret(&said).filter(|_| response.status.is_success()) {
            Some(secret) => {
                self.denials.end();
                let secret = SecretString::from(secret);
                self.exchange.scrubber.add_bearer(&secret);
                let lifetime = access_token::lifetime(&said).unwrap_or(LIFETIME);
                Ok(Token {
                    secret,
                    renew_at: requested_at + lifetime.saturating_sub(EARLY.min(lifetime / 10)),
                    fetched_at: requested_at,
                    expires_at: requested_at + lifetime,
                    worked: Arc::default(),
                })
            }
            // Some servers say 200 to everything.
            None => Err(self.denial(&response, &said)),
        }
    }

    fn denial(&self, response: &PlatformResponse, said: &Map<String, Value>) -> PlatformError {
        let status = response.status.as_u16();
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let words = match text("error") {
            Some(error) => {
                let more = text("error_description").unwrap_or_default();
                self.exchange.scrubber.clean(&format!("{error} {more}"), &[], 200)
            }
            // It may hold a token, under an unknown name.
            None if response.status.is_success() => self.names(response, said),
            None if response.body.is_empty() => String::new(),
            None => response.shown(&self.exchange.scrubber, &[]),
        };
        let challenge = response.challenge(&self.exchange.scrubber);
        let words = if words.is_empty() { words } else { format!(": {words}") };
        if response.denies_credentials() {
            return no_token(status, &(words + &challenge + &self.secrets.remark()));
        }
        match status {
            401 | 403 => {
                let what = format!("{TOKEN}: access denied ({status}){words}{challenge}");
                denied(&self.denials, self.monotonic.now(), what, None, PlatformError::Unsent)
            }
            200..300 => PlatformError::Unsent(format!(
                "{TOKEN}: the response holds no token ({status}){words}"
            )),
            404 | 405 => PlatformError::Unsent(format!(
                "{TOKEN}: nothing is there ({status}); check `token_url`"
            )),
            _ => response.throttled(self.clock.now()).unwrap_or_else(|| {
                PlatformError::Unsent(format!("{}{words}", response.described("token_url")))
            }),
        }
    }

    /// The names in a successful response, without any value of it.
    fn names(&self, response: &PlatformResponse, said: &Map<String, Value>) -> String {
        // The text may hold a token all the same, so that only the fault of its form is shown.
        if let Some(error) = json_error(&response.text()) {
            return format!("its JSON cannot be read: {error}");
        }
        if said.is_empty() {
            return without_tokens(&response.shown(&self.exchange.scrubber, &[]));
        }
        let names: Vec<&str> = said.keys().map(String::as_str).collect();
        self.exchange.scrubber.clean(&format!("JSON with {}", names.join(", ")), &[], 200)
    }
}

/// Length of a word that may be a token, in characters: 64 bits in hexadecimal digits.
const LEAST: usize = 16;

/// `text` without the words that may be tokens of a form that is not known: long ones with a digit.
fn without_tokens(text: &str) -> String {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let parts = text.split_inclusive(|c| !is_of_token(c)).map(|part| {
        let word = part.trim_end_matches(|c| !is_of_token(c));
        let may_be_token = word.len() >= LEAST && word.bytes().any(|byte| byte.is_ascii_digit());
        [if may_be_token { "[redacted]" } else { word }, &part[word.len()..]].concat()
    });
    parts.collect()
}

/// The error of an account whose credentials the token endpoint denies, with the words of its
/// response behind a colon.
pub(crate) fn no_token(status: u16, words: &str) -> PlatformError {
    PlatformError::Credentials(format!("{TOKEN}: no token for this account ({status}){words}"))
}
