//! Sends one request and reads its answer, within limits. Whatever goes wrong is told without the
//! URL, for it holds the API key.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, RequestBuilder, Url};

use super::coding::{Decoded, End, decode};
use super::response::PlatformResponse;
use super::scrub::Scrubber;
use super::{Limits, SHORT};
use crate::http_client::{self, ClientError, Tls, root_cause};

/// Gateways keep an idle connection for a minute or more. One that is taken up again in the moment
/// when it is closed there would look like an upload that may have arrived.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// How often a busy HTTP/2 connection is asked whether it is still there, and how long it may take
/// to say so: all calls share it, and each would wait for its own timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum TransportError {
    /// Nothing was sent.
    NotSent(String),
    /// The request may have arrived.
    Unanswered(String),
    /// The answer is larger than allowed; the rest was not read.
    TooLarge,
    /// The request was answered, in a coding that cannot be decoded.
    Unreadable(String),
}

/// May a URL have a query?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query {
    Allowed,
    Forbidden,
}

/// An absolute URL of a service, without anything that must not be there.
pub(super) fn base_url(text: &str, query: Query) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("the URL must begin with https:// (or http://)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not hold credentials".to_owned());
    }
    if query == Query::Forbidden && (url.query().is_some() || url.fragment().is_some()) {
        return Err("the URL must not have a query or a fragment".to_owned());
    }
    if url.fragment().is_some() {
        return Err("the URL must not have a fragment".to_owned());
    }
    Ok(url)
}

pub(super) fn below(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(name);
    }
    url
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Header lines of a response, as many as curl reads. Together they have 400 KiB at most: that is
/// the buffer of hyper.
const MAX_HEADER_LINES: usize = 5000;

/// A pool of connections to where `url` leads. Content codings are decoded in `coding`, within limits.
pub(super) fn client(limits: &Limits, url: &Url) -> Result<Client, ClientError> {
    let tls = match (is_loopback(url), url.scheme()) {
        (true, "http") => Tls::Unused,
        (false, "http") => Tls::Optional(&limits.authorities),
        _ => Tls::Required(&limits.authorities),
    };
    http_client::client(tls, |builder| {
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

/// Sends `request` and reads at most `limit` bytes of the answer.
pub(super) async fn ask(
    request: RequestBuilder,
    endpoint: &'static str,
    limit: u64,
    scrubber: &Scrubber,
) -> Result<PlatformResponse, TransportError> {
    let describe = |what: &str, error| {
        scrubber.clean(&format!("{endpoint}: {what}: {}", cause(error)), &[], 300)
    };
    let mut response = request.send().await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            TransportError::NotSent(describe("no connection", error))
        } else if error.is_timeout() {
            TransportError::Unanswered(format!("{endpoint}: no answer in time"))
        } else {
            TransportError::Unanswered(describe("the connection broke", error))
        }
    })?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    // Of an error the status says what to do: of its body so much is read as there is.
    let needed = status.is_success();
    let limit = if needed { limit } else { limit.min(SHORT) };
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 <= limit => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) if needed => return Err(TransportError::TooLarge),
            Err(error) if needed => {
                return Err(TransportError::Unanswered(describe(
                    "the answer was cut short",
                    error,
                )));
            }
            Ok(_) | Err(_) => break,
        }
    }
    unpacked(PlatformResponse { endpoint, status, headers, body }, limit).await
}

/// The same answer without content codings; of an error, as much of it as can be decoded.
pub(super) async fn unpacked(
    response: PlatformResponse,
    limit: u64,
) -> Result<PlatformResponse, TransportError> {
    let PlatformResponse { endpoint, status, headers, body } = response;
    let Decoded { body, end } = decode(&headers, body, limit).await;
    match end {
        End::TooLarge if status.is_success() => Err(TransportError::TooLarge),
        End::Broken(coding) if status.is_success() => {
            let what = format!("{endpoint}: the body says that it is `{coding}`, and is broken");
            Err(TransportError::Unreadable(what))
        }
        _ => Ok(PlatformResponse { endpoint, status, headers, body }),
    }
}

fn cause(error: reqwest::Error) -> String {
    root_cause(&error.without_url()).to_string()
}
