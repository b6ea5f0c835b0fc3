//! What changed: told in the transaction that changes it, and forgotten in time.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::SqliteError;
use super::read::RecordReader;
use super::records::{maybe_value, millis, value};
use crate::events::{FORGOTTEN, KEPT};
use crate::{Event, Events};
use ferry_types::domain::submission::ReasonCode;
use ferry_types::domain::timestamp;

/// Appends an event, whose cursor is given here. Now and then the oldest ones make room.
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

/// Forgets some of those from before that time. The last event stays: after it the next is found.
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

impl RecordReader<'_> {
    pub(super) fn events(&self, after: u64, limit: usize) -> Result<Events, SqliteError> {
        let bound = |sql: &str| -> Result<Option<i64>, SqliteError> {
            let mut statement = self.connection.prepare_cached(sql)?;
            Ok(statement.query_row([], |row| row.get(0)).optional()?.flatten())
        };
        let first = bound("SELECT min(cursor) FROM events")?;
        let newest = bound("SELECT max(cursor) FROM events")?.unwrap_or_default().unsigned_abs();
        let mut statement = self.connection.prepare_cached(
            "SELECT cursor, submission, account, name, state, reason_code, at FROM events
             WHERE cursor > ?1 ORDER BY cursor",
        )?;
        let most = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut rows = statement.query([most(after)])?;
        let mut events = Vec::new();
        while events.len() < limit
            && let Some(row) = rows.next()?
        {
            match event(row) {
                Ok(event) => events.push(event),
                // The others must be found.
                Err(error) if error.is_of_a_row() => {}
                Err(error) => return Err(error),
            }
        }
        let epoch = super::standing::read(self.connection, 0)?.newest.epoch;
        Ok(Events {
            epoch,
            events,
            oldest: first.map_or(newest, |first| first.unsigned_abs() - 1),
            newest,
        })
    }
}

fn event(row: &Row<'_>) -> Result<Event, SqliteError> {
    Ok(Event {
        cursor: row.get::<_, i64>(0)?.unsigned_abs(),
        submission: value(row, 1)?,
        account: row.get(2)?,
        name: row.get(3)?,
        state: value(row, 4)?,
        reason: maybe_value(row, 5)?,
        at: timestamp(row.get(6)?),
    })
}
