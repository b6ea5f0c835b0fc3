//! Shows what the Platform answered: results as they are, and feedback beside the rows it means.

use std::sync::Arc;

use axum::extract::{self, Extension, Path};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::caller::Caller;
use super::error::ApiError;
use super::middleware::json;
use super::params::Params;
use crate::charset::text;
use ferry_store::{Payload, StoreError};
use ferry_types::domain::feedback::{FeedbackItem, locate, read};
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{FEEDBACK_KEY, State, Submission};

/// A result, byte for byte.
pub(super) async fn result(
    extract::State(shared): extract::State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let submission = caller.find(store, &id).await?.submission;
    let stored =
        if key == FEEDBACK_KEY { None } else { store.content(submission.id, &key).await? };
    match stored {
        Some(content) => Ok(as_it_is(content)),
        None => Err(nothing(&submission, "this result")),
    }
}

/// What the Platform found wrong, tied to the rows that it means.
pub(super) async fn feedback(
    extract::State(shared): extract::State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut params = Params::of(&uri);
    let raw = params.flag("raw")?;
    params.done()?;
    let store = shared.parts.store.as_ref();
    let submission = caller.find(store, &id).await?.submission;
    match store.content(submission.id, FEEDBACK_KEY).await? {
        Some(content) if raw => Ok(as_it_is(content)),
        Some(content) => {
            let payload = match store.payload(submission.id).await {
                Ok(payload) => Some(payload),
                Err(StoreError::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            };
            Ok(json(StatusCode::OK, &items(content, payload).await))
        }
        None if submission.state == State::Completed && !raw => {
            Ok(json(StatusCode::OK, &Vec::<FeedbackItem>::new()))
        }
        None => Err(nothing(&submission, "feedback")),
    }
}

/// Beside the threads that answer requests: a dataset may be large.
async fn items(content: Content, payload: Option<Payload>) -> Vec<FeedbackItem> {
    let tied = tokio::task::spawn_blocking(move || {
        let data = payload.as_ref().map(|payload| payload.data.as_str());
        let events = payload.as_ref().and_then(|payload| payload.event_data.as_deref());
        locate(&read(&text(content.content_type.as_deref(), &content.bytes)), data, events)
    });
    tied.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// The bytes as they were stored, which no browser shall run.
fn as_it_is(content: Content) -> Response {
    let stored = content.content_type.as_deref().and_then(|t| HeaderValue::from_str(t).ok());
    let fallback = HeaderValue::from_static("application/octet-stream");
    let headers = [
        (header::CONTENT_TYPE, stored.unwrap_or(fallback)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    (StatusCode::OK, headers, content.bytes).into_response()
}

fn nothing(submission: &Submission, what: &str) -> ApiError {
    let (id, state) = (submission.id, submission.state);
    let reason = submission.reason.as_ref().map(|reason| format!(": {}", reason.text));
    let reason = reason.unwrap_or_default();
    ApiError::not_found(format!("submission {id} is {state} and does not have {what}{reason}"))
}
