//! Admission to the console: of the caller of a session, and of no page of another site.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};

use super::super::auth;
use super::super::caller::Caller;
use super::super::client_addr::{SocketPeer, scheme};
use super::super::error::ApiError;
use super::super::role::Role;
use super::super::sender::Sender;
use super::super::shared::Shared;
use super::mode::ConsoleMode;
use super::session::Session;
use crate::console::Preferences;
use ferry_types::contract::ProblemKind;

/// The cookies of a session: with TLS, and on loopback without.
const SECURE_COOKIE: &str = "__Host-ferry";
const PLAIN_COOKIE: &str = "ferry";

/// The cookie of the preferences.
pub(in crate::api) const PREFERENCES: &str = "ferry_view";

/// The longest age that browsers allow, in seconds.
const LONGEST_AGE: u32 = 34_560_000;

/// The connection of a request is protected by TLS.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Secured(pub(in crate::api) bool);

/// A request of the console, as it came in.
#[derive(Debug, Clone)]
pub(in crate::api) struct Visit {
    /// The protection of its connection.
    pub(in crate::api) is_secure: bool,
    /// Preferences of its browser.
    pub(in crate::api) preferences: Preferences,
    /// The cookie that extends its session.
    pub(in crate::api) extended: Option<HeaderValue>,
}

/// True for paths of the console, if there is one.
pub(in crate::api) fn is_console(shared: &Shared, path: &str) -> bool {
    let is_below =
        path.strip_prefix("/console").is_some_and(|r| r.is_empty() || r.starts_with('/'));
    shared.parts.console != ConsoleMode::No && is_below
}

impl Visit {
    /// The visit of a request, which is denied if another site sent it and it may change something.
    pub(in crate::api) fn of(shared: &Shared, request: &Request) -> Result<Self, ApiError> {
        let headers = request.headers();
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_safe && Sender::of(headers) != Sender::ThisServer {
            let what = "this request does not come from a page of this server; open the console, \
                        and act there";
            return Err(ApiError::new(ProblemKind::Forbidden, what));
        }
        let preferences = cookies(headers, PREFERENCES).next().map(Preferences::read);
        let preferences = preferences.unwrap_or_default();
        Ok(Self { is_secure: is_secure(shared, request), preferences, extended: None })
    }

    /// The caller of the request, with the rights that the console has.
    pub(in crate::api) fn caller(
        &mut self,
        shared: &Shared,
        request: &Request,
    ) -> Result<Caller, ApiError> {
        let caller = if shared.parts.keys.is_none() {
            auth::local(request)?
        } else {
            let (caller, extended) = in_session(shared, request.headers(), self.is_secure)
                .ok_or_else(|| ApiError::new(ProblemKind::Unauthenticated, "log in"))?;
            self.extended = extended;
            caller
        };
        let is_looking = shared.parts.console == ConsoleMode::ReadOnly || self.preferences.looking;
        let role = if is_looking { Role::Read } else { caller.role };
        Ok(Caller { role, ..caller })
    }
}

/// The caller whose session these headers have, and the cookie that extends it.
pub(in crate::api) fn in_session(
    shared: &Shared,
    headers: &HeaderMap,
    is_secure: bool,
) -> Option<(Caller, Option<HeaderValue>)> {
    let (keys, now) = (shared.parts.keys.as_ref()?, shared.parts.clock.now());
    let secret = &shared.parts.session_secret;
    let name = if is_secure { SECURE_COOKIE } else { PLAIN_COOKIE };
    let session = cookies(headers, name).find_map(|text| Session::read(text, secret, now))?;
    let caller = keys.named(&session.name, &session.digits)?;
    let extended = session.extended(now);
    let extended = extended.and_then(|session| cookie(shared, Some(&session), is_secure));
    Some((caller, extended))
}

/// The header that sets the cookie of a session, or ends it.
pub(in crate::api) fn cookie(
    shared: &Shared,
    session: Option<&Session>,
    is_secure: bool,
) -> Option<HeaderValue> {
    let (name, secure) = if is_secure { (SECURE_COOKIE, "; Secure") } else { (PLAIN_COOKIE, "") };
    let value = session.map(|session| session.signed(&shared.parts.session_secret));
    let age = if value.is_some() { LONGEST_AGE } else { 0 };
    let value = value.unwrap_or_default();
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

/// The header that stores preferences.
pub(in crate::api) fn preferences_cookie(preferences: &Preferences) -> Option<HeaderValue> {
    let text = format!(
        "{PREFERENCES}={}; Path=/console; Max-Age={LONGEST_AGE}; HttpOnly; SameSite=Lax",
        preferences.written()
    );
    HeaderValue::from_str(&text).ok()
}

/// The values of the cookies of this name.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

/// True if TLS protects the request up to here, or up to a trusted proxy that says so.
fn is_secure(shared: &Shared, request: &Request) -> bool {
    if matches!(request.extensions().get(), Some(Secured(true))) {
        return true;
    }
    let trusted = &shared.parts.trusted_proxies;
    let peer: Option<&SocketPeer> = request.extensions().get();
    if !peer.is_some_and(|peer| peer.is_trusted(trusted)) {
        return false;
    }
    scheme(request.headers()).as_deref() == Some("https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cookie_of_a_name_is_read_and_no_other() {
        let lines = ["a=1; ferry=x; ferryx=y", "ferry=z=1"].map(HeaderValue::from_static);
        let headers = lines.map(|line| (header::COOKIE, line)).into_iter().collect();
        let found: Vec<&str> = cookies(&headers, "ferry").collect();
        assert_eq!(found, ["x", "z=1"]);
    }
}
