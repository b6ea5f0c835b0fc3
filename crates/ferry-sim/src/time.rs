//! Points in time, which callers hand in.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The time so much later, or the last one there is.
pub(super) fn later(at: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let delay = TimeDelta::from_std(delay).ok();
    delay.and_then(|delay| at.checked_add_signed(delay)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A date as HTTP writes it.
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
