//! The layer around every request: its id, its slot among those at once, and the form of its errors.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, error, info, info_span};

use super::auth;
use super::client_addr::ClientAddr;
use super::compression::Uncompressed;
use super::console::door::{Visit, is_console};
use super::console::respond::{Asked, Visitor, finish};
use super::error::ApiError;
use super::response_memory::with_memory;
use super::shared::Shared;
use super::shares::{Owner, Share};
use crate::metrics::Held;
use crate::sent::until_sent;
use crate::to_json::to_json;
use ferry_types::contract::{Problem, ProblemKind};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id of a request that is taken over from its client.
const LONGEST_ID: usize = 128;

/// Names a request in responses and logs.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// A request's slot among those at once: free when the last clone is gone.
#[derive(Debug, Clone)]
pub(super) struct ConcurrencySlot(
    #[expect(dead_code, reason = "it is only dropped")] Arc<(Share, Option<Held>)>,
);

/// A request that runs, for a handler whose work outlives its response.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) id: String,
    pub(super) slot: ConcurrencySlot,
}

/// Responds to a request, whatever happens.
pub(super) async fn middleware(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = client_request_id(request.headers()).unwrap_or_else(|| shared.request_id());
    // Not the path itself: it may hold what only the client should know.
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = path.unwrap_or_else(|| "unknown".to_owned());
    let method = request.method().clone();
    // The response to `HEAD` is that of `GET`.
    let requested = if method == Method::HEAD { Method::GET } else { method.clone() };
    let route = format!("{requested} {path}");
    request.extensions_mut().insert(RequestId(id.clone()));
    let peer = request.extensions().get().copied();
    let client_addr = peer
        .map(|peer| ClientAddr::of(peer, request.headers(), &shared.parts.trusted_proxies))
        .inspect(|client_addr| _ = request.extensions_mut().insert(*client_addr));
    let span = info_span!("request", request.id = %id, http.route = %route);
    let asked = is_console(&shared, request.uri().path()).then(|| Asked::of(&request));
    let response = admitted(&shared, request, next, &id).instrument(span).await;
    let response = finish(&shared, asked, &id, response);
    let response = finished(response, &id);
    let status = response.status().as_u16();
    let took = started.elapsed();
    shared.http.responded(&route, status, took);
    if !is_watched(&path) {
        let millis = took.as_millis() as u64;
        let _entered = info_span!("request", request.id = %id).entered();
        let from = client_addr.map(tracing::field::display);
        info!(
            http.status = status,
            http.millis = millis,
            http.from = from,
            "responded to `{method} {path}`: {status}"
        );
    }
    response
}

/// True for paths that are served however many requests run.
fn is_watched(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz" | "/metrics")
}

/// Lets a request in, if its client may come in and there is room for it.
async fn admitted(shared: &Shared, mut request: Request, next: Next, id: &str) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_open = route.is_some_and(|route| shared.open_paths.contains(route));
    let is_watched = route.is_some_and(is_watched);
    let is_operator = route.is_some_and(|route| shared.operate_paths.contains(route));
    let owner = match entered(shared, &mut request, is_open) {
        Ok(owner) => owner,
        Err(error) => return error.into_response(),
    };
    // Clients without a key take nothing of what callers share, and monitoring sees a server that is full.
    let Some(owner) = owner.filter(|_| !is_watched) else {
        let visitor = Visitor::of(&request);
        return compressed_if_few(shared, visitor.leaves(next.run(request).await));
    };
    let permit = match shared.slots.take(is_operator, &owner) {
        Ok(permit) => permit,
        Err(error) => return error.into_response(),
    };
    let slot = ConcurrencySlot(Arc::new((permit, shared.http.in_flight.hold(()))));
    request.extensions_mut().insert(Running { id: id.to_owned(), slot: slot.clone() });
    let (is_get, is_encoded) =
        (request.method() == Method::GET, request.headers().contains_key(header::ACCEPT_ENCODING));
    let visitor = Visitor::of(&request);
    let response = visitor.leaves(next.run(request).await);
    let response = with_memory(&shared.response_memory, &owner, response, is_get, is_encoded);
    until_sent(response, slot)
}

/// A response beside the slots: it is always sent, and compressed only while few others are.
fn compressed_if_few(shared: &Shared, mut response: Response) -> Response {
    if let Ok(permit) = shared.compressors.clone().try_acquire_owned() {
        return until_sent(response, permit);
    }
    response.extensions_mut().insert(Uncompressed);
    response
}

/// Authenticates a request that needs a caller, and returns the owner of what it takes.
fn entered(
    shared: &Shared,
    request: &mut Request,
    is_open: bool,
) -> Result<Option<Owner>, ApiError> {
    auth::check_headers(request.headers())?;
    let mut visit = if is_console(shared, request.uri().path()) {
        Some(Visit::of(shared, request)?)
    } else {
        None
    };
    let caller = match &mut visit {
        _ if is_open => None,
        Some(visit) => Some(visit.caller(shared, request)?),
        None => Some(auth::caller(shared, request)?),
    };
    let owner = caller.as_ref().map(|caller| caller.owner.clone());
    let extensions = request.extensions_mut();
    caller.map(|caller| extensions.insert(caller));
    visit.map(|visit| extensions.insert(visit));
    Ok(owner)
}

/// An id that the client gave the request, if it is fit for logs.
fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    ((1..=LONGEST_ID).contains(&id.len()) && id.chars().all(is_fit)).then(|| id.to_owned())
}

fn finished(mut response: Response, id: &str) -> Response {
    if let Some(mut problem) = response.extensions_mut().remove::<Box<Problem>>() {
        problem.instance = Some(id.to_owned());
        let body = to_json(&problem);
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        let problem_json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem_json);
    }
    let unauthenticated = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if unauthenticated {
        headers
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ferry\""));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

/// The response of a handler that panicked; the panic itself is in the log.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    error!("the request ran into a bug in Ferry");
    let what = "the request ran into a bug in Ferry; the log says more under this id";
    ApiError::new(ProblemKind::Internal, what).into_response()
}

/// A path that is none.
pub(super) async fn no_route() -> ApiError {
    ApiError::not_found("there is nothing at this path; `/docs` shows what there is")
}

/// A method that a path does not take.
pub(super) async fn no_method(method: Method) -> ApiError {
    ApiError::new(ProblemKind::MethodNotAllowed, format!("this path does not take {method}"))
}
