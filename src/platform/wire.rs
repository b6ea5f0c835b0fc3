//! Sends one request and reads its answer, within limits. Whatever goes wrong is told without the
//! URL, for it holds the API key.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Url, redirect};

use super::coding::{Decoded, End, decode};
use super::response::PlatformResponse;
use super::scrub::Scrubber;
use super::{Limits, SHORT};

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

/// Certificates of authorities, as PEM.
pub(super) fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let certificates = Certificate::from_pem_bundle(pem);
    let certificates = certificates.map_err(|_| "it holds what is no certificate".to_owned())?;
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    // What is no certificate for all its PEM is found where one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let used = Client::builder().tls_certs_only(certificates.clone()).build();
    used.map(|_| certificates).map_err(|_| "it holds what is no certificate".to_owned())
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

/// A pool of connections to where `url` leads. Redirects are not followed: they would carry
/// credentials elsewhere. Content codings are decoded in `coding`, within limits.
pub(super) fn client(limits: &Limits, url: &Url) -> Result<Client, String> {
    // Whoever comes second finds the same provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authorities = match &limits.authorities {
        Some(pem) => authorities(pem).map_err(|what| format!("`platform_ca`: {what}"))?,
        None => Vec::new(),
    };
    // A machine without certificates can still speak plain HTTP, and trust those that it is given.
    let alone = authorities.clone();
    let built = builder(limits, url, authorities).build().or_else(|error| {
        if url.scheme() == "http" || !alone.is_empty() {
            builder(limits, url, Vec::new()).tls_certs_only(alone).build()
        } else {
            Err(error)
        }
    });
    built.map_err(|error| format!("no HTTPS client: {}", cause(error)))
}

fn builder(limits: &Limits, url: &Url, authorities: Vec<Certificate>) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!("ferry/", env!("CARGO_PKG_VERSION")))
        // A timeout while connecting must be known as one: then nothing was sent.
        .connect_timeout(limits.connect_timeout.min(limits.request_timeout / 2))
        .timeout(limits.request_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .tcp_nodelay(true)
        // As lenient as curl: what old servers and proxies add must not cost an upload.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADER_LINES);
    match (is_loopback(url), url.scheme()) {
        // To read the certificates takes longer than all calls to a simulator.
        (true, "http") => builder.no_proxy().tls_certs_only([]),
        (true, _) => builder.no_proxy().tls_certs_merge(authorities),
        (false, _) => builder.tls_certs_merge(authorities),
    }
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

/// The innermost cause: the outer ones only repeat that a request failed.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
