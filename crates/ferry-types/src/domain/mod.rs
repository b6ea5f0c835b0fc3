//! What Ferry is about, without I/O, async or a clock: datasets, submissions and their states, what
//! the Platform may answer, and the health of an account. Every other module builds on this one.

pub mod account;
pub mod dataset;
pub mod feedback;
mod id;
pub mod limits;
pub mod outcome;
mod sanitize;
pub mod submission;
mod trace;

pub use id::{InvalidIdError, SubmissionId};
pub use trace::{InvalidTraceParentError, TraceParent};

/// A point in time, in UTC; the store keeps milliseconds.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// The timestamp `millis` milliseconds after the Unix epoch, clamped to what chrono can express.
pub fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(millis).unwrap_or(if millis < 0 {
        Timestamp::MIN_UTC
    } else {
        Timestamp::MAX_UTC
    })
}

/// `at` moved `by` into the future, stopping at the end of time instead of overflowing.
pub fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    timestamp(at.timestamp_millis().saturating_add(millis))
}

/// How long from `from` until `to`; zero if that is in the past.
pub fn until(from: Timestamp, to: Timestamp) -> std::time::Duration {
    (to - from).to_std().unwrap_or_default()
}
