//! The processes that use the file.

use rusqlite::{Connection, Row, params};

use super::error::SqliteError;
use super::read::RecordReader;
use super::records::{duration_millis, millis};
use crate::{MOST_PROCESSES, SILENT_LISTED, StoredProcess};
use ferry_types::domain::{Heartbeat, Timestamp, timestamp, until};

pub(super) fn beat(
    connection: &Connection,
    heartbeat: &Heartbeat,
    now: Timestamp,
) -> Result<(), SqliteError> {
    let text = serde_json::to_string(heartbeat).map_err(SqliteError::corrupt)?;
    let now = millis(now);
    connection
        .prepare_cached("INSERT OR REPLACE INTO processes VALUES (?1, ?2, ?3)")?
        .execute(params![heartbeat.id, now, text])?;
    connection
        .prepare_cached("DELETE FROM processes WHERE at < ?1")?
        .execute([now.saturating_sub(duration_millis(SILENT_LISTED))])?;
    connection
        .prepare_cached(
            "DELETE FROM processes WHERE (SELECT count(*) FROM processes) > ?1
             AND id NOT IN (SELECT id FROM processes ORDER BY at DESC LIMIT ?1)",
        )?
        .execute([MOST_PROCESSES as i64])?;
    Ok(())
}

pub(super) fn end(connection: &Connection, id: &str) -> Result<(), SqliteError> {
    connection.prepare_cached("DELETE FROM processes WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Those whose heartbeats can be read.
pub(super) fn list(reader: &RecordReader<'_>) -> Result<Vec<StoredProcess>, SqliteError> {
    let sql = "SELECT at, heartbeat FROM processes ORDER BY at DESC LIMIT ?1";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let (at, text) = (row.get_ref(0)?.as_i64().ok(), row.get_ref(1)?.as_str().ok());
        let heartbeat = text.and_then(|text| serde_json::from_str(text).ok());
        Ok(at.map(timestamp).zip(heartbeat))
    };
    let rows = statement.query_map([MOST_PROCESSES as i64], read)?;
    let rows: Vec<Option<(Timestamp, Heartbeat)>> = rows.collect::<Result<_, _>>()?;
    let found = rows.into_iter().flatten();
    let shown = |(at, heartbeat)| StoredProcess { heartbeat, at, age: until(at, reader.now) };
    Ok(found.map(shown).collect())
}
