//! The fields of a form of the console.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::super::body::receive;
use super::super::error::ApiError;
use super::super::query::{self, PairError, Pairs};
use super::super::shared::Shared;
use ferry_types::contract::ProblemKind;

/// The largest form.
const LARGEST: u64 = 64 << 10;

/// A form as its browser sent it.
#[derive(Debug)]
pub(in crate::api) struct FormText(pub(in crate::api) String);

/// A form, as `T`.
#[derive(Debug)]
pub(in crate::api) struct Form<T>(pub(in crate::api) T);

/// Returns an error unless a form is sent.
pub(super) fn is_form(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(());
    }
    let what = "expected `application/x-www-form-urlencoded`";
    Err(ApiError::new(ProblemKind::UnsupportedMediaType, what))
}

impl FromRequest<Arc<Shared>> for FormText {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        is_form(&parts.headers)?;
        let received = receive(shared, &parts, body, LARGEST).await?;
        let text = String::from_utf8(received.bytes);
        text.map(Self).map_err(|_| ApiError::invalid("the body: expected a form"))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let FormText(text) = FormText::from_request(request, shared).await?;
        let mut pairs = Pairs::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            query::add(&mut pairs, name.into_owned(), value.into_owned())?;
        }
        query::read(pairs).map(Self).map_err(PairError::of_field)
    }
}
