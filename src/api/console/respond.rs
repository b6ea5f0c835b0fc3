//! Responses of the console: pages, redirects, and errors as pages; each with the policy of browsers.

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tracing::error;

use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::sender::SITE;
use super::super::shared::Shared;
use super::door::Visit;
use super::reader::viewer;
use crate::console::{Frame, ProblemPage};
use ferry_types::contract::{Problem, ProblemKind};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The policy of all pages: nothing but the files of this server, and HTML through one function.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types ferry",
);

/// A request of the console, for its response.
#[derive(Debug)]
pub(in crate::api) struct Asked {
    /// Its method.
    pub(in crate::api) method: Method,
    /// Its address.
    pub(in crate::api) uri: Uri,
    /// True if its browser says whose page sent it.
    pub(in crate::api) has_site: bool,
}

impl Asked {
    /// The request of a page.
    pub(in crate::api) fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            has_site: request.headers().contains_key(SITE),
        }
    }

    /// The referrer that the page sends. Old browsers prove by the origin alone that a form is of this server,
    /// and send none with `no-referrer`.
    fn referrer_policy(&self) -> &'static str {
        if self.has_site { "no-referrer" } else { "same-origin" }
    }
}

/// Visit and caller of a request of the console, for its response.
#[derive(Debug, Clone, Default)]
pub(in crate::api) struct Visitor {
    visit: Option<Visit>,
    caller: Option<Caller>,
}

impl Visitor {
    /// The visitor of a request; none of other requests.
    pub(in crate::api) fn of(request: &Request) -> Self {
        let visit: Option<Visit> = request.extensions().get().cloned();
        let caller = visit.as_ref().and_then(|_| request.extensions().get().cloned());
        Self { visit, caller }
    }

    /// The response with its visitor.
    pub(in crate::api) fn leaves(self, mut response: Response) -> Response {
        if self.visit.is_some() {
            response.extensions_mut().insert(self);
        }
        response
    }
}

/// A page.
pub(super) fn page(page: &impl Template) -> Response {
    page_with(StatusCode::OK, page)
}

/// A page with a status.
pub(super) fn page_with(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, HTML)], html).into_response(),
        Err(error) => {
            error!(%error, "cannot write a page");
            ApiError::internal("the page cannot be written").into_response()
        }
    }
}

/// The response to an act: the page that shows what became of it.
pub(super) fn see(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/console"));
    response.headers_mut().insert(header::LOCATION, path);
    response
}

/// A response as a browser gets it: errors are pages, and a missing session leads to the login.
pub(in crate::api) fn finish(
    shared: &Shared,
    asked: Option<Asked>,
    request_id: &str,
    mut response: Response,
) -> Response {
    let Some(asked) = asked else { return response };
    let visitor: Visitor = response.extensions_mut().remove().unwrap_or_default();
    let mut response = with_page(shared, (&asked, &visitor), request_id, response);
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", asked.referrer_policy()),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // A logout, or another login, sets its own.
    if let Some(cookie) = visitor.visit.and_then(|visit| visit.extended) {
        headers.entry(header::SET_COOKIE).or_insert(cookie);
    }
    response
}

fn with_page(
    shared: &Shared,
    (asked, visitor): (&Asked, &Visitor),
    request_id: &str,
    mut response: Response,
) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Box<Problem>>() else {
        return response;
    };
    let kind = problem.kind();
    if kind == Some(ProblemKind::Unauthenticated) {
        return see(&login_path(asked));
    }
    let title = match kind {
        Some(ProblemKind::Forbidden) => "Not allowed",
        _ => &problem.title,
    };
    let viewer = visitor.caller.as_ref().map(|one| viewer(one, shared));
    let preferences = visitor.visit.as_ref().map(|visit| visit.preferences.clone());
    let frame = Frame::new(viewer, preferences.unwrap_or_default(), shared.parts.clock.now());
    let said = (problem.status, title, &*problem.detail);
    let problem_page = ProblemPage::new(frame, said, request_id, back(asked));
    let mut page = page_with(response.status(), &problem_page);
    if let Some(after) = response.headers_mut().remove(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, after);
    }
    page
}

/// The login, which leads back to a page that was asked for.
fn login_path(asked: &Asked) -> String {
    let path = asked.uri.path_and_query().map_or("/console", |path| path.as_str());
    if asked.method != Method::GET || path == "/console" {
        return "/console/login".to_owned();
    }
    let next: String = form_urlencoded::byte_serialize(path.as_bytes()).collect();
    format!("/console/login?next={next}")
}

/// The page that an act was done on.
fn back(asked: &Asked) -> String {
    let mut parts = asked.uri.path().split('/').skip(2);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("submissions"), Some(id), Some(_)) => format!("/console/submissions/{id}"),
        (Some("submissions" | "bulk"), ..) => "/console/submissions".to_owned(),
        (Some("keys"), ..) if asked.method != Method::GET => "/console/keys".to_owned(),
        (Some("accounts"), ..) => "/console/accounts".to_owned(),
        _ => "/console".to_owned(),
    }
}
