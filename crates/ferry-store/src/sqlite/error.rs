//! Errors of the store's own functions, which do not know its location.

use std::fmt;

use rusqlite::ErrorCode;

use crate::{StoreError, UnwritableReason};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{IllegalTransitionError, LifecycleError};

/// Cause of a failed operation.
#[derive(Debug)]
pub(super) enum SqliteError {
    /// SQLite could not do it.
    Sqlite(rusqlite::Error),
    /// Error that callers get as it is.
    Store(StoreError),
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
                match unwritable_reason(&error) {
                    Some(reason) => StoreError::NotWritable { location, reason, cause },
                    None => StoreError::Unavailable { location, cause },
                }
            }
            Self::Store(error) => error,
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
            | Self::Store(
                StoreError::Damaged { .. } | StoreError::NotAllowed(LifecycleError::Illegal(_)),
            ) => true,
            Self::Store(_) => false,
        }
    }

    /// The same, if one row is damaged, with the submission that the row belongs to.
    pub(super) fn of_record(self, id: SubmissionId) -> Self {
        match self {
            Self::Store(_) => self,
            error if error.is_of_a_row() => {
                Self::Store(StoreError::Damaged { id, cause: error.to_string() })
            }
            error => error,
        }
    }

    pub(super) fn not_found(id: SubmissionId) -> Self {
        Self::Store(StoreError::NotFound(id))
    }
}

/// Reason why the file can be read and not be written, if that is the error.
fn unwritable_reason(error: &rusqlite::Error) -> Option<UnwritableReason> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(UnwritableReason::Full),
        ErrorCode::ReadOnly => Some(UnwritableReason::ReadOnly),
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
            Self::Store(error) => error.fmt(f),
            Self::Corrupt(what) => f.write_str(what),
        }
    }
}

impl From<LifecycleError> for SqliteError {
    fn from(error: LifecycleError) -> Self {
        Self::Store(StoreError::NotAllowed(error))
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
