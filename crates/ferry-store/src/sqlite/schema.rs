//! Opens the file, and brings its schema up to date.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::named::is_empty;

/// Says that a file is Ferry's: `FRRY` in ASCII.
const APPLICATION_ID: i32 = 0x4652_5259;

/// Value of `PRAGMA auto_vacuum` of a file that can return free pages.
pub(super) const INCREMENTAL: i64 = 2;

/// The schema version of an empty file, once the first of the migrations has made its tables. Those before
/// it cannot be read any more.
const OLDEST: usize = 5;

/// The first makes version `OLDEST`, and each of the others the next one. Never change one that was
/// released.
const MIGRATIONS: &[&str] = &[
    include_str!("001.sql"),
    include_str!("002.sql"),
    include_str!("003.sql"),
    include_str!("004.sql"),
    include_str!("005.sql"),
    include_str!("006.sql"),
    include_str!("007.sql"),
];

/// Duration for which a process waits while another one writes, and the delay between its looks.
const BUSY: Duration = Duration::from_secs(10);
const BUSY_LOOK: Duration = Duration::from_millis(1);

/// The writer's page cache, in KiB: enough for the parts of the indexes that a long queue touches.
const WRITER_CACHE: i32 = 32 << 10;

/// A connection that writes; the file is created and migrated as needed.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    create_private(path)?;
    let broken = |error| unusable(path, &error);
    let mut connection = open(path).map_err(broken)?;
    let location = path.display();
    // Before anything is written to a new file. Later it would be a write by those who only look.
    if is_empty(path) {
        connection.pragma_update(None, "auto_vacuum", INCREMENTAL).map_err(broken)?;
    }
    // In this mode readers never wait for the writer, and a commit is one append and one sync.
    let mode: String =
        connection.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0)).map_err(broken)?;
    if mode != "wal" {
        return Err(StoreError::Unusable(format!(
            "the file system of `{location}` cannot hold a store: write-ahead logging is not possible there"
        )));
    }
    connection.pragma_update(None, "synchronous", "full").map_err(broken)?;
    // Without it, macOS keeps what was synced in the disk's own cache.
    connection.pragma_update(None, "fullfsync", true).map_err(broken)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE).map_err(broken)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20).map_err(broken)?;
    migrate(&mut connection, path, MIGRATIONS)?;
    Ok(connection)
}

/// A connection that may write.
pub(super) fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// A connection as all of them begin.
pub(super) fn open_with(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_for_others))?;
    connection.set_prepared_statement_cache_capacity(64);
    // A prepared statement keeps its plan whatever is bound to it: otherwise SQLite parses many of
    // them again for each row, which took a third of the writer's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// SQLite's own way to wait sleeps for up to 0.1 s, and so misses nearly all of the short gaps that a
/// busy writer leaves.
fn wait_for_others(looks: i32) -> bool {
    std::thread::sleep(BUSY_LOOK);
    looks.unsigned_abs() < (BUSY.as_millis() / BUSY_LOOK.as_millis()) as u32
}

/// Returns an error for what is there and no file: to open a pipe waits for its other end.
pub(super) fn check_kind(path: &Path) -> Result<(), StoreError> {
    // Of a file that is not there, or cannot be looked at, opening it has the reason.
    let Ok(kind) = path.metadata().map(|found| found.file_type()) else { return Ok(()) };
    let kind = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(StoreError::Unusable(format!(
        "cannot open the store `{}`: it is {kind}, and `store` must name a file",
        path.display()
    )))
}

/// Way out where the file or its folder is not writable.
pub(super) const WRITABLE: &str = "the file, those beside it (`-wal`, `-shm`) and the folder must be writable for \
                                   this user; otherwise copy them to a folder that is, and name the copy as \
                                   `store`";

/// Creates the file readable for its owner alone, because datasets are private.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| {
        let is_denied =
            matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
        let way_out = if is_denied { format!(": {WRITABLE}") } else { String::new() };
        let path = path.display();
        StoreError::Unusable(format!("cannot open the store `{path}`: {error}{way_out}"))
    })
}

fn migrate(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let broken = |error| unusable(path, &error);
    let newest = OLDEST + steps.len() - 1;
    // Who only reads must not wait for another process that writes.
    if known_version(connection, path, newest)? == newest {
        return Ok(());
    }
    // Two processes that start at once migrate one after the other.
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(broken)?;
    let version = known_version(&transaction, path, newest)?;
    if version == newest {
        return Ok(());
    }
    // Version 0 is an empty file.
    for step in &steps[(version + 1).saturating_sub(OLDEST)..] {
        transaction.execute_batch(step).map_err(broken)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(broken)?;
    transaction.pragma_update(None, "user_version", newest as i32).map_err(broken)?;
    transaction.commit().map_err(broken)
}

/// Fails unless the file is a store of the newest version.
pub(super) fn check_newest(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let newest = OLDEST + MIGRATIONS.len() - 1;
    match known_version(connection, path, newest)? {
        version if version == newest => Ok(()),
        version => Err(StoreError::Unusable(format!(
            "the store `{}` has schema version {version}, and this version of Ferry reads it only after it has \
             changed it to {newest}: {WRITABLE}",
            path.display()
        ))),
    }
}

/// The schema version of a store that this Ferry can migrate to `newest`, or is.
fn known_version(connection: &Connection, path: &Path, newest: usize) -> Result<usize, StoreError> {
    let broken = |error| unusable(path, &error);
    let pragma = |name: &str| {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0))
    };
    let owner = pragma("application_id").map_err(broken)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(broken)?;
    if owner != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Unusable(format!(
            "`{}` is an SQLite file, but not a store of Ferry's",
            path.display()
        )));
    }
    let version = usize::try_from(pragma("user_version").map_err(broken)?).unwrap_or(usize::MAX);
    if version > newest {
        return Err(StoreError::Unusable(format!(
            "the store `{}` has schema version {version}, and this version of Ferry knows up to \
             {newest}: use the newer Ferry that wrote it",
            path.display()
        )));
    }
    if (1..OLDEST).contains(&version) {
        return Err(StoreError::Unusable(format!(
            "the store `{}` has schema version {version}, which this version of Ferry cannot read: \
             complete its submissions with the older Ferry that wrote it, or use another file",
            path.display()
        )));
    }
    Ok(version)
}

pub(super) fn unusable(path: &Path, error: &rusqlite::Error) -> StoreError {
    let location = path.display();
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            StoreError::Unavailable { location: location.to_string(), cause: error.to_string() }
        }
        Some(rusqlite::ErrorCode::NotADatabase) => {
            StoreError::Unusable(format!("`{location}` is not an SQLite file"))
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            StoreError::Unusable(format!("cannot use the store `{location}`: {error}: {WRITABLE}"))
        }
        _ => StoreError::Unusable(format!("cannot use the store `{location}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(path: &Path) -> i32 {
        let connection = Connection::open(path).unwrap();
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_commit_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(&dir.path().join("ferry.db")).unwrap();
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(pragma("synchronous").unwrap(), 2, "full");
        assert_eq!(pragma("fullfsync").unwrap(), 1);
    }

    #[test]
    fn an_older_schema_is_migrated_and_keeps_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y DEFAULT 7"];
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, &path, &steps[..1]).unwrap();
        assert_eq!(version(&path), OLDEST as i32);
        connection.execute("INSERT INTO a VALUES (1)", []).unwrap();
        migrate(&mut connection, &path, &steps).unwrap();
        assert_eq!(version(&path), OLDEST as i32 + 1);
        let y: i64 = connection.query_row("SELECT y FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(y, 7);
    }

    #[test]
    fn a_store_of_the_first_schema_is_migrated_to_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, &path, &MIGRATIONS[..1]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO accounts VALUES ('main', '{}', NULL);
                 INSERT INTO submissions (seq, id, account, name, state, priority, created_at,
                     updated_at, deadline, digest, cold)
                 VALUES (7, 'a', 'main', 'n', 'queued', 1, 0, 0, 0, '', x'00');
                 INSERT INTO labels VALUES ('team', 'north', 7), ('ward', 'süd', 7);",
            )
            .unwrap();
        drop(connection);
        let connection = open_writer(&path).unwrap();
        assert_eq!(version(&path), (OLDEST + MIGRATIONS.len() - 1) as i32);
        let count = |table: &str| -> i64 {
            let sql = format!("SELECT count(*) FROM {table}");
            connection.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!((count("accounts"), count("name_marks"), count("labels")), (1, 0, 2));
        assert_eq!(count("processes"), 0);
        let label = "SELECT value FROM labels WHERE account = 'main' AND key = 'ward'
                     AND submission = 7";
        let value: String = connection.query_row(label, [], |row| row.get(0)).unwrap();
        assert_eq!(value, "süd");
    }

    #[test]
    fn a_newer_schema_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        drop(open_writer(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = open_writer(&path).unwrap_err().to_string();
        assert!(error.contains("schema version 99"), "{error}");
        assert!(error.contains("use the newer Ferry"), "{error}");
        assert_eq!(version(&path), 99);
    }

    #[test]
    fn an_unreadable_older_schema_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        drop(open_writer(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
        let error = open_writer(&path).unwrap_err().to_string();
        assert!(error.contains("schema version 3"), "{error}");
        assert!(error.contains("with the older Ferry"), "{error}");
        assert_eq!(version(&path), 3);
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
        let error = open_writer(&path).unwrap_err().to_string();
        assert!(error.contains("not a store of Ferry's"), "{error}");
        let text = dir.path().join("notes.txt");
        std::fs::write(&text, "these are my notes, and they are longer than a header".repeat(9))
            .unwrap();
        let error = open_writer(&text).unwrap_err().to_string();
        assert!(error.contains("is not an SQLite file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_readable_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        drop(open_writer(&path).unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
