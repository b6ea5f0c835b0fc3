//! The caller of a request: by its key, by its session if it is one of the console, or, without keys, any
//! process of this machine.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, header};

use super::caller::Caller;
use super::error::ApiError;
use super::sender::Sender;
use super::shared::Shared;
use crate::network::names_this_machine;
use ferry_types::contract::ProblemKind;

/// Authenticates a request: by its key, or, without keys, if it comes from this machine and from no web
/// page of another site.
pub(super) fn caller(shared: &Shared, request: &Request) -> Result<Caller, ApiError> {
    let headers = request.headers();
    let Some(keys) = &shared.parts.keys else { return local(request) };
    let unauthenticated = |what: &str| ApiError::new(ProblemKind::Unauthenticated, what);
    let key = key(headers).ok_or_else(|| {
        unauthenticated("send a key, as `Authorization: Bearer ferry_…`; `ferry keys create --name NAME --role ROLE` makes one")
    })?;
    keys.caller(key).ok_or_else(|| unauthenticated("this key is not known, or was revoked"))
}

/// The caller where there are no keys.
pub(super) fn local(request: &Request) -> Result<Caller, ApiError> {
    let headers = request.headers();
    let foreign = |what: &str| {
        let way_out = "`ferry keys create --name NAME --role ROLE` makes keys, and `api_keys` names their file";
        Err(ApiError::new(ProblemKind::NotLocal, format!("{what}; {way_out}")))
    };
    if !names_this_machine(request) {
        // A page whose name was made to lead here, or an open proxy.
        return foreign(
            "this server has no keys and accepts only requests to `localhost` or a loopback \
             address, as the header `Host` names it",
        );
    }
    if let Some(name) = proxy_header(headers) {
        return foreign(&format!(
            "this server has no keys, and so accepts nothing that came through a proxy, as the header \
             `{name}` shows"
        ));
    }
    if Sender::of(headers) == Sender::OtherSite {
        return foreign(
            "this server has no keys and accepts no requests from pages of other sites",
        );
    }
    Ok(Caller::local())
}

/// Headers that decide about a request: of two, the server and a proxy before it may take different ones.
const ONLY_ONCE: [&str; 7] = [
    "authorization",
    "content-type",
    "host",
    "origin",
    "sec-fetch-site",
    "idempotency-key",
    "last-event-id",
];

/// Returns an error if a header is given twice that must be clear.
pub(super) fn check_headers(headers: &HeaderMap) -> Result<(), ApiError> {
    let repeated = ONLY_ONCE.iter().find(|name| headers.get_all(**name).iter().nth(1).is_some());
    repeated.map_or(Ok(()), |name| {
        Err(ApiError::invalid(format!("the header `{name}` is given twice")))
    })
}

/// The API key of a request.
pub(super) fn key(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// A header that a proxy adds, whose client may be on any machine.
pub(super) fn proxy_header(headers: &HeaderMap) -> Option<&str> {
    const PARTS: [&str; 8] = [
        "forwarded",
        "client-ip",
        "clientip",
        "connecting-ip",
        "user-ip",
        "real-ip",
        "original-host",
        "envoy-external",
    ];
    let is_of_proxy = |name: &&str| {
        matches!(*name, "via" | "cdn-loop" | "x-amzn-trace-id")
            || PARTS.iter().any(|part| name.contains(part))
    };
    headers.keys().map(HeaderName::as_str).find(is_of_proxy)
}
