//! Responses that are errors: a problem, and a header that says what to do about it.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::pipeline::IntakeError;
use ferry_store::{StoreError, UnwritableReason};
use ferry_types::contract::{Problem, ProblemKind, RowProblem};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::dataset::{Report, Table, grouped};

/// A dataset's problems are listed up to this many.
const MOST_PROBLEMS: usize = 1000;

/// Delay after which a client may try a write again that the store did not accept: an operator must act.
const UNWRITABLE_DELAY: Duration = Duration::from_secs(30);

/// A request that was not done.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) problem: Box<Problem>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl ApiError {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(kind, detail)), header: None }
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::InvalidRequest, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, detail)
    }

    pub(super) fn field(name: &str, what: impl std::fmt::Display) -> Self {
        let mut error = Self::new(ProblemKind::InvalidField, format!("`{name}`: {what}"));
        error.problem.field = Some(name.to_owned());
        error
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Internal, detail)
    }

    /// The idempotency key belongs to this submission.
    pub(super) fn conflict(id: SubmissionId) -> Self {
        let what = format!("the idempotency key belongs to {id}, which has other content");
        let mut error = Self::new(ProblemKind::IdempotencyConflict, what);
        error.problem.submission = Some(id);
        error
    }

    pub(super) fn retry_after(self, delay: Duration) -> Self {
        self.with(header::RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)))
    }

    /// With at most so many problems of the dataset; the others are counted.
    pub(super) fn shortened(mut self, most: usize) -> Self {
        let problems = &mut self.problem.problems;
        let unlisted = problems.split_off(problems.len().min(most));
        problems.shrink_to_fit();
        self.problem.omitted += unlisted.iter().map(|problem| problem.count).sum::<u64>();
        self
    }

    /// With a header that says what to do.
    pub(super) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    pub(super) fn dataset(reports: Vec<Report>) -> Self {
        let mut error = Self::new(ProblemKind::InvalidDataset, String::new());
        let count: u64 = reports.iter().map(|report| report.error_count).sum();
        let unchecked = |report: &&Report| report.unchecked_rows > 0;
        let within = reports.iter().find(unchecked).map(|report| {
            let checked = grouped(report.rows - report.unchecked_rows);
            format!(" in the first {checked} of {} rows", grouped(report.rows))
        });
        let within = within.unwrap_or_default();
        let (errors, omitted) = problems(reports);
        error.problem.detail = match errors.as_slice() {
            [only] if count == 1 => format!("the dataset has an error: {}", only.message),
            _ => format!("the dataset has {} errors{within}; nothing was stored", grouped(count)),
        };
        error.problem.problems = errors;
        error.problem.omitted = omitted;
        error
    }
}

/// The problems of the texts, which stand in the order of the tables, and how many are not listed.
pub(super) fn problems(reports: Vec<Report>) -> (Vec<RowProblem>, u64) {
    let tables = [Table::Data, Table::Events];
    let mut omitted = reports.iter().map(|report| report.omitted).sum();
    let mut all: Vec<RowProblem> = Vec::new();
    for (report, table) in reports.into_iter().zip(tables) {
        all.extend(report.problems.into_iter().map(|found| RowProblem { table, found }));
    }
    let unlisted = all.split_off(all.len().min(MOST_PROBLEMS));
    omitted += unlisted.iter().map(|problem| problem.count).sum::<u64>();
    (all, omitted)
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        let detail = error.to_string();
        match error {
            IntakeError::Dataset(reports) => Self::dataset(reports),
            IntakeError::TooLarge { .. } => Self::new(ProblemKind::TooLarge, detail),
            IntakeError::Field { field, what } => Self::field(field, what),
            IntakeError::UnknownAccount { .. } | IntakeError::AccountNeeded(_) => {
                let mut error = Self::new(ProblemKind::InvalidField, detail);
                error.problem.field = Some("account".to_owned());
                error
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound(_) | StoreError::UnknownAccount(_) => {
                Self::not_found(error.to_string())
            }
            StoreError::NotAllowed(_) | StoreError::Taken(_) | StoreError::TooLarge(_) => {
                Self::new(ProblemKind::StateConflict, error.to_string())
            }
            StoreError::Damaged { id, .. } => {
                tracing::error!(%error, "a request failed");
                let mut damaged = Self::new(ProblemKind::DamagedSubmission, error.to_string());
                damaged.problem.submission = Some(*id);
                damaged
            }
            StoreError::Unusable(_) => {
                tracing::error!(%error, "the store cannot be used");
                Self::new(ProblemKind::Internal, "the store cannot be used; the log says why")
            }
            StoreError::NotWritable { reason, .. } => {
                tracing::debug!(%error, "a request failed");
                let kind = match reason {
                    UnwritableReason::Full => ProblemKind::StoreFull,
                    _ => ProblemKind::StoreReadOnly,
                };
                let detail = format!("the store {reason}; nothing was stored, try again later");
                Self::new(kind, detail).retry_after(UNWRITABLE_DELAY)
            }
            StoreError::Unavailable { .. } => {
                tracing::debug!(%error, "a request failed");
                Self::new(ProblemKind::StoreUnavailable, "the store cannot be reached; try again")
                    .retry_after(Duration::from_secs(1))
            }
        }
    }
}

impl IntoResponse for ApiError {
    /// The middleware writes the body, because there the id of the request is known.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status);
        let mut response = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(self.problem);
        response
    }
}
