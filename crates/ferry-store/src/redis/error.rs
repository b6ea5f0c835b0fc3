//! Errors of the store's own functions, before the location is added.

use std::fmt;

use redis::{ErrorKind, ServerErrorKind, Value};

use crate::{StoreError, UnwritableReason};
use ferry_types::domain::SubmissionId;

/// Reason why an operation failed.
#[derive(Debug)]
pub(super) enum RedisError {
    /// Redis could not be asked, or could not do it.
    Redis(redis::RedisError),
    /// No connection could be made: nothing was sent.
    Unreachable(redis::RedisError),
    /// The user lacks rights: nothing was changed.
    MissingRights(String),
    /// It took too long.
    Late(&'static str),
    /// Error that callers get as it is.
    Store(StoreError),
    /// The store has, or responded, what no Ferry wrote.
    Corrupt(String),
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) | Self::Unreachable(error) => f.write_str(&words(error)),
            Self::Late(cause) => f.write_str(cause),
            Self::Store(error) => error.fmt(f),
            Self::MissingRights(what) | Self::Corrupt(what) => f.write_str(what),
        }
    }
}

impl RedisError {
    /// The same for callers, who want to know which store it was.
    pub(super) fn with_location(self, location: &str) -> StoreError {
        match self {
            Self::MissingRights(cause) => StoreError::NotWritable {
                location: location.to_owned(),
                reason: UnwritableReason::MissingRights,
                cause,
            },
            Self::Redis(error) if is_damage(&error) => StoreError::Unusable(format!(
                "the store `{location}` cannot be used: {}",
                words(&error)
            )),
            Self::Redis(error) | Self::Unreachable(error) => {
                let (location, cause) = (location.to_owned(), words(&error));
                match unwritable_reason(&error) {
                    Some(reason) => StoreError::NotWritable { location, reason, cause },
                    None => StoreError::Unavailable { location, cause },
                }
            }
            Self::Late(cause) => {
                StoreError::Unavailable { location: location.to_owned(), cause: cause.to_owned() }
            }
            Self::Store(error) => error,
            Self::Corrupt(what) => {
                StoreError::Unusable(format!("the store `{location}` is damaged: {what}"))
            }
        }
    }

    /// True if the request may have taken effect despite the error.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Redis(error) => !is_damage(error),
            Self::Late(_) => true,
            Self::Unreachable(_) | Self::MissingRights(_) | Self::Store(_) | Self::Corrupt(_) => {
                false
            }
        }
    }

    /// True if the request may have left, and no response came. One script to which the server responds with
    /// an error has changed nothing.
    pub(super) fn got_no_response(&self) -> bool {
        match self {
            Self::Redis(error) => {
                !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
            }
            Self::Late(_) => true,
            Self::Unreachable(_) | Self::MissingRights(_) | Self::Store(_) | Self::Corrupt(_) => {
                false
            }
        }
    }

    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    /// A script returned something else than it promises.
    pub(super) fn response(what: &Value) -> Self {
        Self::Corrupt(format!("unexpected response {what:?}"))
    }

    /// The same where the damage is that of one submission.
    pub(super) fn in_record_of(self, id: SubmissionId) -> Self {
        match self {
            Self::Corrupt(cause) => Self::Store(StoreError::Damaged { id, cause }),
            Self::Redis(error) if is_damage(&error) => {
                Self::Store(StoreError::Damaged { id, cause: error.to_string() })
            }
            other => other,
        }
    }

    pub(super) fn not_found(id: SubmissionId) -> Self {
        Self::Store(StoreError::NotFound(id))
    }
}

/// Returns an error of the server in its own words, as `redis-cli` shows it, without the line of the script.
fn words(error: &redis::RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            let detail = detail.split_once(" script: ").map_or(detail, |(detail, _)| detail);
            format!("{code} {detail}")
        }
        _ => error.to_string(),
    }
}

/// Reason why a server that can be read accepts no writes, if it said so.
fn unwritable_reason(error: &redis::RedisError) -> Option<UnwritableReason> {
    match error.code()? {
        "NOPERM" => Some(UnwritableReason::MissingRights),
        "ERR" if lacks_rights(error) => Some(UnwritableReason::MissingRights),
        "OOM" => Some(UnwritableReason::Full),
        "MISCONF" if error.to_string().contains("No space left") => Some(UnwritableReason::Full),
        "MISCONF" => Some(UnwritableReason::DiskError),
        "READONLY" => Some(UnwritableReason::ReadOnly),
        "NOREPLICAS" => Some(UnwritableReason::TooFewReplicas),
        _ => None,
    }
}

/// True for a script that only reads and may not run one of its commands, in the words of Redis 7 and of later
/// servers.
fn lacks_rights(error: &redis::RedisError) -> bool {
    let begins = |begin| error.detail().is_some_and(|detail| detail.starts_with(begin));
    begins("The user executing the script can't") || begins("ACL failure in script")
}

/// True if a later attempt would fail the same way: a script failed on the data.
fn is_damage(error: &redis::RedisError) -> bool {
    let stumbled = |detail: &str| detail.contains("user_script") || detail.contains("f_");
    match error.code() {
        Some("WRONGTYPE") => true,
        Some("ERR") => {
            error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError)
                && !lacks_rights(error)
                && error.detail().is_some_and(stumbled)
        }
        _ => false,
    }
}

/// True if the connection that brought this error is useless: it is gone, or leads to a
/// server that is not the master any more.
pub(super) fn ends_connection(error: &redis::RedisError) -> bool {
    let demoted = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::Moved
        )
    );
    demoted || error.is_io_error() || error.is_unrecoverable_error()
}

impl From<redis::RedisError> for RedisError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}
