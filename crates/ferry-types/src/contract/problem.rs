//! Errors of the HTTP API: problem details after RFC 9457.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::closed_set;
use crate::domain::SubmissionId;
use crate::domain::dataset::{Difference, Problem as Found, Table};

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
    /// Differences between the dataset and that of a newer submission of its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Box<Difference>>,
}

closed_set! {
    /// The kinds of errors: a closed set for programs.
    pub enum ProblemKind: "problem" {
        /// The request cannot be read.
        InvalidRequest = "urn:ferry:problem:invalid-request",
        /// There is no key, or none that is known.
        Unauthenticated = "urn:ferry:problem:unauthenticated",
        /// The key may not do this.
        Forbidden = "urn:ferry:problem:forbidden",
        /// The server has no keys, and answers only this machine.
        NotLocal = "urn:ferry:problem:not-local",
        /// It does not exist, or not for this key.
        NotFound = "urn:ferry:problem:not-found",
        /// The path does not take this method.
        MethodNotAllowed = "urn:ferry:problem:method-not-allowed",
        /// The body took too long to arrive.
        Timeout = "urn:ferry:problem:timeout",
        /// The state of the submission does not allow it.
        StateConflict = "urn:ferry:problem:state-conflict",
        /// The requested events are no longer retained.
        Gone = "urn:ferry:problem:gone",
        /// The body or the dataset is too large.
        TooLarge = "urn:ferry:problem:too-large",
        /// The body has a type or an encoding that is not taken.
        UnsupportedMediaType = "urn:ferry:problem:unsupported-media-type",
        /// The dataset has errors, which are listed.
        InvalidDataset = "urn:ferry:problem:invalid-dataset",
        /// A field holds what it must not.
        InvalidField = "urn:ferry:problem:invalid-field",
        /// The idempotency key belongs to other content.
        IdempotencyConflict = "urn:ferry:problem:idempotency-conflict",
        /// Too many submissions of the account wait.
        TooManyUnfinished = "urn:ferry:problem:too-many-unfinished",
        /// An error inside Ferry.
        Internal = "urn:ferry:problem:internal",
        /// The record of the submission cannot be read.
        DamagedSubmission = "urn:ferry:problem:damaged-submission",
        /// Too many requests at once, or the server is stopping.
        Busy = "urn:ferry:problem:busy",
        /// The store cannot be reached.
        StoreUnavailable = "urn:ferry:problem:store-unavailable",
        /// The store can be read, and refuses writes for now.
        StoreReadOnly = "urn:ferry:problem:store-read-only",
        /// The store has no space left. What is stored can be read.
        StoreFull = "urn:ferry:problem:store-full",
    }
}

impl ProblemKind {
    /// The HTTP status and the title.
    const fn row(self) -> (u16, &'static str) {
        match self {
            Self::InvalidRequest => (400, "Malformed request"),
            Self::Unauthenticated => (401, "An API key is needed"),
            Self::Forbidden => (403, "The API key may not do this"),
            Self::NotLocal => (403, "Remote access requires API keys"),
            Self::NotFound => (404, "Not found"),
            Self::MethodNotAllowed => (405, "Method not allowed"),
            Self::Timeout => (408, "The body took too long to arrive"),
            Self::StateConflict => (409, "State conflict"),
            Self::Gone => (410, "Events no longer retained"),
            Self::TooLarge => (413, "The body is too large"),
            Self::UnsupportedMediaType => (415, "The body has the wrong type"),
            Self::InvalidDataset => (422, "The dataset is invalid"),
            Self::InvalidField => (422, "A field is invalid"),
            Self::IdempotencyConflict => (422, "The idempotency key belongs to other content"),
            Self::TooManyUnfinished => (429, "Too many unfinished submissions"),
            Self::Internal => (500, "Internal error"),
            Self::DamagedSubmission => (500, "The submission's record is damaged"),
            Self::Busy => (503, "Server overloaded"),
            Self::StoreUnavailable => (503, "The store cannot be reached"),
            Self::StoreReadOnly => (503, "The store refuses writes"),
            Self::StoreFull => (507, "The store is full"),
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// It in words.
    pub const fn title(self) -> &'static str {
        self.row().1
    }
}

/// A problem of the dataset, with its location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowProblem {
    /// CSV text that has it.
    pub table: Table,
    /// The problem in that text.
    #[serde(flatten)]
    pub found: Found,
}

impl Deref for RowProblem {
    type Target = Found;

    fn deref(&self) -> &Found {
        &self.found
    }
}

impl Problem {
    /// Something of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            urn: kind.as_str().to_owned(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            instance: None,
            field: None,
            submission: None,
            problems: Vec::new(),
            omitted: 0,
            difference: None,
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
        self.urn.parse().ok()
    }
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
