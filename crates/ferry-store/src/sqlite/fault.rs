//! What can go wrong inside the store's own functions, before it is known where.

use crate::StoreError;
use ferry_types::domain::SubmissionId;

/// Why an operation failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite could not do it.
    Sqlite(rusqlite::Error),
    /// It must not be done.
    Refused(StoreError),
    /// A row holds what no Ferry wrote.
    Corrupt(String),
}

impl Fault {
    /// The same for callers, who want to know which store it was.
    pub(super) fn at(self, place: &str) -> StoreError {
        match self {
            Self::Sqlite(error) if is_damage(&error) => Self::corrupt(error).at(place),
            Self::Sqlite(error) => {
                StoreError::Unavailable { place: place.to_owned(), cause: error.to_string() }
            }
            Self::Refused(error) => error,
            Self::Corrupt(what) => {
                StoreError::Unusable(format!("the store `{place}` is damaged: {what}"))
            }
        }
    }

    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    pub(super) fn not_allowed(what: String) -> Self {
        Self::Refused(StoreError::NotAllowed(what))
    }

    pub(super) fn not_found(id: SubmissionId) -> Self {
        Self::Refused(StoreError::NotFound(id))
    }
}

/// Whether a later try would fail the same way, because the file holds what it should not.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::{Error, ErrorCode};
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => true,
        error => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ),
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
