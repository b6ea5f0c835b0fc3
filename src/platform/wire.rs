//! The way to the Platform: a request leaves as plain data, and a response comes back, or the reason
//! why there is none. It knows nothing of their meaning.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};

/// Sends requests to the Platform.
#[async_trait]
pub trait Wire: fmt::Debug + Send + Sync + 'static {
    /// Sends one request and reads its response. Dropped before it ends, it sends no more of it.
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError>;
}

/// The ways to the servers of one account.
#[derive(Debug, Clone)]
pub struct Wires {
    /// To the token endpoint.
    pub tokens: Arc<dyn Wire>,
    /// To the Upload API.
    pub api: Arc<dyn Wire>,
}

/// A request. Its `Debug` shows neither query, headers nor body: they hold secrets.
#[derive(Clone)]
pub struct WireRequest {
    /// `GET` or `POST`.
    pub method: Method,
    /// The whole URL.
    pub url: Url,
    /// Headers, with those of access.
    pub headers: HeaderMap,
    /// The body, empty for a `GET`.
    pub body: Vec<u8>,
    /// Maximum length of the body of a successful response.
    pub max_response_bytes: u64,
    /// Connection that it is sent on.
    pub connection: Connection,
}

/// Connection of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// An idle one, if there is one.
    Any,
    /// A new one. A server may close an idle one in the moment when a request is sent on it: then the
    /// request may have arrived.
    New,
}

/// A response, read to its end and without content codings.
#[derive(Debug, Clone)]
pub struct WireResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The body. That of an error may be cut off.
    pub body: Vec<u8>,
}

/// Why there is no response. No text holds the URL, since it holds the API key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// The request may have arrived.
    #[error("{0}")]
    NoResponse(String),
    /// The request was sent, and no response came in time. It may have arrived.
    #[error("{0}")]
    TimedOut(String),
    /// The response was a success, and broke off.
    #[error("{0}")]
    CutShort(String),
    /// The response is larger than allowed; the rest was not read.
    #[error("the response is too large")]
    TooLarge,
    /// The response is in a coding that cannot be decoded, or not in HTTP.
    #[error("{0}")]
    Unreadable(String),
}

impl WireRequest {
    pub(super) fn get(url: Url, max_response_bytes: u64) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Vec::new(),
            max_response_bytes,
            connection: Connection::Any,
        }
    }

    pub(super) fn post(url: Url, content_type: &'static str, body: Vec<u8>, limit: u64) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let method = Method::POST;
        let connection = Connection::Any;
        Self { method, url, headers, body, max_response_bytes: limit, connection }
    }

    pub(super) fn on(self, connection: Connection) -> Self {
        Self { connection, ..self }
    }

    /// Adds a header that is not shown anywhere. Secrets that no header can hold are left out: the
    /// response says what is missing.
    pub(super) fn with_secret(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }
}

impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path) = (&self.method, self.url.path());
        f.debug_struct("WireRequest")
            .field("method", method)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::AUTHORIZATION;

    #[test]
    fn a_request_shows_no_secret() {
        let url = Url::parse("https://platform.example.com/api/GetResults?key=k3y").expect("a URL");
        let request = WireRequest::post(url, "text/plain", b"rows".to_vec(), 1)
            .with_secret(AUTHORIZATION, "Bearer s3cret");
        let shown = format!("{request:?} {:?}", request.headers);
        assert!(shown.contains("GetResults"), "{shown}");
        for secret in ["k3y", "rows", "s3cret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
