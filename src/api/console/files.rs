//! The files beside the pages, the way to the console, and preferences.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::super::error::ApiError;
use super::super::shared::Shared;
use super::door::preferences_cookie;
use super::form::FormText;
use super::mode::ConsoleMode;
use super::reader::Reader;
use super::respond::{page, see};
use crate::console::{Preferences, PreferencesPage, asset, is_zone};

/// A file, which never changes under its path.
pub(in crate::api) async fn file(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = asset(&hash, &name) else {
        return ApiError::not_found("this version of Ferry does not have this file")
            .into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.bytes).into_response()
}

/// Leads browsers to the console, if there is one, and programs to the page about the API.
pub(in crate::api) async fn root(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Response {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let is_browser = accepted.filter_map(|v| v.to_str().ok()).any(|v| v.contains("text/html"));
    let has_console = shared.parts.console != ConsoleMode::No;
    see(if is_browser && has_console { "/console" } else { "/docs" })
}

/// Shows the preferences.
pub(in crate::api) async fn preferences(reader: Reader) -> Response {
    page(&PreferencesPage::new(reader.frame().of("Preferences")))
}

/// Stores the preferences in the browser.
pub(in crate::api) async fn set_preferences(
    _: Reader,
    FormText(form): FormText,
) -> Result<Response, ApiError> {
    let mut zones = form_urlencoded::parse(form.as_bytes()).filter(|(name, _)| name == "zone");
    if zones.any(|(_, zone)| !is_zone(&zone)) {
        let what = "expected `local`, `UTC`, or the name of a time zone such as `Europe/Berlin`";
        return Err(ApiError::field("zone", what));
    }
    let mut response = see("/console/preferences");
    if let Some(cookie) = preferences_cookie(&Preferences::read(&form)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
