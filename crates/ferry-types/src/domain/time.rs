//! Points in time and durations between them, clamped to what can be expressed.

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

/// `at` moved `by` into the past, stopping at the beginning of time instead of overflowing.
pub fn earlier(at: Timestamp, by: std::time::Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    timestamp(at.timestamp_millis().saturating_sub(millis))
}

/// Duration from `from` until `to`; zero if that is in the past.
pub fn until(from: Timestamp, to: Timestamp) -> std::time::Duration {
    (to - from).to_std().unwrap_or_default()
}
