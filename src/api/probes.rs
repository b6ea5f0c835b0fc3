//! What those see who watch over the server.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;

use super::Shared;
use super::caller::Caller;
use super::error::ApiError;
use crate::admin::readiness;
use ferry_types::contract::ProblemKind;

/// Whether a path is one of those that are answered however many requests are under way.
pub(super) fn is_watched(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz" | "/metrics")
}

pub(super) async fn health() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    readiness(&shared.parts.shutdown, shared.parts.store.as_ref())
}

pub(super) async fn metrics(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    if caller.accounts.is_some() {
        let what = "the metrics are of all accounts, and this API key is not";
        return Err(ApiError::new(ProblemKind::Forbidden, what));
    }
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (content_type, text) = shared.parts.metrics.scrape(accept);
    Ok(([(header::CONTENT_TYPE, content_type)], text))
}
