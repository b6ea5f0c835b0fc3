//! Sends one request and reads its answer, within limits. Whatever goes wrong is told without the
//! URL, for it holds the API key.

use std::error::Error;
use std::net::IpAddr;

use reqwest::{Client, RequestBuilder, Url, redirect};

use super::Limits;
use super::answer::Answer;
use super::scrub::Scrubber;

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

/// A pool of connections. Redirects are not followed: they would carry credentials elsewhere.
pub(super) fn client(limits: &Limits, local: bool) -> Result<Client, String> {
    // Whoever comes second finds the same provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("ferry/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect_timeout)
        .timeout(limits.request_timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true);
    if local {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| format!("no HTTPS client: {}", cause(error)))
}

/// Sends `request` and reads at most `limit` bytes of the answer.
pub(super) async fn ask(
    request: RequestBuilder,
    endpoint: &str,
    limit: u64,
    scrubber: &Scrubber,
) -> Result<Answer, Lost> {
    let told =
        |what: &str, error| scrubber.clean(&format!("{endpoint}: {what}: {}", cause(error)), 300);
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
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > limit => {
                return Err(Lost::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(Answer { endpoint: endpoint.to_owned(), status, headers, body }),
            Err(error) => return Err(Lost::Unanswered(told("the answer was cut short", error))),
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
