//! Reads and changes what the file says of its history of events.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::SqliteError;
use crate::Standing;
use crate::continuity::{EPOCHS, NO_EPOCH};
use crate::store_time::StoredTime;

/// Content of an event: equal only for the same event.
const EVENT: &str = "quote(at) || ' ' || quote(submission) || ' ' || quote(state)";

/// Reads the standing; `requested` is the number of an event to read, or 0.
pub(super) fn read(connection: &Connection, requested: u64) -> Result<Standing, SqliteError> {
    // What is no text is shown as one: of a damaged epoch that it is another one can be said.
    let lossy = |row: &Row<'_>, column| {
        let text = row.get_ref(column)?.as_bytes_or_null().unwrap_or_default();
        Ok::<_, rusqlite::Error>(text.map(|text| String::from_utf8_lossy(text).into_owned()))
    };
    let text = [
        "SELECT iif(typeof(epochs) = 'text', epochs, hex(epochs)),
                iif(typeof(lost) IN ('text', 'null'), lost, hex(lost)),
                newest.cursor, newest.event, (SELECT ",
        EVENT,
        " FROM events WHERE cursor = ?1), (SELECT seq FROM sqlite_sequence WHERE name = 'events')
         FROM store LEFT JOIN (SELECT cursor, ",
        EVENT,
        " AS event FROM events ORDER BY cursor DESC LIMIT 1) AS newest",
    ];
    let requested = i64::try_from(requested).unwrap_or(i64::MAX);
    let standing = |row: &Row<'_>| {
        let integer = |column| {
            let integer: Option<i64> = row.get(column)?;
            Ok::<_, rusqlite::Error>(integer.unwrap_or_default().unsigned_abs())
        };
        let standing = Standing {
            event: lossy(row, 3)?.unwrap_or_default(),
            requested: lossy(row, 4)?,
            written: integer(5)?,
            reported: lossy(row, 1)?,
            ..Standing::default()
        };
        Ok(standing.with_epochs(&lossy(row, 0)?.unwrap_or_default(), integer(2)?))
    };
    Ok(connection.prepare_cached(&text.concat())?.query_row([requested], standing)?)
}

/// Gives the store a new epoch, because an operator acknowledged that data of the last one is lost.
pub(super) fn renew_epoch(connection: &Connection) -> Result<(), SqliteError> {
    let standing = read(connection, 0)?;
    let new: String =
        connection.query_row("SELECT lower(hex(randomblob(8)))", [], |row| row.get(0))?;
    let mut epochs = vec![new, standing.newest.epoch];
    if standing.newest.number == 0 {
        // Of an empty store no process may have seen the epoch.
        epochs.push(NO_EPOCH.to_owned());
    }
    epochs.extend(standing.acknowledged);
    epochs.truncate(EPOCHS);
    connection.execute("UPDATE store SET epochs = ?1, lost = NULL", [epochs.join(" ")])?;
    // Where events were removed, the numbers of the new epoch continue after what is there.
    connection.execute(
        "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'events'",
        [standing.newest.number as i64],
    )?;
    Ok(())
}

pub(super) fn save_loss(connection: &Connection, loss: &str) -> Result<(), SqliteError> {
    connection.execute("UPDATE store SET lost = ?1", params![loss])?;
    Ok(())
}

/// Writes a row as it is: the page goes through the log to the disk, and nothing changes.
pub(super) fn touch(connection: &Connection) -> Result<(), SqliteError> {
    connection.execute("UPDATE store SET lost = lost", [])?;
    Ok(())
}

/// Reads the stored time; `None` if it is damaged. Any other error is none about the time: without it, due
/// times would be off by all steps of the wall clock.
pub(super) fn stored_time(connection: &Connection) -> Result<Option<StoredTime>, SqliteError> {
    let time = |row: &Row<'_>| {
        let boot: Option<i64> = row.get(3)?;
        let (offset, seen, monotonic) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(StoredTime { offset, seen, monotonic, boot: boot.map(i64::cast_unsigned) })
    };
    let text = "SELECT clock_offset, clock_seen, clock_monotonic, clock_boot FROM store";
    let read = connection.prepare_cached(text)?.query_row([], time).optional();
    read.or_else(|error| {
        let error = SqliteError::from(error);
        if error.is_of_a_row() { Ok(None) } else { Err(error) }
    })
}

pub(super) fn save_time(connection: &Connection, time: StoredTime) -> Result<(), SqliteError> {
    let StoredTime { offset, seen, monotonic, boot } = time;
    let text = "UPDATE store SET clock_offset = ?1, clock_seen = ?2, clock_monotonic = ?3, \
                clock_boot = ?4";
    connection.prepare_cached(text)?.execute(params![
        offset,
        seen,
        monotonic,
        boot.map(u64::cast_signed)
    ])?;
    Ok(())
}
