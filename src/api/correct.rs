//! Corrects a submitted dataset cell by cell: the edits are put into the stored texts, and the result is a
//! revision. One of each `base` is accepted, so that none replaces another unseen.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{json_object_within, receive};
use super::body_memory::MemoryPermit;
use super::caller::Caller;
use super::content::{payload, reserve};
use super::error::{ApiError, problems};
use super::found::Found;
use super::json::Json;
use super::openapi::{Input, Operation, Output};
use super::page;
use super::shared::Shared;
use super::submit::may_be_revised;
use crate::pipeline::{SourceLabels, revision};
use ferry_store::{Accepted, Filter, Payload, StoreError, SubmissionDetail, compute};
use ferry_types::contract::ProblemKind::{
    InvalidDataset, InvalidField, InvalidRequest, StateConflict, StoreUnavailable, Timeout,
    TooLarge, TooManyUnfinished, UnsupportedMediaType,
};
use ferry_types::contract::{CorrectRequest, CorrectView, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::dataset::{
    Difference, EditError, Edited, Edits, MAX_EDITS, Report, Table, edited,
};
use ferry_types::domain::submission::Submission;

/// The largest list of edits, and the most values in it: so many edits have four, or the cells of a row.
const LARGEST: u64 = 8 << 20;
pub(super) const MOST_VALUES: usize = 8 * MAX_EDITS;

/// Rows that a conflict lists.
const CONFLICT_ROWS: usize = 20;

/// A list of edits, and its share of the memory.
#[derive(Debug)]
pub(super) struct EditsBody(CorrectRequest, MemoryPermit);

/// Edits of a submission, and the newest submission of its name that their author knows.
#[derive(Debug)]
pub(super) struct Revising {
    /// The submission whose dataset is edited.
    pub(super) earlier: Submission,
    /// The edits.
    pub(super) edits: Edits,
    /// The newest submission that is known.
    pub(super) base: SubmissionId,
}

/// A dataset with edits in it.
#[derive(Debug)]
pub(super) struct Corrected {
    /// The dataset.
    pub(super) payload: Payload,
    /// The counts of all texts together.
    counts: Edited,
}

/// The response to edits.
#[derive(Debug)]
pub(super) struct CorrectResponse {
    status: StatusCode,
    view: CorrectView,
}

impl FromRequest<Arc<Shared>> for EditsBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let limit = LARGEST.min(shared.parts.limits.json_body());
        let received = receive(shared, &parts, body, limit).await?;
        let (bytes, memory) = (received.bytes, received.memory);
        let read = compute(bytes.len() as u64, move || json_object_within(&bytes, MOST_VALUES));
        Ok(Self(read.await?, memory))
    }
}

impl Input for EditsBody {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json_body::<CorrectRequest>().problems(&[
            InvalidRequest,
            Timeout,
            TooLarge,
            UnsupportedMediaType,
        ])
    }
}

impl IntoResponse for CorrectResponse {
    fn into_response(self) -> Response {
        let id = self.view.submission.as_ref().map(|submission| submission.id);
        let mut response = Json(self.view).into_response();
        *response.status_mut() = self.status;
        let location = id.and_then(|id| format!("/v1/submissions/{id}").try_into().ok());
        if let Some(location) = location {
            let location: HeaderValue = location;
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

impl Output for CorrectResponse {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let done = "Dry run, or the same revision of the same `base` exists";
        operation
            .json::<CorrectView>(201, "Revision created", &["Location"])
            .json::<CorrectView>(200, done, &[])
            .problems(&[
                InvalidDataset,
                InvalidField,
                StateConflict,
                TooManyUnfinished,
                StoreUnavailable,
            ])
    }
}

/// Checks edits of a dataset, and unless it is a dry run, submits the revision.
pub(super) async fn correct(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
    EditsBody(request, _memory): EditsBody,
) -> Result<CorrectResponse, ApiError> {
    let earlier = found.submission;
    let base = request.base.unwrap_or(earlier.id);
    let edits = Edits::of(request.edits).map_err(invalid_edits)?;
    let revising = Revising { earlier, edits, base };
    if request.dry_run {
        let view = revising.check(&shared, &caller).await?;
        return Ok(CorrectResponse { status: StatusCode::OK, view });
    }
    let (status, view) = revising.submit(&shared, &caller).await?;
    Ok(CorrectResponse { status, view })
}

pub(super) fn invalid_edits(error: EditError) -> ApiError {
    ApiError::field("edits", error)
}

impl Revising {
    /// The dataset with the edits in it, and the memory for it.
    async fn apply(
        &self,
        shared: &Shared,
        caller: &Caller,
    ) -> Result<(Corrected, Arc<MemoryPermit>), ApiError> {
        may_be_revised(&self.earlier)?;
        let bytes = self.earlier.payload_bytes;
        // The original and the edited one are there at once.
        let memory = reserve(shared, caller, bytes.saturating_mul(2))?;
        let (payload, edits) = (payload(shared, &self.earlier).await?, self.edits.clone());
        let corrected = compute(bytes, move || corrected(&payload, &edits)).await;
        Ok((corrected.map_err(invalid_edits)?, memory))
    }

    /// Checks the dataset, and submits nothing.
    pub(super) async fn check(
        &self,
        shared: &Arc<Shared>,
        caller: &Caller,
    ) -> Result<CorrectView, ApiError> {
        let (corrected, _memory) = self.apply(shared, caller).await?;
        if let Some(newer) = self.newer(shared, caller).await? {
            return Err(self.conflict(shared, caller, newer).await?);
        }
        let reports = corrected.reports(shared).await?;
        let counts = &reports.1;
        if reports.0.iter().any(|report| !report.is_valid()) {
            return Err(ApiError::dataset(reports.0));
        }
        Ok(view(counts, None, reports.0))
    }

    /// Submits the dataset as a revision.
    pub(super) async fn submit(
        &self,
        shared: &Arc<Shared>,
        caller: &Caller,
    ) -> Result<(StatusCode, CorrectView), ApiError> {
        let (Corrected { payload, counts }, _memory) = self.apply(shared, caller).await?;
        if counts.changed_cells + counts.deleted_rows + counts.inserted_rows == 0 {
            return Err(ApiError::field("edits", "they change nothing"));
        }
        if let Some(newer) = self.newer(shared, caller).await? {
            return self.again(shared, caller, newer, &payload, &counts).await;
        }
        let mut request = revision(self.earlier.clone(), payload.data, payload.event_data);
        // Two at once with other edits are a conflict of the store, and with the same ones a duplicate.
        request.idempotency_key = Some(format!("correct-{}", self.base));
        let (intake, of) = (shared.clone(), caller.clone());
        let prepared = compute(self.earlier.payload_bytes, move || {
            intake.parts.intake.prepare(request, &SourceLabels::default())
        });
        let mut prepared = prepared.await.map_err(|error| of.api_error(error))?;
        prepared.new.revision_of = Some(self.earlier.id);
        let room = shared.capacity.room(shared.store(), &prepared.new.account).await?;
        let accepted = shared.parts.intake.accept(vec![prepared.new]).await?;
        let (status, id) = match accepted.first() {
            Some(Accepted::New(id)) => {
                room.used();
                (StatusCode::CREATED, *id)
            }
            Some(Accepted::Duplicate(id)) => (StatusCode::OK, *id),
            Some(Accepted::Conflict(id)) => {
                let newer = shared.store().get(*id).await?.ok_or(StoreError::NotFound(*id))?;
                return Err(self.conflict(shared, caller, newer).await?);
            }
            None => return Err(ApiError::internal("the store gave no response")),
        };
        let found = shared.store().get(id).await?.ok_or(StoreError::NotFound(id))?;
        Ok((status, view(&counts, Some(found), prepared.reports)))
    }

    /// The newest submission of the name, if it is not the one that is known.
    async fn newer(
        &self,
        shared: &Shared,
        caller: &Caller,
    ) -> Result<Option<SubmissionDetail>, ApiError> {
        let newest = newest_of(shared, caller, &self.earlier).await?;
        Ok(newest.filter(|newest| newest.submission.id != self.base))
    }

    /// The response if the newer submission is this revision, submitted before; otherwise a conflict.
    async fn again(
        &self,
        shared: &Shared,
        caller: &Caller,
        newer: SubmissionDetail,
        payload: &Payload,
        counts: &Edited,
    ) -> Result<(StatusCode, CorrectView), ApiError> {
        let is_revision = newer.submission.revision_of == Some(self.earlier.id);
        if is_revision && newer.submission.payload_bytes == payload.bytes() {
            let _memory = reserve(shared, caller, payload.bytes())?;
            if super::content::payload(shared, &newer.submission).await? == *payload {
                return Ok((StatusCode::OK, view(counts, Some(newer), Vec::new())));
            }
        }
        Err(self.conflict(shared, caller, newer).await?)
    }

    /// The error that a newer submission causes, with what differs between the edited dataset and
    /// its own.
    async fn conflict(
        &self,
        shared: &Shared,
        caller: &Caller,
        newer: SubmissionDetail,
    ) -> Result<ApiError, ApiError> {
        let newer = newer.submission;
        let what = format!(
            "{} is newer than `base`, and has the same name: look at the difference, and send its id \
             as `base` to replace it",
            newer.id
        );
        let mut error = ApiError::new(StateConflict, what);
        error.problem.submission = Some(newer.id);
        // A dataset that is not retained has no difference.
        let difference = difference(shared, caller, (&self.earlier, &newer), 0, CONFLICT_ROWS);
        error.problem.difference = difference.await.ok().map(|(found, _)| Box::new(found));
        Ok(error)
    }
}

/// The newest submission of the same account and name.
pub(super) async fn newest_of(
    shared: &Shared,
    caller: &Caller,
    submission: &Submission,
) -> Result<Option<SubmissionDetail>, ApiError> {
    let _memory = page::reserve(shared, caller, 1)?;
    let filter = Filter {
        name: Some(submission.name.clone()),
        accounts: vec![submission.account.clone()],
        ..Filter::default()
    };
    let page = shared.store().list(&filter, None, 1).await?;
    Ok(page.found.into_iter().next())
}

/// The differences between the datasets of two submissions, and the memory for them.
pub(super) async fn difference(
    shared: &Shared,
    caller: &Caller,
    (before, after): (&Submission, &Submission),
    from: u64,
    count: usize,
) -> Result<(Difference, Arc<MemoryPermit>), ApiError> {
    let bytes = before.payload_bytes.saturating_add(after.payload_bytes);
    // The texts, and the places of their rows.
    let memory = reserve(shared, caller, bytes)?;
    let (before, after) = (payload(shared, before).await?, payload(shared, after).await?);
    let found = compute(bytes, move || {
        let mut found = Difference::default();
        found.add(Table::Data, (&before.data, &after.data), from, count);
        let events = [&before, &after].map(|one| one.event_data.as_deref().unwrap_or_default());
        found.add(Table::Events, (events[0], events[1]), from, count);
        found
    });
    Ok((found.await, memory))
}

/// The dataset with these edits.
pub(super) fn corrected(payload: &Payload, edits: &Edits) -> Result<Corrected, EditError> {
    let mut counts = Edited::default();
    let mut text = |table, text: &str| {
        let edited = edited(table, text, edits.of_text(table))?;
        counts.changed_cells += edited.changed_cells;
        counts.changed_rows += edited.changed_rows;
        counts.deleted_rows += edited.deleted_rows;
        counts.inserted_rows += edited.inserted_rows;
        Ok(edited.text)
    };
    let data = text(Table::Data, &payload.data)?;
    let events = payload.event_data.as_deref();
    if events.is_none() && !edits.of_text(Table::Events).is_empty() {
        let row = edits.of_text(Table::Events).rows().next().map_or(0, |(row, _)| row);
        return Err(EditError::NoRow { table: Table::Events, row });
    }
    let event_data = events.map(|events| text(Table::Events, events)).transpose()?;
    Ok(Corrected { payload: Payload { data, event_data }, counts })
}

impl Corrected {
    async fn reports(self, shared: &Arc<Shared>) -> Result<(Vec<Report>, Edited), ApiError> {
        let (intake, bytes) = (shared.clone(), self.payload.bytes());
        let reports = compute(bytes, move || {
            let (Payload { data, event_data }, names) = (self.payload, SourceLabels::default());
            let reports = intake.parts.intake.validate(&data, event_data.as_deref(), &names)?;
            Ok::<_, crate::pipeline::IntakeError>((reports, self.counts))
        });
        Ok(reports.await?)
    }
}

fn view(counts: &Edited, found: Option<SubmissionDetail>, reports: Vec<Report>) -> CorrectView {
    CorrectView {
        changed_cells: counts.changed_cells,
        changed_rows: counts.changed_rows,
        deleted_rows: counts.deleted_rows,
        inserted_rows: counts.inserted_rows,
        submission: found.map(|found| SubmissionView::new(found.submission, found.waiting_for)),
        warnings: problems(reports).0,
    }
}
