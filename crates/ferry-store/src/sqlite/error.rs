//! Errors of the store's own functions, which do not know its location.

use std::fmt;

use rusqlite::ErrorCode;

use crate::{StoreError, WriteRefusal};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{IllegalTransitionError, LifecycleError};

/// Cause of a failed operation.
#[derive(Debug)]
pub(super) enum SqliteError {
    /// SQLite could not do it.
    Sqlite(rusqlite::Error),
    /// It must not be done.
    Refused(StoreError),
    /// A row holds what no Ferry wrote.
    Corrupt(String),
}

impl SqliteError {
    /// Returns the error with the location of the store, for callers.
    pub(super) fn with_location(self, location: &str) -> StoreError {
        match self {
            Self::Sqlite(error) if is_damage(&error) => {
                Self::corrupt(error).with_location(location)
            }
            Self::Sqlite(error) => {
                let (location, cause) = (location.to_owned(), error.to_string());
                match refusal(&error) {
                    Some(refusal) => StoreError::WriteRefused { location, refusal, cause },
                    None => StoreError::Unavailable { location, cause },
                }
            }
            Self::Refused(error) => error,
            Self::Corrupt(what) => {
                StoreError::Unusable(format!("the store `{location}` is damaged: {what}"))
            }
        }
    }

    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    /// True if one row is corrupt and nothing else is wrong.
    pub(super) fn is_of_a_row(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code().is_none() && is_damage(error),
            // Its state and its step may contradict each other, too.
            Self::Corrupt(_)
            | Self::Refused(
                StoreError::Damaged { .. } | StoreError::NotAllowed(LifecycleError::Illegal(_)),
            ) => true,
            Self::Refused(_) => false,
        }
    }

    /// The same, if one row is damaged, with the submission that the row belongs to.
    pub(super) fn of_record(self, id: SubmissionId) -> Self {
        match self {
            Self::Refused(_) => self,
            error if error.is_of_a_row() => {
                Self::Refused(StoreError::Damaged { id, cause: error.to_string() })
            }
            error => error,
        }
    }

    pub(super) fn not_found(id: SubmissionId) -> Self {
        Self::Refused(StoreError::NotFound(id))
    }
}

/// Kind of the refusal, if the file can be read and not be written.
fn refusal(error: &rusqlite::Error) -> Option<WriteRefusal> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(WriteRefusal::Full),
        ErrorCode::ReadOnly => Some(WriteRefusal::ReadOnly),
        _ => None,
    }
}

/// True if a later attempt would fail the same way, because the file is corrupt.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
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

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
            Self::Corrupt(what) => f.write_str(what),
        }
    }
}

impl From<LifecycleError> for SqliteError {
    fn from(refusal: LifecycleError) -> Self {
        Self::Refused(StoreError::NotAllowed(refusal))
    }
}

impl From<IllegalTransitionError> for SqliteError {
    fn from(illegal: IllegalTransitionError) -> Self {
        LifecycleError::from(illegal).into()
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
