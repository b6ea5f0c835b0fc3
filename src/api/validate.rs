//! Validates a dataset as a submission of it would be, and stores nothing.

use std::sync::Arc;

use axum::extract::State;

use super::dataset::{Dataset, ReadError};
use super::error::{ApiError, problems};
use super::json::Json;
use super::shared::Shared;
use crate::pipeline::SourceLabels;
use ferry_store::compute;
use ferry_types::contract::{ValidateRequest, ValidateView};
use ferry_types::domain::dataset::Report;

/// Validates a dataset; a large one beside the threads that serve requests.
pub(super) async fn validate(
    State(shared): State<Arc<Shared>>,
    mut dataset: Dataset<ValidateRequest>,
) -> Result<Json<ValidateView>, ApiError> {
    // Its memory counts until it is validated.
    let _memory = dataset.memory.take();
    let of = shared.clone();
    let reports = compute(dataset.bytes, move || {
        let request = match dataset.read() {
            Ok((request, _)) => request,
            Err(ReadError::Dataset(reports)) => return Ok(reports),
            Err(ReadError::Request(error)) => return Err(error),
        };
        let (events, names) = (request.event_data.as_deref(), SourceLabels::default());
        Ok(of.parts.intake.validate(&request.data, events, &names)?)
    });
    Ok(Json(view(reports.await?)))
}

/// The result as the API shows it.
pub(super) fn view(reports: Vec<Report>) -> ValidateView {
    let error_count = reports.iter().map(|report| report.error_count).sum();
    let warning_count = reports.iter().map(|report| report.warning_count).sum();
    let (problems, omitted) = problems(reports);
    ValidateView { valid: error_count == 0, error_count, warning_count, problems, omitted }
}
