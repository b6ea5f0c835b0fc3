//! The values that arguments can have.

use std::time::Duration;

use ferry_types::domain::Timestamp;

/// A duration such as `50ms`, `2s` or `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 50ms, 2s, 5m, 24h or 30d".to_owned())
}

/// A point in time such as `2026-01-31T18:00:00Z`.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text);
    parsed.map(|time| time.to_utc()).map_err(|_| {
        "expected a time such as 2026-01-31T18:00:00Z or 2026-01-31T19:00:00+01:00".to_owned()
    })
}

/// A label such as `team=north`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
