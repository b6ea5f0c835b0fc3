//! What operators do to submissions and accounts.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::Shared;
use super::body::{json_object, receive};
use super::caller::Caller;
use super::error::ApiError;
use super::middleware::json;
use ferry_store::SubmissionDetail;
use ferry_types::contract::{PauseRequest, PauseView, ResolveRequest, SubmissionView, WebhookView};
use ferry_types::domain::account::pause_record;

/// The largest body of these requests.
const LARGEST_BODY: u64 = 64 << 10;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 255;

/// Calls a submission off.
pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let id = caller.find(store, &id).await?.submission.id;
    Ok(shown(store.cancel(id).await?))
}

/// Goes on with a failed submission where it stopped.
pub(super) async fn retry(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let id = caller.find(store, &id).await?.submission.id;
    Ok(shown(store.retry(id, shared.parts.deadline).await?))
}

/// Fetches results or feedback of a final submission again.
pub(super) async fn refetch(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let id = caller.find(store, &id).await?.submission.id;
    Ok(shown(store.refetch(id, shared.parts.deadline).await?))
}

/// Decides about a held submission.
pub(super) async fn resolve(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let id = caller.find(store, &id).await?.submission.id;
    let requested: Option<ResolveRequest> = small_json(&shared, request).await?;
    let Some(ResolveRequest { resolution }) = requested else {
        return Err(ApiError::field("resolution", "expected `overwrite`, `retry` or `fail`"));
    };
    Ok(shown(store.resolve(id, resolution, shared.parts.deadline).await?))
}

/// Tells the outcome, again if it was told.
pub(super) async fn redeliver(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let id = caller.find(store, &id).await?.submission.id;
    let found = store.redeliver(id).await?;
    Ok(json(StatusCode::OK, &WebhookView::new(&found.submission)))
}

/// Sends nothing more of an account.
pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    known(&shared, &caller, &account).await?;
    let requested: Option<PauseRequest> = small_json(&shared, request).await?;
    let reason = requested.and_then(|requested| requested.reason);
    let reason = reason.unwrap_or_else(|| "paused by an operator".to_owned());
    if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        let what = format!("expected at most {LONGEST_REASON} characters of text");
        return Err(ApiError::field("reason", what));
    }
    let by = format!("`{}` over the API", caller.name);
    let recorded = pause_record(&reason, &by, shared.parts.clock.now());
    shared.parts.store.pause(&account, &recorded).await?;
    let view = PauseView { account, pause_reason: Some(recorded), changed: true };
    Ok(json(StatusCode::OK, &view))
}

/// Goes on with an account.
pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
) -> Result<Response, ApiError> {
    if !caller.sees(&account) {
        return Err(no_account());
    }
    let changed = shared.parts.store.resume(&account).await?;
    Ok(json(StatusCode::OK, &PauseView { account, pause_reason: None, changed }))
}

/// An account that the caller sees, and that is configured or has submissions.
async fn known(shared: &Shared, caller: &Caller, account: &str) -> Result<(), ApiError> {
    if !caller.sees(account) {
        return Err(no_account());
    }
    if shared.parts.intake.is_configured(account) {
        return Ok(());
    }
    let stats = shared.parts.store.stats().await?;
    let is_known = stats.accounts.iter().any(|known| known.account == account);
    if is_known { Ok(()) } else { Err(no_account()) }
}

fn no_account() -> ApiError {
    ApiError::not_found("there is no such account")
}

fn shown(found: SubmissionDetail) -> Response {
    json(StatusCode::OK, &SubmissionView::new(found.submission, found.waiting_for))
}

/// A small body; none if it is empty.
async fn small_json<T: DeserializeOwned>(
    shared: &Shared,
    request: Request<Body>,
) -> Result<Option<T>, ApiError> {
    let (parts, body) = request.into_parts();
    let headers: HeaderMap = parts.headers;
    let received = receive(shared, &headers, body, LARGEST_BODY).await?;
    if received.bytes.is_empty() {
        return Ok(None);
    }
    json_object(&received.bytes).map(Some)
}
