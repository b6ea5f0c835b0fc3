//! Errors of the HTTP API: problem details after RFC 9457.

use serde::{Deserialize, Serialize};

use crate::domain::SubmissionId;
use crate::domain::dataset::{Kind, Problem as Found, Severity, Table};

/// An error, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// Kind of the error, as a stable name.
    #[serde(rename = "type")]
    pub urn: String,
    /// The kind, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Description of this error.
    #[serde(default)]
    pub detail: String,
    /// The id of the request that it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The field of the request that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The submission that causes the conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<SubmissionId>,
    /// Problems of the dataset, in the order of the lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<RowProblem>,
    /// Count of problems that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
}

/// The kinds of errors: a closed set for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The request cannot be read.
    InvalidRequest,
    /// There is no key, or none that is known.
    Unauthenticated,
    /// The key may not do this.
    Forbidden,
    /// The server has no keys, and answers only this machine.
    NotLocal,
    /// It does not exist, or not for this key.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The body took too long to arrive.
    Timeout,
    /// The state of the submission does not allow it.
    StateConflict,
    /// The requested events are no longer retained.
    Gone,
    /// The body or the dataset is too large.
    TooLarge,
    /// The body has a type or an encoding that is not taken.
    UnsupportedMediaType,
    /// The dataset has errors, which are listed.
    InvalidDataset,
    /// A field holds what it must not.
    InvalidField,
    /// The idempotency key belongs to other content.
    IdempotencyConflict,
    /// Too many submissions of the account wait.
    TooManyUnfinished,
    /// An error inside Ferry.
    Internal,
    /// The record of the submission cannot be read.
    DamagedSubmission,
    /// Too many requests at once, or the server is stopping.
    Busy,
    /// The store cannot be reached.
    StoreUnavailable,
    /// The store can be read, and refuses writes for now.
    StoreReadOnly,
    /// The store has no space left. What is stored can be read.
    StoreFull,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotLocal,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::StateConflict,
        Self::Gone,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidDataset,
        Self::InvalidField,
        Self::IdempotencyConflict,
        Self::TooManyUnfinished,
        Self::Internal,
        Self::DamagedSubmission,
        Self::Busy,
        Self::StoreUnavailable,
        Self::StoreReadOnly,
        Self::StoreFull,
    ];

    /// The name, the HTTP status and the title.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidRequest => ("urn:ferry:problem:invalid-request", 400, "Malformed request"),
            Self::Unauthenticated => {
                ("urn:ferry:problem:unauthenticated", 401, "An API key is needed")
            }
            Self::Forbidden => ("urn:ferry:problem:forbidden", 403, "The API key may not do this"),
            Self::NotLocal => {
                ("urn:ferry:problem:not-local", 403, "Remote access requires API keys")
            }
            Self::NotFound => ("urn:ferry:problem:not-found", 404, "Not found"),
            Self::MethodNotAllowed => {
                ("urn:ferry:problem:method-not-allowed", 405, "Method not allowed")
            }
            Self::Timeout => ("urn:ferry:problem:timeout", 408, "The body took too long to arrive"),
            Self::StateConflict => ("urn:ferry:problem:state-conflict", 409, "State conflict"),
            Self::Gone => ("urn:ferry:problem:gone", 410, "Events no longer retained"),
            Self::TooLarge => ("urn:ferry:problem:too-large", 413, "The body is too large"),
            Self::UnsupportedMediaType => {
                ("urn:ferry:problem:unsupported-media-type", 415, "The body has the wrong type")
            }
            Self::InvalidDataset => {
                ("urn:ferry:problem:invalid-dataset", 422, "The dataset is invalid")
            }
            Self::InvalidField => ("urn:ferry:problem:invalid-field", 422, "A field is invalid"),
            Self::IdempotencyConflict => (
                "urn:ferry:problem:idempotency-conflict",
                422,
                "The idempotency key belongs to other content",
            ),
            Self::TooManyUnfinished => {
                ("urn:ferry:problem:too-many-unfinished", 429, "Too many unfinished submissions")
            }
            Self::Internal => ("urn:ferry:problem:internal", 500, "Internal error"),
            Self::DamagedSubmission => {
                ("urn:ferry:problem:damaged-submission", 500, "The submission's record is damaged")
            }
            Self::Busy => ("urn:ferry:problem:busy", 503, "Server overloaded"),
            Self::StoreUnavailable => {
                ("urn:ferry:problem:store-unavailable", 503, "The store cannot be reached")
            }
            Self::StoreReadOnly => {
                ("urn:ferry:problem:store-read-only", 503, "The store refuses writes")
            }
            Self::StoreFull => ("urn:ferry:problem:store-full", 507, "The store is full"),
        }
    }

    /// The stable name for it.
    pub const fn urn(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// It in words.
    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

/// A problem of the dataset, with its location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowProblem {
    /// CSV text that has it.
    pub table: Table,
    /// Severity: an error makes the dataset invalid.
    pub severity: Severity,
    /// Kind of the problem, for programs.
    pub kind: Kind,
    /// The physical line, from 1; null if the whole text is meant.
    pub line: Option<u64>,
    /// The data row, from 1; null for the header or the whole text.
    pub row: Option<u64>,
    /// The column, where one is meant.
    pub column: Option<String>,
    /// The invalid value, shortened.
    pub value: Option<String>,
    /// Description of the problem.
    pub message: String,
    /// Expected form.
    pub expected: String,
    /// Number of cells, rows or lines that have it; the location is that of the first.
    #[serde(default = "one")]
    pub count: u64,
    /// True if `ferry validate --fix` removes it, beyond doubt and without loss.
    #[serde(default)]
    pub fixable: bool,
}

impl Problem {
    /// Something of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            urn: kind.urn().to_owned(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            instance: None,
            field: None,
            submission: None,
            problems: Vec::new(),
            omitted: 0,
        }
    }

    /// Its kind; none if this version does not know it.
    ///
    /// ```
    /// use ferry_types::contract::{Problem, ProblemKind};
    ///
    /// let problem = Problem::new(ProblemKind::TooLarge, "the body is too large");
    /// assert_eq!(problem.kind(), Some(ProblemKind::TooLarge));
    /// assert_eq!(problem.status, 413);
    /// ```
    pub fn kind(&self) -> Option<ProblemKind> {
        ProblemKind::ALL.into_iter().find(|kind| kind.urn() == self.urn)
    }
}

impl RowProblem {
    /// A problem in `table`.
    pub fn new(table: Table, found: Found) -> Self {
        Self {
            table,
            severity: found.severity,
            kind: found.kind,
            line: found.line,
            row: found.row,
            column: found.column,
            value: found.value,
            message: found.message,
            expected: found.expected,
            count: found.count,
            fixable: found.fixable,
        }
    }
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in ProblemKind::ALL {
            assert_eq!(Problem::new(kind, "").kind(), Some(kind));
        }
    }
}
