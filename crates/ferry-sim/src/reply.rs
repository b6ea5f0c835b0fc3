//! Replies of the Platform by their meaning; a dialect gives them status, words and form.

/// A reply by its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// A new access token.
    AccessToken { token: String, seconds: u64 },
    /// An error of the token endpoint, in the words of OAuth.
    TokenError { status: u16, error: &'static str },
    /// The processing token of a stored upload.
    Stored { token: String },
    /// The status of a dataset.
    Status(Word),
    /// The feedback about a dataset, none for a valid one.
    Feedback(Vec<RowError>),
    /// A result, which is the same in all dialects.
    Result { content_type: &'static str, body: String },
    /// A rejection, with the dataset name where one is concerned.
    Rejection { why: Rejection, name: String },
    /// A reply that a fault dictates.
    Dictated { status: u16, headers: Vec<(String, String)>, body: String },
}

impl Reply {
    pub(super) fn rejection(why: Rejection) -> Self {
        Self::Rejection { why, name: String::new() }
    }
}

/// Status of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Submitted,
    Processing,
    Completed,
    Failed,
    /// A word that no document names.
    Odd,
}

/// One line of feedback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowError {
    pub(super) row: u64,
    pub(super) value: String,
    pub(super) about: Defect,
}

/// A defect of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    TooFewColumns,
    NoReference,
    UnknownReference,
    NotADate,
    NotATime,
    TimeReference,
}

/// Reason of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    NoSuchPath,
    Unauthorized,
    UnknownKey,
    OtherUsername,
    NotAnUpload,
    BadOverwrite,
    Incomplete,
    NameExists,
    TooLarge,
    BadQuery,
    UnknownToken,
    NotReady,
    DataRejected,
    Throttled,
}
