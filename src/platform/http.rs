//! Sends a request over HTTP and reads its response, within limits. No error names the URL, since it
//! holds the API key.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, ClientBuilder, StatusCode, Url};
use serde::de::IgnoredAny;

use super::account::{AccountConfig, InvalidAccountError, Limits};
use super::coding::{Decoded, End, decode};
use super::endpoint::SHORT;
use super::proxy::Proxy;
use super::url::is_loopback;
use super::wire::{Connection, TransportError, Wire, WireRequest, WireResponse, Wires};
use ferry_client::http::{self, ClientError, Tls, root_cause};

/// Gateways keep an idle connection for a minute or more, and servers often for five seconds. A request
/// on one that is closed there in that moment is lost.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// Interval of the checks of a busy HTTP/2 connection, and time limit of each: all requests share it,
/// and each would wait for its own timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Connections to one server.
#[derive(Debug)]
pub struct HttpWire {
    /// Keeps idle connections.
    pooled: Client,
    /// Opens one for each request.
    unpooled: Client,
    /// The proxy on the way, if there is one.
    proxy: Option<Proxy>,
}

impl Wires {
    /// Over HTTP, to the servers that the account names.
    pub fn http(account: &AccountConfig, limits: &Limits) -> Result<Self, InvalidAccountError> {
        let invalid = |what: String| InvalidAccountError::new(account, what);
        let token_url = account.token_url().map_err(invalid)?;
        let api_url = account.api_url().map_err(invalid)?;
        let wire = |url: &Url| {
            let client = |idle| {
                client(limits, url, idle).map_err(|error| {
                    let cause = root_cause(&error);
                    invalid(format!("{error}: {cause} (`platform_ca` names certificates to trust)"))
                })
            };
            let proxy = if is_loopback(url) { None } else { Proxy::of(url) };
            let (pooled, unpooled) = (client(usize::MAX)?, client(0)?);
            Ok::<_, InvalidAccountError>(Arc::new(HttpWire { pooled, unpooled, proxy }))
        };
        Ok(Self { tokens: wire(&token_url)?, api: wire(&api_url)? })
    }
}

/// Header lines of a response, as many as curl reads. Together they have 400 KiB at most: that is
/// the buffer of hyper.
const MAX_HEADER_LINES: usize = 5000;

/// Connections to where `url` leads, at most `idle` of them between requests. Content codings are decoded
/// in `coding`, within limits.
fn client(limits: &Limits, url: &Url, idle: usize) -> Result<Client, ClientError> {
    let tls = match (is_loopback(url), url.scheme()) {
        (true, "http") => Tls::Unused,
        (false, "http") => Tls::Optional(&limits.authorities),
        _ => Tls::Required(&limits.authorities),
    };
    http::client(tls, |builder| {
        let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
        configure(builder, limits).pool_max_idle_per_host(idle)
    })
}

fn configure(builder: ClientBuilder, limits: &Limits) -> ClientBuilder {
    builder
        // A timeout while connecting must be known as one: then nothing was sent.
        .connect_timeout(limits.connect_timeout.min(limits.request_timeout / 2))
        .timeout(limits.request_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .tcp_nodelay(true)
        // As lenient as curl: what old servers and proxies add must not cost an upload. Lines of chunks that
        // end in LF alone stay unreadable: hyper does not accept them, and nothing can stand between it and the
        // connections of reqwest, whose `connector_layer` returns a type that no one else can make. Requests
        // in HTTP/1.0, which have no chunks in response, are answered by gateways with 426.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADER_LINES)
}

#[async_trait]
impl Wire for HttpWire {
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let WireRequest { method, url, headers, body, max_response_bytes, connection } = request;
        let client = match connection {
            Connection::Any => &self.pooled,
            Connection::New => &self.unpooled,
        };
        let request = client.request(method, url).headers(headers).body(body);
        let mut response = request.send().await.map_err(|error| {
            let is_unsent = has_cause(&error, hyper::Error::is_canceled);
            if error.is_connect() || error.is_builder() || is_unsent {
                let through = self.proxy.as_ref().map(|proxy| format!(" through {proxy}"));
                let (through, cause) = (through.unwrap_or_default(), cause(error));
                TransportError::NotSent(format!("no connection{through}: {cause}"))
            } else if error.is_timeout() {
                TransportError::TimedOut("no response in time".to_owned())
            } else if has_cause(&error, hyper::Error::is_parse) {
                TransportError::Unreadable(format!("the response is not HTTP: {}", cause(error)))
            } else {
                TransportError::Unanswered(format!("the connection broke: {}", cause(error)))
            }
        })?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        // A server behind it is never asked without credentials for the proxy itself.
        if let Some(proxy) = &self.proxy
            && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return Err(TransportError::NotSent(format!("{proxy} wants credentials (407)")));
        }
        // Of an error the status says what to do: of its body so much is read as there is.
        let needed = status.is_success();
        let limit = if needed { max_response_bytes } else { max_response_bytes.min(SHORT) };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 <= limit => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) if needed => return Err(TransportError::TooLarge),
                Err(error) if needed && !is_whole_json(&body) => {
                    let what = format!("the response was cut short: {}", cause(error));
                    return Err(TransportError::CutShort(what));
                }
                Ok(_) | Err(_) => break,
            }
        }
        decoded(WireResponse { status, headers, body }, limit).await
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

/// True if what failed in the connection `is` so: bytes that are no response, or no byte that was sent.
fn has_cause(error: &reqwest::Error, is: fn(&hyper::Error) -> bool) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.filter_map(|cause| cause.downcast_ref()).any(is)
}

fn cause(error: reqwest::Error) -> String {
    root_cause(&error.without_url()).to_string()
}
