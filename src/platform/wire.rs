//! Sends one request and reads its answer, within limits. Whatever goes wrong is told without the
//! URL, for it holds the API key.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, RequestBuilder, Url, redirect};

use super::answer::Answer;
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
pub(super) enum Lost {
    /// Nothing was sent.
    NotSent(String),
    /// The request may have arrived.
    Unanswered(String),
    /// The answer is larger than allowed; the rest was not read.
    TooLarge,
}

/// An absolute URL of a service, without anything that must not be there.
pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("the URL must begin with https:// (or http://)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not hold credentials".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL must not have a query or a fragment".to_owned());
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

/// A pool of connections to where `url` leads. Redirects are not followed: they would carry
/// credentials elsewhere. Compressed answers are not unpacked: their size would not be known.
pub(super) fn client(limits: &Limits, url: &Url) -> Result<Client, String> {
    // Whoever comes second finds the same provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A machine without certificates can still speak plain HTTP.
    let built = builder(limits, url).build().or_else(|error| match url.scheme() {
        "http" => builder(limits, url).tls_certs_only([]).build(),
        _ => Err(error),
    });
    built.map_err(|error| format!("no HTTPS client: {}", cause(error)))
}

fn builder(limits: &Limits, url: &Url) -> ClientBuilder {
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
        .tcp_nodelay(true);
    match (is_loopback(url), url.scheme()) {
        // To read the certificates takes longer than all calls to a simulator.
        (true, "http") => builder.no_proxy().tls_certs_only([]),
        (true, _) => builder.no_proxy(),
        (false, _) => builder,
    }
}

/// Sends `request` and reads at most `limit` bytes of the answer.
pub(super) async fn ask(
    request: RequestBuilder,
    endpoint: &'static str,
    limit: u64,
    scrubber: &Scrubber,
) -> Result<Answer, Lost> {
    let told = |what: &str, error| {
        scrubber.clean(&format!("{endpoint}: {what}: {}", cause(error)), &[], 300)
    };
    let mut response = request.send().await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            Lost::NotSent(told("no connection", error))
        } else if error.is_timeout() {
            Lost::Unanswered(format!("{endpoint}: no answer in time"))
        } else {
            Lost::Unanswered(told("the connection broke", error))
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
            Ok(Some(_)) if needed => return Err(Lost::TooLarge),
            Err(error) if needed => {
                return Err(Lost::Unanswered(told("the answer was cut short", error)));
            }
            Ok(_) | Err(_) => return Ok(Answer { endpoint, status, headers, body }),
        }
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
