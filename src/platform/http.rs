//! Sends a request over HTTP and reads its response, within limits. No error names the URL, since it
//! holds the API key.

mod connect;
mod repair;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::{self, Client};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT as AGENT};
use reqwest::{StatusCode, Url};
use rustls::ClientConfig;
use serde::de::IgnoredAny;

use self::connect::{Connector, USER_AGENT};
use super::account::{AccountConfig, InvalidAccountError, Limits};
use super::coding::{Decoded, End, decode};
use super::endpoint::SHORT;
use super::proxy::Proxy;
use super::url::is_loopback;
use super::wire::{Connection, TransportError, Wire, WireRequest, WireResponse, Wires};
use crate::boot_clock::BootClock;
use ferry_client::http::{self, Tls};
use ferry_types::causes::{chain, root_cause};
use ferry_types::clock::{MonotonicClock, Sleep};

/// Gateways keep an idle connection for a minute or more, and servers often for five seconds. A request
/// on one that is closed there in that moment is lost.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// Interval of the checks of a busy HTTP/2 connection, and time limit of each: all requests share it,
/// and each would wait for its own timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Header lines of a response, as many as curl reads. Together they have 400 KiB at most: that is
/// the buffer of hyper.
const MAX_HEADER_LINES: usize = 5000;

/// Connections to one server.
#[derive(Debug)]
pub struct HttpWire {
    /// Keeps idle connections.
    pooled: Client<Connector, Full<Bytes>>,
    /// Opens one for each request.
    unpooled: Client<Connector, Full<Bytes>>,
    /// The proxy on the way, if there is one.
    proxy: Option<Proxy>,
    /// Time limit of a request, with the body of its response.
    timeout: Duration,
}

impl Wires {
    /// Over HTTP, to the servers that the account names.
    pub fn http(account: &AccountConfig, limits: &Limits) -> Result<Self, InvalidAccountError> {
        let invalid = |what: String| InvalidAccountError::new(account, what);
        let token_url = account.token_url().map_err(invalid)?;
        let api_url = account.api_url().map_err(invalid)?;
        let wire = |url: &Url| {
            let wire = HttpWire::new(limits, url).map_err(|error| {
                let error = chain(&error);
                invalid(format!("{error} (`platform_ca` names certificates to trust)"))
            })?;
            Ok::<_, InvalidAccountError>(Arc::new(wire))
        };
        Ok(Self { tokens: wire(&token_url)?, api: wire(&api_url)? })
    }
}

impl HttpWire {
    fn new(limits: &Limits, url: &Url) -> Result<Self, http::TlsSetupError> {
        let tls = http::tls(match (is_loopback(url), url.scheme()) {
            (true, "http") => Tls::Unused,
            (false, "http") => Tls::Optional(&limits.authorities),
            _ => Tls::Required(&limits.authorities),
        })?;
        let proxies = (!is_loopback(url)).then(|| Arc::new(Matcher::from_system()));
        let proxy = proxies.as_ref().and_then(|proxies| Proxy::of(url, proxies));
        let client = |idle| client(limits, tls.clone(), proxies.clone(), idle);
        let timeout = limits.request_timeout;
        Ok(Self { pooled: client(usize::MAX), unpooled: client(0), proxy, timeout })
    }
}

/// Makes connections, of which it keeps `idle` at most between requests. They are repaired to be as lenient
/// as curl: what old servers and proxies add must not cost an upload.
fn client(
    limits: &Limits,
    tls: Option<ClientConfig>,
    proxies: Option<Arc<Matcher>>,
    idle: usize,
) -> Client<Connector, Full<Bytes>> {
    // A timeout while connecting must be known as one: then nothing was sent.
    let timeout = limits.connect_timeout.min(limits.request_timeout / 2);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(idle)
        .http1_max_headers(MAX_HEADER_LINES)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .build(Connector::new(tls, proxies, timeout))
}

#[async_trait]
impl Wire for HttpWire {
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let limit = request.max_response_bytes;
        let mut end = BootClock.sleep(self.timeout);
        let response = tokio::select! {
            response = self.request(request) => response?,
            () = &mut end => return Err(TransportError::TimedOut("no response in time".to_owned())),
        };
        let (head, body) = response.into_parts();
        let (status, headers) = (head.status, head.headers);
        // A server behind it is never asked without credentials for the proxy itself.
        if let Some(proxy) = &self.proxy
            && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return Err(TransportError::NotSent(format!("{proxy} requires credentials (407)")));
        }
        // Of an error the status says what to do: of its body so much is read as there is.
        let needed = status.is_success();
        let limit = if needed { limit } else { limit.min(SHORT) };
        let body = read(body, end, limit, needed).await?;
        decoded(WireResponse { status, headers, body }, limit).await
    }
}

impl HttpWire {
    async fn request(&self, request: WireRequest) -> Result<Response<Incoming>, TransportError> {
        let WireRequest { method, url, headers, body, connection, .. } = request;
        let not_sent = |what: String| {
            let through = self.proxy.as_ref().map(|proxy| format!(" through {proxy}"));
            TransportError::NotSent(format!("no connection{}: {what}", through.unwrap_or_default()))
        };
        // Its error shows no part of it.
        let uri: Uri = url.as_str().parse().map_err(|error| not_sent(format!("{error}")))?;
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.with_own(headers, &url);
        let client = match connection {
            Connection::Any => &self.pooled,
            Connection::New => &self.unpooled,
        };
        client.request(request).await.map_err(|error| {
            if error.is_connect() || is_unsent(&error) {
                not_sent(cause(&error))
            } else if has_cause(&error, hyper::Error::is_parse) {
                TransportError::Unreadable(format!("the response is not HTTP: {}", cause(&error)))
            } else {
                TransportError::NoResponse(format!("the connection broke: {}", cause(&error)))
            }
        })
    }

    /// The headers with those that each request has.
    fn with_own(&self, mut headers: HeaderMap, url: &Url) -> HeaderMap {
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(AGENT, HeaderValue::from_static(USER_AGENT));
        // One on the way to TLS gets them before.
        let credentials = self.proxy.as_ref().and_then(Proxy::credentials);
        if let Some(credentials) = credentials.filter(|_| url.scheme() == "http") {
            headers.insert(PROXY_AUTHORIZATION, credentials.clone());
        }
        headers
    }
}

/// The body of a response until the `end` of its time; what is not `needed` may be cut off.
async fn read(
    mut body: Incoming,
    mut end: Sleep,
    limit: u64,
    needed: bool,
) -> Result<Vec<u8>, TransportError> {
    let mut read = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame.transpose().map_err(|error| cause(&error)),
            () = &mut end => Err("it took too long".to_owned()),
        };
        let frame = frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()));
        match frame {
            Ok(Some(data)) if (read.len() + data.len()) as u64 <= limit => {
                read.extend_from_slice(&data);
            }
            Ok(Some(_)) if needed => return Err(TransportError::TooLarge),
            Err(cause) if needed && !is_whole_json(&read) => {
                let what = format!("the response was cut short: {cause}");
                return Err(TransportError::CutShort(what));
            }
            Ok(_) | Err(_) => return Ok(read),
        }
    }
}

/// True for JSON that lacks nothing, whatever was announced to follow. The end of a number is not known.
fn is_whole_json(body: &[u8]) -> bool {
    let begins = body.trim_ascii_start().first().is_some_and(|byte| b"\"{[".contains(byte));
    begins && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// The same response without content codings; of an error, as much of it as can be decoded.
pub async fn decoded(response: WireResponse, limit: u64) -> Result<WireResponse, TransportError> {
    let WireResponse { status, headers, body } = response;
    let Decoded { body, end } = decode(&headers, body, limit).await;
    match end {
        End::TooLarge if status.is_success() => Err(TransportError::TooLarge),
        End::Broken(coding) if status.is_success() => {
            let what = format!("the body says that it is `{coding}`, and is broken");
            Err(TransportError::Unreadable(what))
        }
        _ => Ok(WireResponse { status, headers, body }),
    }
}

/// True if no byte was sent, or the server says that it did not look at the request.
fn is_unsent(error: &legacy::Error) -> bool {
    let is_unprocessed = |error: &h2::Error| {
        let is_shutdown = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        let is_returned = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (is_shutdown || is_returned)
    };
    has_cause(error, hyper::Error::is_canceled) || has_cause(error, is_unprocessed)
}

/// True if a cause of the failure `is` so.
fn has_cause<E: Error + 'static>(error: &legacy::Error, is: fn(&E) -> bool) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.filter_map(|cause| cause.downcast_ref()).any(is)
}

/// The last cause: the outer ones only repeat that a request failed.
fn cause(error: &(dyn Error + 'static)) -> String {
    let cause = root_cause(error).to_string();
    // What a server without TLS says is no message of TLS.
    let is_plain = cause.contains("InvalidContentType");
    if is_plain { format!("{cause}: the server may speak http, and not https") } else { cause }
}
