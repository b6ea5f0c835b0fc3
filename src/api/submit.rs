//! Takes submissions in: checked whole, kept durably, and only then answered.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{self, Extension, Path, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::Shared;
use super::caller::Caller;
use super::error::{ApiError, problems};
use super::middleware::json;
use super::params::Params;
use super::request_body::{Given, receive_given};
use super::wait::settled;
use crate::pipeline::{Prepared, SourceLabels, revision};
use ferry_store::{Accepted, StoreError, compute};
use ferry_types::contract::{ProblemKind, SubmissionRequest, SubmissionResponse, SubmissionView};
use ferry_types::domain::submission::State;

/// A new submission.
pub(super) async fn create(
    extract::State(shared): extract::State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut params = Params::of(&parts.uri);
    let wait = params.duration("wait")?;
    let given = receive_given(&shared, &parts.headers, params, body).await?;
    let of = caller.clone();
    let prepared = prepare(&shared, given, move |given| {
        let mut request = given.into_request()?;
        request.account = of.account_for(request.account)?;
        Ok(request)
    })
    .await?;
    keep(&shared, &caller, prepared, wait).await
}

/// A corrected dataset under the Name of an earlier submission, which it overwrites.
pub(super) async fn resubmit(
    extract::State(shared): extract::State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let found = caller.find(shared.parts.store.as_ref(), &id).await?;
    let earlier = found.submission;
    let id = earlier.id;
    if earlier.state == State::Held {
        let what = format!("submission {id} is held, and keeps its Name: resolve it first");
        return Err(ApiError::new(ProblemKind::StateConflict, what));
    }
    let (parts, body) = request.into_parts();
    let mut params = Params::of(&parts.uri);
    let wait = params.duration("wait")?;
    let given = receive_given(&shared, &parts.headers, params, body).await?;
    let mut prepared = prepare(&shared, given, move |given| {
        let traceparent = given.traceparent();
        let corrected = given.into_resubmission()?;
        let mut request = revision(earlier, corrected.data, corrected.event_data);
        request.idempotency_key = corrected.idempotency_key;
        request.traceparent = traceparent;
        Ok(request)
    })
    .await?;
    prepared.new.revision_of = Some(id);
    keep(&shared, &caller, prepared, wait).await
}

/// Reads and checks what was given; what is large, beside the threads that answer requests.
async fn prepare(
    shared: &Arc<Shared>,
    given: Given,
    read: impl FnOnce(Given) -> Result<SubmissionRequest, ApiError> + Send + 'static,
) -> Result<Prepared, ApiError> {
    let shared = shared.clone();
    compute(given.bytes(), move || {
        let request = read(given)?;
        Ok(shared.parts.intake.prepare(request, &SourceLabels::default())?)
    })
    .await
}

async fn keep(
    shared: &Arc<Shared>,
    caller: &Caller,
    prepared: Prepared,
    wait: Option<Duration>,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let new = prepared.new;
    caller.may_use(&new.account)?;
    let room = shared.capacity.room(store, &new.account).await?;
    let accepted = shared.parts.intake.accept(vec![new]).await?;
    let (status, id) = match accepted.first() {
        Some(Accepted::New(id)) => {
            room.used();
            (StatusCode::CREATED, *id)
        }
        Some(Accepted::Duplicate(id)) => (StatusCode::OK, *id),
        Some(Accepted::Conflict(id)) => return Err(ApiError::conflict(*id)),
        None => return Err(ApiError::internal("the store gave no answer")),
    };
    let found = match wait {
        Some(limit) => settled(shared, id, limit).await?,
        None => store.get(id).await?.ok_or(StoreError::NotFound(id))?,
    };
    let (warnings, _) = problems(prepared.reports);
    let submission = SubmissionView::new(found.submission, found.waiting_for);
    let mut response = json(status, &SubmissionResponse { submission, warnings });
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/submissions/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
