//! Errors of the HTTP API: problem details after RFC 9457.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::closed_set;
use crate::domain::SubmissionId;
use crate::domain::dataset::{Difference, Problem as Found, Table};

/// An error, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// Kind of the error: a stable address on the server, whose page explains it.
    #[serde(rename = "type")]
    pub type_uri: String,
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
        InvalidRequest = "/docs#invalid-request",
        /// There is no key, or none that is known.
        Unauthenticated = "/docs#unauthenticated",
        /// The key may not do this.
        Forbidden = "/docs#forbidden",
        /// The server has no keys, and serves only this machine.
        NotLocal = "/docs#not-local",
        /// It does not exist, or not for this key.
        NotFound = "/docs#not-found",
        /// The path does not have this method.
        MethodNotAllowed = "/docs#method-not-allowed",
        /// The body took too long to arrive.
        Timeout = "/docs#timeout",
        /// The state of the submission does not allow it.
        StateConflict = "/docs#state-conflict",
        /// The requested events are no longer retained.
        Gone = "/docs#gone",
        /// The body or the dataset is too large.
        TooLarge = "/docs#too-large",
        /// The body has a type or an encoding that is not accepted.
        UnsupportedMediaType = "/docs#unsupported-media-type",
        /// The dataset has errors, which are listed.
        InvalidDataset = "/docs#invalid-dataset",
        /// A field holds what it must not.
        InvalidField = "/docs#invalid-field",
        /// The idempotency key belongs to other content.
        IdempotencyConflict = "/docs#idempotency-conflict",
        /// Too many submissions of the account are unfinished.
        TooManyUnfinished = "/docs#too-many-unfinished",
        /// An error inside Ferry.
        Internal = "/docs#internal",
        /// The record of the submission cannot be read.
        DamagedSubmission = "/docs#damaged-submission",
        /// Too many requests at once, or the server is stopping.
        Busy = "/docs#busy",
        /// The store cannot be reached.
        StoreUnavailable = "/docs#store-unavailable",
        /// The store can be read, and accepts no writes for now.
        StoreReadOnly = "/docs#store-read-only",
        /// The store has no space left. What is stored can be read.
        StoreFull = "/docs#store-full",
    }
}

/// Of each kind the HTTP status, the title, and the way out, in the order of the kinds.
const ROWS: [(ProblemKind, u16, &str, &str); 21] = [
    (
        ProblemKind::InvalidRequest,
        400,
        "Malformed request",
        "Correct what `detail` names. Nothing was stored.",
    ),
    (
        ProblemKind::Unauthenticated,
        401,
        "API key required",
        "Send `Authorization: Bearer KEY`. An operator creates keys with `ferry keys create --name NAME --role ROLE`; a revoked key \
         is unknown within a second.",
    ),
    (
        ProblemKind::Forbidden,
        403,
        "Insufficient permission",
        "Use a key with the role that `detail` names, or for that account. `GET /v1/whoami` has the role and \
         the accounts of a key.",
    ),
    (
        ProblemKind::NotLocal,
        403,
        "Remote access requires API keys",
        "Create a key with `ferry keys create --name NAME --role ROLE` and set `api_keys`. A server without keys takes requests from \
         its own machine alone.",
    ),
    (
        ProblemKind::NotFound,
        404,
        "Not found",
        "Check the path and the id. What another account has is not found either, and submissions are \
         removed after `retention`.",
    ),
    (
        ProblemKind::MethodNotAllowed,
        405,
        "Method not allowed",
        "Use one of the methods that `Allow` names.",
    ),
    (
        ProblemKind::Timeout,
        408,
        "Request timeout",
        "Send the request again, over a faster connection or with a smaller or compressed body. Nothing was \
         stored.",
    ),
    (
        ProblemKind::StateConflict,
        409,
        "State conflict",
        "Look at the state of the submission. `detail` names the state and what is possible in it.",
    ),
    (
        ProblemKind::Gone,
        410,
        "Events no longer retained",
        "Read the submissions with `GET /v1/submissions`, and then events from the cursor that `detail` \
         names.",
    ),
    (
        ProblemKind::TooLarge,
        413,
        "Body too large",
        "Split the dataset. `detail` names the limit and its setting.",
    ),
    (
        ProblemKind::UnsupportedMediaType,
        415,
        "Unsupported media type",
        "Send one of the types and encodings of the operation. `Accept-Encoding` has the encodings.",
    ),
    (
        ProblemKind::InvalidDataset,
        422,
        "Invalid dataset",
        "Correct the cells that `problems` names, each with its line and column. Nothing was stored. `POST \
         /v1/validate` checks without storing.",
    ),
    (
        ProblemKind::InvalidField,
        422,
        "Invalid field",
        "Correct the field that `field` names. Nothing was stored.",
    ),
    (
        ProblemKind::IdempotencyConflict,
        422,
        "Idempotency key conflict",
        "Use a new key for new content. `submission` is the one that has the key.",
    ),
    (
        ProblemKind::TooManyUnfinished,
        429,
        "Too many unfinished submissions",
        "Wait for `Retry-After` and send it again: nothing was stored. An operator can raise \
         `max_unfinished`.",
    ),
    (
        ProblemKind::Internal,
        500,
        "Internal error",
        "Send it again with the same idempotency key. The log of the server has the cause, under the id in \
         `instance`.",
    ),
    (
        ProblemKind::DamagedSubmission,
        500,
        "Damaged record",
        "An operator finds it with `ferry doctor`. Other submissions are not affected.",
    ),
    (
        ProblemKind::Busy,
        503,
        "Server overloaded",
        "Wait for `Retry-After` and send it again: nothing was stored.",
    ),
    (
        ProblemKind::StoreUnavailable,
        503,
        "Store unavailable",
        "Wait for `Retry-After` and send it again with the same idempotency key.",
    ),
    (
        ProblemKind::StoreReadOnly,
        503,
        "Store read-only",
        "Wait for `Retry-After` and send it again: nothing was stored. What is stored can be read.",
    ),
    (
        ProblemKind::StoreFull,
        507,
        "Store full",
        "An operator makes room. Nothing was stored; what is stored can be read.",
    ),
];

impl ProblemKind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        ROWS[self as usize].1
    }

    /// It in words.
    pub const fn title(self) -> &'static str {
        ROWS[self as usize].2
    }

    /// The way out, as Markdown.
    pub const fn way_out(self) -> &'static str {
        ROWS[self as usize].3
    }

    /// Its name in the address of its explanation.
    pub fn anchor(self) -> &'static str {
        self.as_str().trim_start_matches("/docs#")
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
            type_uri: kind.as_str().to_owned(),
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
        self.type_uri.parse().ok()
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
    fn every_kind_has_its_row() {
        assert_eq!(ROWS.map(|row| row.0), ProblemKind::ALL);
    }

    #[test]
    fn a_title_is_no_sentence() {
        for kind in ProblemKind::ALL {
            let title = kind.title();
            let is_sentence =
                ["The ", "A ", "An ", "It "].iter().any(|begin| title.starts_with(begin));
            assert!(!is_sentence && !title.ends_with('.'), "{title}");
        }
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in ProblemKind::ALL {
            assert_eq!(Problem::new(kind, "").kind(), Some(kind));
        }
    }
}
