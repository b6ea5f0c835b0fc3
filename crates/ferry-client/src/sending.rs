//! Sends a request until there is a response, or no attempt is left.

use std::fmt;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;

use super::error::ClientError;
use super::http::{self, Authorities, Tls, retry_after};
use ferry_types::causes::chain;
use ferry_types::clock::{Clock as _, SystemClock};
use ferry_types::contract::Problem;

/// Before the first repetition; doubled with each.
const FIRST_DELAY: Duration = Duration::from_millis(200);

/// Longest delay between attempts, whatever `Retry-After` says.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Without a byte of a response; longer than the server holds one back.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// A request that can be sent again.
#[derive(Debug)]
pub(super) struct ClientRequest {
    url: Url,
    /// A body and its idempotency key, if it has one.
    body: Option<(Vec<u8>, String)>,
    deletes: bool,
}

/// A response that is no problem.
#[derive(Debug)]
pub(super) struct ClientResponse {
    status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The server, and the key to send.
#[derive(Clone)]
pub(super) struct RequestSender {
    http: reqwest::Client,
    base: Url,
    pub(super) key: Option<String>,
    pub(super) max_attempts: u32,
}

impl fmt::Debug for RequestSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSender").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

/// An attempt without a response.
struct AttemptError {
    error: ClientError,
    /// The least delay before another attempt; none if that would fail, too.
    again: Option<Duration>,
}

impl ClientRequest {
    pub(super) fn get(url: Url) -> Self {
        Self { url, body: None, deletes: false }
    }

    pub(super) fn post(url: Url, body: Vec<u8>, key: String) -> Self {
        Self { url, body: Some((body, key)), deletes: false }
    }

    pub(super) fn delete(url: Url) -> Self {
        Self { url, body: None, deletes: true }
    }
}

impl ClientResponse {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ClientError::Foreign { status: self.status, what: error.to_string() })
    }
}

impl RequestSender {
    pub(super) fn new(url: &str) -> Result<Self, ClientError> {
        let base: Url =
            url.parse().map_err(|error| ClientError::Invalid(format!("the URL: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(ClientError::Invalid("the URL must begin with http or https".to_owned()));
        }
        Ok(Self { http: client(&base, &Authorities::default())?, base, key: None, max_attempts: 5 })
    }

    pub(super) fn trust(&mut self, pem: &[u8]) -> Result<(), ClientError> {
        let authorities = Authorities::read(pem)
            .map_err(|error| ClientError::Invalid(format!("the certificates: {error}")))?;
        self.http = client(&self.base, &authorities)?;
        Ok(())
    }

    /// The URL of a path that holds nothing to be escaped.
    pub(super) fn url(&self, path: &str) -> Url {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        self.url_of(&parts)
    }

    /// The URL of a path of these parts, whatever they hold.
    pub(super) fn url_of(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    /// Sends a call; sent again, it does no more than once.
    pub(super) async fn send(
        &self,
        request: &ClientRequest,
    ) -> Result<ClientResponse, ClientError> {
        self.retried(|| self.try_once(request)).await
    }

    /// Sends a request whose response has no end, and gives it as soon as it begins.
    pub(super) async fn open(&self, request: &ClientRequest) -> Result<Response, ClientError> {
        self.retried(|| self.begin(request)).await
    }

    async fn retried<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        let repetitions = self.max_attempts.saturating_sub(1) as usize;
        let longer = |miss: &AttemptError, delay: Option<Duration>| {
            Some(delay?.max(miss.again?).min(LONGEST_DELAY))
        };
        let retried = attempt.retry(delays().with_max_times(repetitions));
        let result = retried.when(|miss| miss.again.is_some()).adjust(longer).await;
        result.map_err(|miss| miss.error)
    }

    async fn try_once(&self, request: &ClientRequest) -> Result<ClientResponse, AttemptError> {
        let response = self.begin(request).await?;
        let (status, content_type) = (response.status().as_u16(), text(&response, CONTENT_TYPE));
        let body = response.bytes().await.map_err(unreachable)?.to_vec();
        Ok(ClientResponse { status, content_type, body })
    }

    /// A response that is no problem, as far as its head.
    async fn begin(&self, request: &ClientRequest) -> Result<Response, AttemptError> {
        let mut request = match &request.body {
            None if request.deletes => self.http.delete(request.url.clone()),
            None => self.http.get(request.url.clone()),
            Some((body, key)) => {
                let request = self.http.post(request.url.clone()).body(body.clone());
                request.header(CONTENT_TYPE, "application/json").header("idempotency-key", key)
            }
        };
        if let Some(key) = &self.key {
            let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {key}")) else {
                return Err(final_error(ClientError::Invalid(
                    "the API key holds characters that no header may have".to_owned(),
                )));
            };
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let response = match request.send().await {
            Ok(response) if response.status().is_success() => return Ok(response),
            Ok(response) => response,
            Err(error) if error.is_builder() => {
                return Err(final_error(ClientError::Invalid(describe(error))));
            }
            Err(error) => return Err(unreachable(error)),
        };
        let status = response.status().as_u16();
        let delay = retry_after(response.headers(), SystemClock.now()).unwrap_or_default();
        let body = response.bytes().await.map_err(unreachable)?;
        let error = if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
            ClientError::Problem(Box::new(problem))
        } else {
            ClientError::Foreign {
                status,
                what: "neither a response of Ferry nor a problem".to_owned(),
            }
        };
        // A gateway, too, may have no server behind it for a moment.
        let is_temporary = matches!(status, 408 | 429 | 502..=504);
        Err(AttemptError { error, again: is_temporary.then_some(delay) })
    }
}

/// An HTTP client of this server, which trusts these authorities, too.
fn client(base: &Url, authorities: &Authorities) -> Result<reqwest::Client, ClientError> {
    let is_plain = base.scheme() == "http";
    let tls = if is_plain { Tls::Optional(authorities) } else { Tls::Required(authorities) };
    http::client(tls, |builder| builder.connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT))
        .map_err(|error| ClientError::Invalid(chain(&error)))
}

/// A header of a response.
pub(super) fn text(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn final_error(error: ClientError) -> AttemptError {
    AttemptError { error, again: None }
}

fn unreachable(error: reqwest::Error) -> AttemptError {
    AttemptError { error: ClientError::Unreachable(describe(error)), again: Some(Duration::ZERO) }
}

/// The whole chain, without the URL: a query may hold a secret.
pub(super) fn describe(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

/// Delays between attempts: exponential, and not at the same moment as other clients.
fn delays() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_DELAY)
        .with_factor(2.0)
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
}

/// Waits before a connection that broke so often in a row is opened again.
pub(super) async fn delay(broken: u32) {
    let delay = delays().build().nth(broken.min(16) as usize);
    tokio::time::sleep(delay.unwrap_or(LONGEST_DELAY)).await;
}

/// An idempotency key for a submission that has none.
pub(super) fn new_key() -> String {
    format!("{:016x}{:016x}", random(), random())
}

fn random() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a client has no other source of randomness")]
    fastrand::u64(..)
}
