//! Accepts submissions: each is validated whole and durable before the response.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body_memory::MemoryPermit;
use super::caller::Caller;
use super::dataset::{Dataset, DatasetRequest};
use super::error::{ApiError, problems};
use super::found::Found;
use super::json::Json;
use super::openapi::{Operation, Output};
use super::shared::Shared;
use super::wait::settled;
use crate::pipeline::{Prepared, SourceLabels, revision};
use ferry_store::{Accepted, StoreError, compute};
use ferry_types::contract::{
    ProblemKind, ResubmitRequest, SubmissionRequest, SubmissionResponse, SubmissionView,
};
use ferry_types::domain::submission::{self, Submission};
use ferry_types::domain::{SubmissionId, TraceParent};

/// The response to a dataset.
#[derive(Debug)]
pub(super) struct Submitted {
    status: StatusCode,
    response: SubmissionResponse,
}

impl Submitted {
    /// The id of the submission.
    pub(super) fn id(&self) -> SubmissionId {
        self.response.submission.id
    }
}

impl IntoResponse for Submitted {
    fn into_response(self) -> Response {
        let location = format!("/v1/submissions/{}", self.response.submission.id);
        let mut response = Json(self.response).into_response();
        *response.status_mut() = self.status;
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

impl Output for Submitted {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let duplicate = "Submission already exists for this key";
        operation
            .json::<SubmissionResponse>(201, "Submission created", &["Location"])
            .json::<SubmissionResponse>(200, duplicate, &["Location"])
    }
}

/// Accepts a new submission.
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    dataset: Dataset<SubmissionRequest>,
) -> Result<Submitted, ApiError> {
    let (wait, of) = (dataset.wait, caller.clone());
    let (prepared, memory) = prepare(&shared, &caller, dataset, move |mut request, traceparent| {
        request.account = of.account_for(request.account)?;
        request.traceparent = request.traceparent.or(traceparent);
        Ok(request)
    })
    .await?;
    accept(&shared, &caller, (prepared, memory), wait).await
}

/// Accepts a corrected dataset under the name of an earlier submission, which it overwrites.
pub(super) async fn resubmit(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
    dataset: Dataset<ResubmitRequest>,
) -> Result<Submitted, ApiError> {
    let earlier = found.submission;
    let id = earlier.id;
    may_be_revised(&earlier)?;
    let wait = dataset.wait;
    let (mut prepared, memory) =
        prepare(&shared, &caller, dataset, move |corrected, traceparent| {
            let mut request = revision(earlier, corrected.data, corrected.event_data);
            request.idempotency_key = corrected.idempotency_key;
            request.traceparent = traceparent;
            Ok(request)
        })
        .await?;
    prepared.new.revision_of = Some(id);
    accept(&shared, &caller, (prepared, memory), wait).await
}

/// Returns an error for a submission that must be resolved before it gets a revision.
pub(super) fn may_be_revised(submission: &Submission) -> Result<(), ApiError> {
    if submission.state != submission::State::Held {
        return Ok(());
    }
    let id = submission.id;
    let what = format!("submission {id} is held, and occupies its name: resolve it first");
    Err(ApiError::new(ProblemKind::StateConflict, what))
}

/// Reads and validates a dataset; a large one beside the threads that serve requests. Its memory counts
/// until it is stored.
async fn prepare<T: DatasetRequest + 'static>(
    shared: &Arc<Shared>,
    caller: &Caller,
    mut dataset: Dataset<T>,
    complete: impl FnOnce(T, Option<TraceParent>) -> Result<SubmissionRequest, ApiError>
    + Send
    + 'static,
) -> Result<(Prepared, Option<MemoryPermit>), ApiError> {
    let (shared, caller, memory) = (shared.clone(), caller.clone(), dataset.memory.take());
    compute(dataset.bytes, move || {
        let (request, traceparent) = dataset.read()?;
        let request = complete(request, traceparent)?;
        let prepared = shared.parts.intake.prepare(request, &SourceLabels::default());
        Ok((prepared.map_err(|error| caller.api_error(error))?, memory))
    })
    .await
}

/// Accepts what was prepared.
pub(super) async fn accept(
    shared: &Shared,
    caller: &Caller,
    (prepared, memory): (Prepared, Option<MemoryPermit>),
    wait: Option<Duration>,
) -> Result<Submitted, ApiError> {
    let new = prepared.new;
    caller.may_use(&new.account)?;
    let room = shared.capacity.room(shared.store(), &new.account).await?;
    let accepted = shared.parts.intake.accept(vec![new]).await?;
    drop(memory);
    let (status, id) = match accepted.first() {
        Some(Accepted::New(id)) => {
            room.used();
            (StatusCode::CREATED, *id)
        }
        Some(Accepted::Duplicate(id)) => (StatusCode::OK, *id),
        Some(Accepted::Conflict(id)) => return Err(ApiError::conflict(*id)),
        None => return Err(ApiError::internal("the store gave no response")),
    };
    let found = match wait {
        Some(limit) => settled(shared, caller, id, limit).await?,
        None => shared.store().get(id).await?.ok_or(StoreError::NotFound(id))?,
    };
    let (warnings, _) = problems(prepared.reports);
    let submission = SubmissionView::new(found.submission, found.waiting_for);
    Ok(Submitted { status, response: SubmissionResponse { submission, warnings } })
}
