//! Shows what was submitted, and what the Platform decided: results as they are, and feedback beside the rows that it means.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;

use super::body_memory::MemoryPermit;
use super::caller::Caller;
use super::error::ApiError;
use super::found::{Found, ResultKey};
use super::json::Json;
use super::loaded::Loaded;
use super::openapi::{BYTES, CSV};
use super::params::Flag;
use super::query::Query;
use super::response_memory::Reserved;
use super::shared::Shared;
use crate::charset::text;
use ferry_store::{Payload, StoreError, compute};
use ferry_types::contract::{FeedbackForm, ProblemKind};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::dataset::Table;
use ferry_types::domain::feedback::{FeedbackItem, as_csv, beside, locate, read};
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{self, FEEDBACK_KEY, Submission};

/// The form of the feedback.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedbackQuery {
    /// As the Platform sent it, with its own type.
    #[serde(default)]
    raw: Flag,
    /// Another form, whatever `raw` says: `csv` has a row for each row of the dataset that an item may mean;
    /// `data` and `event-data` are the texts of the dataset with the feedback as a last column, if they have a
    /// header.
    #[serde(rename = "as")]
    form: Option<FeedbackForm>,
}

impl FeedbackQuery {
    /// True if it is wanted as a file: as the Platform sent it, or as CSV.
    pub(super) fn is_file(&self) -> bool {
        self.raw.0 || self.form.is_some()
    }

    /// The text of the dataset beside whose rows it is wanted.
    pub(super) fn table(&self) -> Option<Table> {
        match self.form {
            Some(FeedbackForm::Data) => Some(Table::Data),
            Some(FeedbackForm::EventData) => Some(Table::Events),
            Some(FeedbackForm::Csv) | None => None,
        }
    }
}

/// Shows a result, byte for byte.
pub(super) async fn result(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
    ResultKey(key): ResultKey,
) -> Result<Response, ApiError> {
    let (memory, stored) = stored_result(&shared, &caller, &found.submission, &key).await?;
    Ok(Reserved(Some(memory), as_it_is(stored)).into_response())
}

/// A result, and the memory for it.
pub(super) async fn stored_result(
    shared: &Shared,
    caller: &Caller,
    submission: &Submission,
    key: &str,
) -> Result<(Arc<MemoryPermit>, Content), ApiError> {
    let missing = || missing(submission, "this result");
    if key == FEEDBACK_KEY {
        return Err(missing());
    }
    let memory = reserve(shared, caller, bytes_of(submission, key))?;
    let stored = shared.store().content(submission.id, key).await?;
    Ok((memory, stored.ok_or_else(missing)?))
}

/// Shows the dataset as it was submitted, byte for byte.
pub(super) async fn data(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
) -> Result<Response, ApiError> {
    let (memory, payload) = submitted(&shared, &caller, &found.submission).await?;
    Ok(Reserved(Some(memory), as_it_is(csv(payload.data))).into_response())
}

/// Shows the events of a dataset as they were submitted, byte for byte.
pub(super) async fn event_data(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
) -> Result<Response, ApiError> {
    let (memory, payload) = submitted(&shared, &caller, &found.submission).await?;
    let none = || no_events(found.submission.id);
    let csv = csv(payload.event_data.ok_or_else(none)?);
    Ok(Reserved(Some(memory), as_it_is(csv)).into_response())
}

/// The dataset, and the memory for it.
pub(super) async fn submitted(
    shared: &Shared,
    caller: &Caller,
    submission: &Submission,
) -> Result<(Arc<MemoryPermit>, Payload), ApiError> {
    let memory = reserve(shared, caller, submission.payload_bytes)?;
    Ok((memory, payload(shared, submission).await?))
}

/// The dataset of a submission, for which there is memory.
pub(super) async fn payload(shared: &Shared, submission: &Submission) -> Result<Payload, ApiError> {
    match shared.store().payload(submission.id).await {
        Ok(payload) => Ok(payload),
        Err(StoreError::NotFound(_)) => Err(missing(submission, "its dataset")),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn no_events(id: SubmissionId) -> ApiError {
    ApiError::not_found(format!("submission {id} has no event data"))
}

/// The dataset of a submission with the feedback about it, of which there may be none.
pub(super) async fn loaded(
    shared: &Shared,
    caller: &Caller,
    submission: &Submission,
) -> Result<Arc<Loaded>, ApiError> {
    if let Some(last) = shared.last_loaded.get(submission) {
        return Ok(last);
    }
    let bytes = bytes_of(submission, FEEDBACK_KEY).saturating_add(submission.payload_bytes);
    let memory = shared.response_permit(caller, bytes.saturating_mul(2))?;
    let mut payload = payload(shared, submission).await?;
    let mut items = Vec::new();
    if let Some(content) = shared.store().content(submission.id, FEEDBACK_KEY).await? {
        (items, payload) = located(content, payload).await;
    }
    // It was unpacked.
    memory.resize(shared.response_memory.most(bytes, &caller.owner))?;
    let loaded = Arc::new(Loaded::new(submission, payload, items, memory));
    shared.last_loaded.put(&loaded);
    Ok(loaded)
}

fn csv(text: String) -> Content {
    Content { content_type: Some(CSV.to_owned()), bytes: text.into_bytes() }
}

fn bytes_of(submission: &Submission, key: &str) -> u64 {
    submission.results.iter().find(|stored| stored.key == key).map_or(0, |stored| stored.bytes)
}

/// Memory for reading something from the store, and as much again for unpacking it, before it is read.
pub(super) fn reserve(
    shared: &Shared,
    caller: &Caller,
    bytes: u64,
) -> Result<Arc<MemoryPermit>, ApiError> {
    shared.response_permit(caller, bytes.saturating_mul(2)).map(Arc::new)
}

/// Shows the feedback, with the rows that it means.
pub(super) async fn feedback(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
    Query(query): Query<FeedbackQuery>,
) -> Result<Response, ApiError> {
    let submission = found.submission;
    if let Some(table) = query.table() {
        return beside_rows(&shared, &caller, &submission, table).await;
    }
    let FeedbackQuery { raw: Flag(raw), form } = query;
    if !raw || form.is_some() {
        let (memory, items) = feedback_items(&shared, &caller, &submission).await?;
        let response = match form {
            Some(_) => as_it_is(csv(as_csv(&items))),
            None => Json(items).into_response(),
        };
        return Ok(Reserved(Some(memory), response).into_response());
    }
    let memory = reserve(&shared, &caller, bytes_of(&submission, FEEDBACK_KEY))?;
    let content = shared.store().content(submission.id, FEEDBACK_KEY).await?;
    let content = content.ok_or_else(|| missing(&submission, "feedback"))?;
    Ok(Reserved(Some(memory), as_it_is(content)).into_response())
}

/// A text of the dataset with the feedback as a last column.
async fn beside_rows(
    shared: &Shared,
    caller: &Caller,
    submission: &Submission,
    table: Table,
) -> Result<Response, ApiError> {
    let (id, bytes) = (submission.id, submission.payload_bytes);
    let loaded = loaded(shared, caller, submission).await?;
    let memory = Arc::new(shared.response_permit(caller, bytes.saturating_mul(2))?);
    let written = compute(bytes, move || {
        let text = match table {
            Table::Data => Some(loaded.payload.data.as_str()),
            Table::Events => loaded.payload.event_data.as_deref(),
        };
        let none = || {
            let what = "the text has no header, in which the feedback could be a column";
            ApiError::new(ProblemKind::NotFound, what)
        };
        let text = text.ok_or_else(|| no_events(id))?;
        beside(table, text, &loaded.items).ok_or_else(none)
    });
    Ok(Reserved(Some(memory), as_it_is(csv(written.await?))).into_response())
}

/// The feedback with the rows that it means, and the memory for it.
pub(super) async fn feedback_items(
    shared: &Shared,
    caller: &Caller,
    submission: &Submission,
) -> Result<(Arc<MemoryPermit>, Vec<FeedbackItem>), ApiError> {
    let bytes = bytes_of(submission, FEEDBACK_KEY).saturating_add(submission.payload_bytes);
    let memory = reserve(shared, caller, bytes)?;
    match shared.store().content(submission.id, FEEDBACK_KEY).await? {
        Some(content) => {
            let payload = match shared.store().payload(submission.id).await {
                Ok(payload) => payload,
                // No row is found in it.
                Err(StoreError::NotFound(_)) => Payload::default(),
                Err(error) => return Err(error.into()),
            };
            Ok((memory, located(content, payload).await.0))
        }
        None if submission.state == submission::State::Completed => Ok((memory, Vec::new())),
        None => Err(missing(submission, "feedback")),
    }
}

/// The feedback with its rows, found beside the threads that serve requests: a dataset may be large.
async fn located(content: Content, payload: Payload) -> (Vec<FeedbackItem>, Payload) {
    let bytes = payload.bytes().saturating_add(content.bytes.len() as u64);
    compute(bytes, move || {
        let raw = read(&text(content.content_type.as_deref(), &content.bytes));
        (locate(&raw, Some(&payload.data), payload.event_data.as_deref()), payload)
    })
    .await
}

/// The bytes as they were stored, which no browser runs.
fn as_it_is(content: Content) -> Response {
    let stored = content.content_type.as_deref().and_then(|t| HeaderValue::from_str(t).ok());
    let fallback = HeaderValue::from_static(BYTES);
    let headers = [
        (header::CONTENT_TYPE, stored.unwrap_or(fallback)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    (StatusCode::OK, headers, content.bytes).into_response()
}

fn missing(submission: &Submission, what: &str) -> ApiError {
    let (id, state) = (submission.id, submission.state);
    let reason = submission.reason.as_ref().map(|reason| format!(": {}", reason.text));
    let reason = reason.unwrap_or_default();
    ApiError::not_found(format!("submission {id} is {state} and does not have {what}{reason}"))
}
