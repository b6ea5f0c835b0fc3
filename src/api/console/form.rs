//! The fields of a form of the console.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::super::body::receive;
use super::super::error::ApiError;
use super::super::query::{self, PairError, Pairs};
use super::super::shared::Shared;
use crate::content_type::{content_type, media_type};
use ferry_types::contract::ProblemKind;

/// The largest form.
const LARGEST: u64 = 64 << 10;

/// The largest form of a client without a session: a key, and the page that the login leads to.
const LARGEST_OF_STRANGER: usize = 16 << 10;

/// A form as its browser sent it.
#[derive(Debug)]
pub(in crate::api) struct FormText(pub(in crate::api) String);

/// A form, as `T`.
#[derive(Debug)]
pub(in crate::api) struct Form<T>(pub(in crate::api) T);

impl FromRequest<Arc<Shared>> for FormText {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        is_form(&parts.headers)?;
        let received = receive(shared, &parts, body, LARGEST).await?;
        Self::of(received.bytes)
    }
}

impl FormText {
    /// The form of a client without a session: it takes nothing of what callers share, and so it is small,
    /// and has one `client_timeout` in all.
    async fn of_stranger(request: Request, shared: &Shared) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        is_form(&parts.headers)?;
        let client_timeout = shared.parts.limits.client_timeout;
        let late = |_| {
            let what = "the form took too long to arrive (`client_timeout`)";
            ApiError::new(ProblemKind::Timeout, what)
        };
        let read = timeout(client_timeout, to_bytes(body, LARGEST_OF_STRANGER)).await;
        let invalid = |_| {
            let what = format!("the body: expected a form of at most {LARGEST_OF_STRANGER} bytes");
            ApiError::invalid(what)
        };
        Self::of(read.map_err(late)?.map_err(invalid)?.into())
    }

    fn of(bytes: Vec<u8>) -> Result<Self, ApiError> {
        let text = String::from_utf8(bytes);
        text.map(Self).map_err(|_| ApiError::invalid("the body: expected a form"))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        Self::of(&FormText::from_request(request, shared).await?)
    }
}

impl<T: DeserializeOwned> Form<T> {
    /// The form of a client without a session.
    pub(super) async fn of_stranger(request: Request, shared: &Shared) -> Result<Self, ApiError> {
        Self::of(&FormText::of_stranger(request, shared).await?)
    }

    fn of(FormText(text): &FormText) -> Result<Self, ApiError> {
        let mut pairs = Pairs::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            query::add(&mut pairs, name.into_owned(), value.into_owned(), query::MAX_PAIRS)?;
        }
        query::read(pairs).map(Self).map_err(PairError::of_field)
    }
}

/// Returns an error unless a form is sent: browsers send them with one type, and compress none.
pub(super) fn is_form(headers: &HeaderMap) -> Result<(), ApiError> {
    let unsupported = |what| Err(ApiError::new(ProblemKind::UnsupportedMediaType, what));
    if media_type(content_type(headers)) != "application/x-www-form-urlencoded" {
        return unsupported("expected `application/x-www-form-urlencoded`");
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return unsupported("a form has no `Content-Encoding`");
    }
    Ok(())
}
