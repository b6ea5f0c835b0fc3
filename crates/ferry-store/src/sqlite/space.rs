//! Returns free pages of the file to the file system.

use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use tracing::{info, warn};

use super::error::SqliteError;
use super::schema::{self, INCREMENTAL};
use crate::StoreError;

/// Pages of one piece: a few milliseconds of the writer's time.
const PIECE: i64 = 256;

/// Free pages that stay, so that new submissions need not enlarge the file again at once.
const SPARE: i64 = 1024;

/// Pieces after one sweep.
pub(super) const PIECES: usize = 64;

/// Returns one piece of the free pages. Returns `true` if more are left.
pub(super) fn return_pages(connection: &Connection) -> Result<bool, SqliteError> {
    let free = pragma(connection, "freelist_count")?;
    if free <= SPARE {
        return Ok(false);
    }
    let pages = PIECE.min(free - SPARE);
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    // A file that was not converted yet keeps its free pages.
    let left = pragma(connection, "freelist_count")?;
    Ok(left < free && left > SPARE)
}

/// Rewrites a file of an earlier Ferry once, so that it can return pages. That takes the file for
/// itself: while another process has it open, nothing happens, and a later start makes another attempt. A file
/// that could not be rewritten is as good as before.
pub(super) fn converted(connection: Connection, path: &Path) -> Result<Connection, StoreError> {
    if pragma(&connection, "auto_vacuum").is_ok_and(|mode| mode == INCREMENTAL) {
        return Ok(connection);
    }
    let file = path.display();
    match rewrite(&connection, path) {
        Ok(()) => {}
        Err(error) if is_in_use(&error) => info!(
            "the store `{file}` cannot return free space yet: the next process that opens it alone \
             rewrites it once"
        ),
        Err(error) => {
            warn!(%error, "cannot rewrite the store `{file}`, so that it keeps its free space");
        }
    }
    // Its lock ends with it.
    drop(connection);
    schema::open_writer(path)
}

fn rewrite(connection: &Connection, path: &Path) -> Result<(), rusqlite::Error> {
    let file = path.display();
    let bytes = pragma(connection, "page_count")? * pragma(connection, "page_size")?;
    let (needed, free) = (2 * bytes.unsigned_abs(), free_space(path).unwrap_or(u64::MAX));
    if free < needed {
        warn!(
            "the store `{file}` keeps its free space: to rewrite it once, {} MiB must be free, and \
             {} MiB are",
            needed >> 20,
            free >> 20
        );
        return Ok(());
    }
    connection.busy_timeout(std::time::Duration::ZERO)?;
    // Leaving the write-ahead log needs the file alone, and the lock stays until the connection ends.
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    connection.query_row("PRAGMA journal_mode = delete", [], |_| Ok(()))?;
    info!("rewriting the store `{file}` ({} MiB) once, so that it can return space", bytes >> 20);
    let started = Instant::now();
    connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    connection.execute_batch("VACUUM")?;
    info!("rewrote the store `{file}` in {:.1?}", started.elapsed());
    Ok(())
}

fn is_in_use(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

/// Bytes that are free beside the file; `None` if the system does not say.
fn free_space(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

pub(super) fn pragma(connection: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as an earlier Ferry left it, with many free pages.
    fn old_file() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        drop(schema::open_writer(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        let old = "PRAGMA journal_mode = delete; PRAGMA auto_vacuum = none; VACUUM;
             PRAGMA journal_mode = wal; CREATE TABLE kept (text);
             INSERT INTO kept VALUES (hex(zeroblob(10000000))), ('short');
             DELETE FROM kept WHERE text != 'short'";
        connection.execute_batch(old).unwrap();
        assert_eq!(pragma(&connection, "auto_vacuum").unwrap(), 0);
        (dir, path)
    }

    fn convert(path: &Path) -> Connection {
        converted(schema::open_writer(path).unwrap(), path).unwrap()
    }

    fn kept(connection: &Connection) -> String {
        connection.query_row("SELECT text FROM kept", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_new_file_can_return_pages() {
        let dir = tempfile::tempdir().unwrap();
        let connection = schema::open_writer(&dir.path().join("ferry.db")).unwrap();
        assert_eq!(pragma(&connection, "auto_vacuum").unwrap(), INCREMENTAL);
    }

    #[test]
    fn an_older_file_is_rewritten_once_and_keeps_its_rows() {
        let (_dir, path) = old_file();
        let before = std::fs::metadata(&path).unwrap().len();
        let connection = convert(&path);
        assert!(std::fs::metadata(&path).unwrap().len() < before / 10);
        assert_eq!(pragma(&connection, "auto_vacuum").unwrap(), INCREMENTAL);
        assert_eq!(kept(&connection), "short");
    }

    #[test]
    fn an_older_file_that_another_process_uses_is_left_alone_until_later() {
        let (_dir, path) = old_file();
        let other = schema::open_writer(&path).unwrap();
        assert_eq!(kept(&other), "short");
        let connection = convert(&path);
        assert_eq!(pragma(&connection, "auto_vacuum").unwrap(), 0);
        assert!(!return_pages(&connection).unwrap(), "it is not tried again and again");
        other.execute_batch("INSERT INTO kept VALUES ('more')").unwrap();
        drop((other, connection));
        let connection = convert(&path);
        assert_eq!(pragma(&connection, "auto_vacuum").unwrap(), INCREMENTAL);
    }
}
