//! Health and metrics of the server.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::error::ApiError;
use super::shared::Shared;
use crate::readiness;
use ferry_types::contract::ProblemKind;

/// Responds while the process is alive.
pub(super) async fn health() -> Response {
    "ok\n".into_response()
}

/// Responds that the process can do its work, or why it cannot.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let keys = shared.parts.keys.as_ref().and_then(super::keys::Keys::error);
    let checked = match shared.parts.readiness.check().await {
        Ok(()) => keys.map_or(Ok(()), Err),
        reason => reason,
    };
    readiness::response(checked).into_response()
}

/// Shows the metrics of the process.
pub(super) async fn metrics(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if caller.accounts.is_some() {
        let what = "the metrics are of all accounts, and this API key is not";
        return Err(ApiError::new(ProblemKind::Forbidden, what));
    }
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (content_type, text) = shared.parts.metrics.scrape(accept);
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}
