//! Appends events, in the transaction of the change, and removes old ones.

use rusqlite::{Connection, params};

use super::error::SqliteError;
use super::records::millis;
use crate::Event;
use crate::events::{FORGOTTEN, KEPT};
use ferry_types::domain::submission::ReasonCode;

/// Appends an event, which gets its cursor; from time to time the oldest ones are removed.
pub(super) fn append(connection: &Connection, event: &Event) -> Result<(), SqliteError> {
    connection
        .prepare_cached(
            "INSERT INTO events (at, submission, account, name, state, reason_code)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            millis(event.at),
            event.submission.to_string(),
            event.account,
            event.name,
            event.state.as_str(),
            event.reason.map(ReasonCode::as_str),
        ])?;
    let cursor = connection.last_insert_rowid().unsigned_abs();
    if cursor > KEPT && cursor.is_multiple_of(FORGOTTEN) {
        connection
            .prepare_cached("DELETE FROM events WHERE cursor <= ?1")?
            .execute([(cursor - KEPT) as i64])?;
    }
    Ok(())
}

/// Removes some of those from before that time. The last event stays: after it the next is found.
pub(super) fn sweep(connection: &Connection, before: i64) -> Result<(), SqliteError> {
    let aged: Option<i64> = connection
        .prepare_cached(
            "SELECT max(cursor) FROM (SELECT cursor, at FROM events ORDER BY cursor LIMIT ?1)
             WHERE at < ?2 AND cursor < (SELECT max(cursor) FROM events)",
        )?
        .query_row(params![FORGOTTEN as i64, before], |row| row.get(0))?;
    if let Some(aged) = aged {
        connection.prepare_cached("DELETE FROM events WHERE cursor <= ?1")?.execute([aged])?;
    }
    Ok(())
}
