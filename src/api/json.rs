//! JSON bodies of requests and responses.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

use super::body::{json_object, receive};
use super::error::ApiError;
use super::openapi::{Example, Input, JSON, Operation, Output};
use super::shared::Shared;
use ferry_types::contract::ProblemKind;
use ferry_types::contract::ProblemKind::{InvalidRequest, Timeout, TooLarge, UnsupportedMediaType};

/// The largest body of an operator's request.
const LARGEST_BODY: u64 = 64 << 10;

/// A response of JSON.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

/// The small body of a request.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

/// The small body of a request, which may be left out.
#[derive(Debug)]
pub(super) struct OptionalJsonBody<T>(pub(super) Option<T>);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let json = HeaderValue::from_static(JSON);
                (StatusCode::OK, [(header::CONTENT_TYPE, json)], body).into_response()
            }
            Err(error) => {
                error!(error = %error, "cannot write a response as JSON");
                ApiError::new(ProblemKind::Internal, "the response cannot be written")
                    .into_response()
            }
        }
    }
}

impl<T: Serialize + JsonSchema + Example> Output for Json<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json::<T>(200, "Done", &[])
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let received = receive(shared, &parts, body, LARGEST_BODY).await?;
        let is_empty = received.bytes.is_empty();
        Ok(Self(if is_empty { None } else { Some(json_object(&received.bytes)?) }))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let OptionalJsonBody(body) = OptionalJsonBody::from_request(request, shared).await?;
        body.map(Self).ok_or_else(|| ApiError::invalid("the body: expected a JSON object"))
    }
}

impl<T: Serialize + JsonSchema + Example> Input for JsonBody<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let problems = [InvalidRequest, Timeout, TooLarge, UnsupportedMediaType];
        operation.json_body::<T>().problems(&problems)
    }
}

impl<T: Serialize + JsonSchema + Example> Input for OptionalJsonBody<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        JsonBody::<T>::describe(operation).optional_body()
    }
}
