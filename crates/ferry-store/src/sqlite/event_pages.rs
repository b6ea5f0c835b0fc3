//! Reads pages of events.

use rusqlite::{OptionalExtension, Row};

use super::error::SqliteError;
use super::read::RecordReader;
use super::records::{maybe_value, value};
use crate::events::log_damaged;
use crate::{Event, Events};
use ferry_types::domain::timestamp;

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
                Err(error) if error.is_of_a_row() => {
                    log_damaged(
                        row.get_ref(0)?.as_i64().unwrap_or_default().unsigned_abs(),
                        &error,
                    );
                }
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
