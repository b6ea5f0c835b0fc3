//! Compares the file's history of events with what this process has seen of it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::SqliteStore;
use super::fault::Fault;
use crate::continuity::{EPOCHS, NO_EPOCH};
use crate::{Standing, StoreError};

/// Content of an event: equal only for the same event.
const EVENT: &str = "at || ' ' || submission || ' ' || state";

/// Reads the standing; `asked` is the number of an event to read, or 0.
pub(super) fn read(connection: &Connection, asked: u64) -> Result<Standing, Fault> {
    let (epochs, reported): (String, Option<String>) = connection
        .prepare_cached("SELECT epochs, lost FROM store")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let newest = ["SELECT cursor, ", EVENT, " FROM events ORDER BY cursor DESC LIMIT 1"].concat();
    let newest: Option<(i64, String)> = connection
        .prepare_cached(&newest)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (number, event) = newest.unwrap_or_default();
    let at = ["SELECT ", EVENT, " FROM events WHERE cursor = ?1"].concat();
    let asked = connection
        .prepare_cached(&at)?
        .query_row([i64::try_from(asked).unwrap_or(i64::MAX)], |row| row.get(0))
        .optional()?;
    let standing = Standing { event, asked, reported, ..Standing::default() };
    Ok(standing.with_epochs(&epochs, number.unsigned_abs()))
}

/// Gives the store a new epoch, because an operator acknowledged that data of the last one is lost.
pub(super) fn renew_epoch(connection: &Connection) -> Result<(), Fault> {
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
    Ok(())
}

pub(super) fn save_loss(connection: &Connection, loss: &str) -> Result<(), Fault> {
    connection.execute("UPDATE store SET lost = ?1", params![loss])?;
    Ok(())
}

/// Reads the standing of a file that is not the open one, and changes nothing in it.
fn peek(path: &Path, asked: u64) -> Result<Standing, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    read(&Connection::open_with_flags(path, flags)?, asked)
}

impl SqliteStore {
    /// Compares the open file, or the one that is in its place.
    pub(super) async fn compare(&self) -> Result<Standing, StoreError> {
        if self.named.check().is_err() && self.named.is_replaced() {
            return self.compare_other().await;
        }
        if let Some(asked) = self.continuity.ask_for_lost() {
            let number = asked.number();
            let standing = self.read(move |reader| read(reader.connection, number)).await?;
            self.continuity.saw_lost(&asked, &standing);
        }
        let asked = self.continuity.ask();
        let number = asked.number();
        let standing = self.read(move |reader| read(reader.connection, number)).await?;
        self.continuity.saw(&asked, &standing);
        Ok(standing)
    }

    /// Once an operator has acknowledged the file that is in the place of the open one, opens it.
    async fn compare_other(&self) -> Result<Standing, StoreError> {
        let (asked, path) = (self.continuity.ask(), self.path.clone());
        let number = asked.number();
        let peeked = tokio::task::spawn_blocking(move || peek(&path, number)).await;
        let interrupted = |_| Fault::corrupt("reading was interrupted");
        let standing = peeked
            .map_err(interrupted)
            .flatten()
            .map_err(|fault| fault.at(&super::place(&self.path)))?;
        if self.continuity.is_acknowledged(&asked, &standing) {
            self.writer.reopen().await?;
        }
        self.continuity.saw(&asked, &standing);
        Ok(standing)
    }
}
