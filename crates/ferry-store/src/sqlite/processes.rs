//! The processes that use the file.

use rusqlite::{Connection, Row, params};

use super::error::SqliteError;
use super::read::RecordReader;
use super::records::{duration_millis, millis};
use crate::{DamagedHeartbeat, MOST_PROCESSES, SILENT_LISTED, StoredProcess, StoredProcesses};
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

pub(super) fn list(reader: &RecordReader<'_>) -> Result<StoredProcesses, SqliteError> {
    let sql = "SELECT id, at, heartbeat FROM processes ORDER BY at DESC LIMIT ?1";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([MOST_PROCESSES as i64])?;
    let mut processes = StoredProcesses::default();
    while let Some(row) = rows.next()? {
        match read(row, reader.now) {
            Ok(process) => processes.found.push(process),
            Err(error) if error.is_of_a_row() => {
                let id = String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default());
                let (process, cause) = (id.into_owned(), error.to_string());
                processes.damaged.push(DamagedHeartbeat { process, cause });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(processes)
}

fn read(row: &Row<'_>, now: Timestamp) -> Result<StoredProcess, SqliteError> {
    let at = timestamp(row.get(1)?);
    let text: String = row.get(2)?;
    let heartbeat = serde_json::from_str(&text).map_err(SqliteError::corrupt)?;
    Ok(StoredProcess { heartbeat, at, age: until(at, now) })
}
