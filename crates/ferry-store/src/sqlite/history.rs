//! Compares the file's history of events with what this process has seen of it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::SqliteStore;
use super::error::SqliteError;
use super::standing::read;
use crate::{Standing, Store, StoreError};

/// Reads the standing of a file that is not the open one, and changes nothing in it.
fn peek(path: &Path, requested: u64) -> Result<Standing, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    read(&Connection::open_with_flags(path, flags)?, requested)
}

impl SqliteStore {
    /// Compares the open file, or the one that is in its place.
    pub(super) async fn compare(&self) -> Result<Standing, StoreError> {
        if self.named.check().is_err() && self.named.is_replaced() {
            return self.compare_other().await;
        }
        if let Some(requested) = self.continuity.ask_for_lost() {
            let number = requested.number();
            let standing = self.read(move |reader| read(reader.connection, number)).await?;
            self.continuity.saw_lost(&requested, &standing);
        }
        let requested = self.continuity.ask();
        let number = requested.number();
        let standing = self.read(move |reader| read(reader.connection, number)).await?;
        self.continuity.saw(&requested, &standing);
        Ok(standing)
    }

    /// Once an operator has acknowledged the file that is in the place of the open one, opens it.
    async fn compare_other(&self) -> Result<Standing, StoreError> {
        let (requested, path) = (self.continuity.ask(), self.path.clone());
        let number = requested.number();
        let peeked = tokio::task::spawn_blocking(move || peek(&path, number)).await;
        let interrupted = |_| SqliteError::corrupt("reading was interrupted");
        let standing = peeked
            .map_err(interrupted)
            .flatten()
            .map_err(|error| error.with_location(&self.location()))?;
        if self.continuity.is_acknowledged(&requested, &standing) {
            self.writer.reopen().await?;
        }
        self.continuity.saw(&requested, &standing);
        Ok(standing)
    }
}
