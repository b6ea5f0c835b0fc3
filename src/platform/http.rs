//! Sends a request over HTTP and reads its response, within limits. No error names the URL, since it
//! holds the API key.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, ClientBuilder, StatusCode, Url};

use super::account::{AccountConfig, InvalidAccountError, Limits};
use super::coding::{Decoded, End, decode};
use super::endpoint::SHORT;
use super::proxy::Proxy;
use super::url::is_loopback;
use super::wire::{TransportError, Wire, WireRequest, WireResponse, Wires};
use ferry_client::http::{self, ClientError, Tls, root_cause};

/// Gateways keep an idle connection for a minute or more. One that is taken up again in the moment
/// when it is closed there would look like an upload that may have arrived.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// Interval of the checks of a busy HTTP/2 connection, and time limit of each: all requests share it,
/// and each would wait for its own timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A pool of connections to one server.
#[derive(Debug)]
pub struct HttpWire {
    client: Client,
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
            let client = client(limits, url).map_err(|error| {
                let cause = root_cause(&error);
                invalid(format!("{error}: {cause} (`platform_ca` names certificates to trust)"))
            });
            let proxy = if is_loopback(url) { None } else { Proxy::of(url) };
            client.map(|client| Arc::new(HttpWire { client, proxy }))
        };
        Ok(Self { tokens: wire(&token_url)?, api: wire(&api_url)? })
    }
}

/// Header lines of a response, as many as curl reads. Together they have 400 KiB at most: that is
/// the buffer of hyper.
const MAX_HEADER_LINES: usize = 5000;

/// A pool of connections to where `url` leads. Content codings are decoded in `coding`, within limits.
fn client(limits: &Limits, url: &Url) -> Result<Client, ClientError> {
    let tls = match (is_loopback(url), url.scheme()) {
        (true, "http") => Tls::Unused,
        (false, "http") => Tls::Optional(&limits.authorities),
        _ => Tls::Required(&limits.authorities),
    };
    http::client(tls, |builder| {
        let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
        configure(builder, limits)
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
        // As lenient as curl: what old servers and proxies add must not cost an upload.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADER_LINES)
}

#[async_trait]
impl Wire for HttpWire {
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let WireRequest { method, url, headers, body, max_response_bytes } = request;
        let request = self.client.request(method, url).headers(headers).body(body);
        let mut response = request.send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                let through = self.proxy.as_ref().map(|proxy| format!(" through {proxy}"));
                let (through, cause) = (through.unwrap_or_default(), cause(error));
                TransportError::NotSent(format!("no connection{through}: {cause}"))
            } else if error.is_timeout() {
                TransportError::TimedOut("no response in time".to_owned())
            } else if is_no_http(&error) {
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
                Err(error) if needed => {
                    let what = format!("the response was cut short: {}", cause(error));
                    return Err(TransportError::CutShort(what));
                }
                Ok(_) | Err(_) => break,
            }
        }
        decoded(WireResponse { status, headers, body }, limit).await
    }
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

/// True if bytes came back that are no response.
fn is_no_http(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn cause(error: reqwest::Error) -> String {
    root_cause(&error.without_url()).to_string()
}
