//! Login and logout.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::audited::Audited;
use super::super::auth::proxy_header;
use super::super::caller::Caller;
use super::super::client_addr::{ClientAddr, SocketPeer};
use super::super::error::ApiError;
use super::super::key_file::hash;
use super::super::middleware::{RequestId, Running};
use super::super::query::Query;
use super::super::shared::Shared;
use super::door::{Visit, cookie};
use super::form::Form;
use super::respond::{page_with, see};
use super::session::Session;
use crate::console::{Frame, LoginPage};
use crate::network::{names_this_machine, network};

/// The actor of logins that fail, in the audit log.
const STRANGER: &str = "unknown";

/// Digits of a key's hash in a session: a key that was made again has others.
const DIGITS: usize = 16;

/// The page that a login leads to.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Next {
    next: Option<String>,
}

/// The form of the login.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    key: String,
    next: Option<String>,
}

/// Shows the form.
pub(in crate::api) async fn form(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    Query(Next { next }): Query<Next>,
) -> Response {
    if shared.parts.keys.is_none() {
        return see("/console");
    }
    shown(&shared, &visit, StatusCode::OK, next.as_deref(), None)
}

fn shown(
    shared: &Shared,
    visit: &Visit,
    status: StatusCode,
    next: Option<&str>,
    error: Option<&str>,
) -> Response {
    let frame = Frame::new(None, visit.preferences.clone(), shared.parts.clock.now());
    page_with(status, &LoginPage::new(frame, own_page(next).to_owned(), error))
}

/// A page of the console alone: a login leads to no other site.
fn own_page(next: Option<&str>) -> &str {
    let is_own = |next: &&str| {
        let rest = next.strip_prefix("/console");
        let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        // Browsers resolve `..` and `%2e%2e`.
        let has_dots = next.contains("/.") || next.to_ascii_lowercase().contains("/%2e");
        is_below && !has_dots && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_own).unwrap_or("/console")
}

/// Begins a session of a key, and records that, or that it failed.
pub(in crate::api) async fn login(
    State(shared): State<Arc<Shared>>,
    Extension(RequestId(id)): Extension<RequestId>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Result<Response, ApiError> {
    let Some(keys) = &shared.parts.keys else { return Ok(see("/console")) };
    let is_local = names_this_machine(&request) && is_of_this_machine(&shared, &request);
    if !visit.is_secure && !is_local {
        let what = "this page came over plain HTTP, where others can read a key: set \
                    `tls_certificate`, or name a proxy with TLS in `trusted_proxies`, or come over \
                    `localhost`";
        return Ok(shown(&shared, &visit, StatusCode::FORBIDDEN, None, Some(what)));
    }
    let origin: Option<ClientAddr> = request.extensions().get().copied();
    let running: Option<Running> = request.extensions().get().cloned();
    let (parts, body) = request.into_parts();
    let mut recorded = Request::from_parts(parts.clone(), Body::empty());
    let form = Form::of_stranger(Request::from_parts(parts, body), &shared).await?;
    let Form(Credentials { key, next }) = form;
    let caller = keys.caller(key.trim());
    // A key is too long to be guessed: those that are valid never wait for the failures of others.
    if caller.is_none() {
        let now = Instant::now();
        let failed =
            origin.map(|ClientAddr(origin)| shared.failed_logins.begin(network(origin), now));
        if let Some(Err(delay)) = failed {
            return Ok(too_many(&shared, &visit, delay));
        }
        if shared.denied_actions.begin(STRANGER.to_owned(), now).is_err() {
            return Ok(unknown(&shared, &visit, next.as_deref()));
        }
    }
    let stranger = Caller { name: STRANGER.to_owned(), ..Caller::local() };
    let actor = caller.as_ref().unwrap_or(&stranger);
    let action = Audited::of(&shared, actor, id, &mut recorded).await;
    let session = caller.map(|caller| {
        let digits = hash(key.trim())[..DIGITS].to_owned();
        Session::begin(caller.name, digits, shared.parts.clock.now())
    });
    let (own, intended) = (shared.clone(), action.clone());
    let handler = async move {
        let Some(session) = session else {
            return unknown(&own, &visit, next.as_deref());
        };
        if let Err(error) = intended.intend(None).await {
            return error.into_response();
        }
        with_cookie(&own, &visit, Some(&session), see(own_page(next.as_deref())))
    };
    Ok(action.run(&shared, running, handler).await)
}

/// False if a proxy sent the request, whose client may be on any machine, unless one that is trusted says
/// that it is on this one.
fn is_of_this_machine(shared: &Shared, request: &Request) -> bool {
    let extensions = request.extensions();
    let trusted = &shared.parts.trusted_proxies;
    let is_trusted = extensions.get().is_some_and(|peer: &SocketPeer| peer.is_trusted(trusted));
    let is_near = extensions.get().is_some_and(|ClientAddr(client)| client.is_loopback());
    proxy_header(request.headers()).is_none() || (is_trusted && is_near)
}

fn unknown(shared: &Shared, visit: &Visit, next: Option<&str>) -> Response {
    let what = "this key is not known, or was revoked";
    shown(shared, visit, StatusCode::UNAUTHORIZED, next, Some(what))
}

fn too_many(shared: &Shared, visit: &Visit, delay: Duration) -> Response {
    let seconds = delay.as_secs().max(1);
    let what = format!("too many logins from this address failed; try again in {seconds} s");
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut response = shown(shared, visit, status, None, Some(&what));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn with_cookie(
    shared: &Shared,
    visit: &Visit,
    session: Option<&Session>,
    mut response: Response,
) -> Response {
    if let Some(cookie) = cookie(shared, session, visit.is_secure) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Ends the session in this browser.
pub(in crate::api) async fn logout(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
) -> Response {
    with_cookie(&shared, &visit, None, see("/console/login"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_pages_of_the_console_alone() {
        for own in ["/console", "/console/submissions?state=held", "/console?a=b"] {
            assert_eq!(own_page(Some(own)), own);
        }
        for other in [
            "https://example.com",
            "//example.com",
            "/consolex",
            "/console/\\example.com",
            "/console/../v1/stats",
            "/console/%2E%2e/v1/stats",
            "/console/\r\nx",
            "/v1/stats",
            "",
        ] {
            assert_eq!(own_page(Some(other)), "/console", "{other}");
        }
    }
}
