//! Responds with the description of the API: the `OpenAPI` document, and the page made of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::openapi::JSON;
use super::shared::Shared;

/// The document.
pub(super) async fn document(State(shared): State<Arc<Shared>>) -> Response {
    let json = HeaderValue::from_static(JSON);
    ([(header::CONTENT_TYPE, json)], shared.documents.json.as_str()).into_response()
}

/// The page.
pub(super) async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let page = shared.documents.page.as_str();
    let mut response = ([(header::CONTENT_TYPE, html)], page).into_response();
    let no_referrer = HeaderValue::from_static("no-referrer");
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("referrer-policy"), no_referrer);
    if let Ok(policy) = HeaderValue::from_str(&shared.documents.policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
