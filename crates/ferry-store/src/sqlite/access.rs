//! Opens the file: for writing, or for reading alone where this process may not write it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, OpenFlags};

use super::named::{beside, is_empty};
use super::schema::{self, WRITABLE};
use crate::StoreError;

/// Way in which the connections to a file are opened.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// They read and write.
    Write,
    /// They only read.
    Read {
        /// The reason, as the system gave it.
        cause: String,
        /// The file if no process had it open, so that it is read without locks and without a log, which would
        /// have to be created.
        closed: Option<FileState>,
    },
}

/// Time of the last change of a file, and its size.
type FileState = (SystemTime, u64);

impl Access {
    /// Opens the first connection: it writes, or, where only reading is possible, reads.
    pub(super) fn open_existing(path: &Path) -> Result<(Connection, Self), StoreError> {
        let error = match schema::open_writer(path) {
            Ok(connection) => return Ok((connection, Self::Write)),
            Err(error) => error,
        };
        let Some(cause) = unwritable(path) else { return Err(error) };
        Self::open_unwritable(path, &cause)
    }

    /// Opens a file that cannot be written for the `cause`.
    fn open_unwritable(path: &Path, cause: &str) -> Result<(Connection, Self), StoreError> {
        let read = |closed| {
            let access = Self::Read { cause: cause.to_owned(), closed };
            let connection = access.open(path)?;
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok::<_, rusqlite::Error>((connection, access))
        };
        let closed = state(path);
        // Without the index of a log, no process has the file open.
        let opened = match closed.filter(|_| !beside(path, "-shm").exists()) {
            None => {
                read(None).or_else(|error| if closed.is_some() { read(closed) } else { Err(error) })
            }
            closed => read(closed),
        };
        let (connection, access) = opened.map_err(|error| {
            let log = left_beside(path).map(|left| {
                format!("; `{}` holds changes that are not in the file yet", left.display())
            });
            let (path, log) = (path.display(), log.unwrap_or_default());
            StoreError::Unusable(format!(
                "cannot read the store `{path}`, which cannot be written ({cause}): {error}{log}: {WRITABLE}"
            ))
        })?;
        schema::check_newest(&connection, path)?;
        Ok((connection, access))
    }

    /// A connection that only reads, with a small cache: there are several.
    pub(super) fn open_reader(&self, path: &Path) -> Result<Connection, StoreError> {
        let broken = |error| schema::unusable(path, &error);
        let connection = self.open(path).map_err(broken)?;
        connection.pragma_update(None, "query_only", true).map_err(broken)?;
        connection.pragma_update(None, "cache_size", -1024).map_err(broken)?;
        Ok(connection)
    }

    fn open(&self, path: &Path) -> Result<Connection, rusqlite::Error> {
        match self {
            Self::Write => schema::open(path),
            Self::Read { closed: None, .. } => {
                schema::open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            }
            Self::Read { closed: Some(_), .. } => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                schema::open_with(&immutable(path), flags)
            }
        }
    }

    /// Fails if another process has opened a file that was closed, and changes it: what was read may be a
    /// mixture.
    pub(super) fn check(&self, path: &Path, location: &str) -> Result<(), StoreError> {
        match self {
            Self::Read { closed: Some(closed), .. } if state(path) != Some(*closed) => {
                let cause = "another process writes to it: run the command again".to_owned();
                Err(StoreError::Unavailable { location: location.to_owned(), cause })
            }
            _ => Ok(()),
        }
    }
}

/// Reason why the file, or one beside it, cannot be written; `None` if they can.
fn unwritable(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).to_owned();
    let found = [path.to_owned(), beside(path, "-wal"), beside(path, "-shm"), folder];
    found.iter().find_map(|path| {
        let denied = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).err()?;
        let denied = io::Error::from(denied);
        let kinds = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
        kinds.contains(&denied.kind()).then(|| format!("`{}`: {denied}", path.display()))
    })
}

/// State of a file that is complete without a log.
fn state(path: &Path) -> Option<FileState> {
    let found = path.metadata().ok().filter(|_| left_beside(path).is_none())?;
    Some((found.modified().ok()?, found.len()))
}

/// The log or journal beside the file, if it has content.
fn left_beside(path: &Path) -> Option<PathBuf> {
    let beside = ["-wal", "-journal"].map(|more| beside(path, more));
    beside.into_iter().find(|file| file.exists() && !is_empty(file))
}

/// The file as a URI for SQLite, which then takes no lock and looks at no log.
fn immutable(path: &Path) -> PathBuf {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store in a folder whose name needs escapes; no process has it open.
    fn closed() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::Builder::new().prefix("a ?#%ü").tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        drop(schema::open_writer(&path).unwrap());
        assert!(!beside(&path, "-wal").exists());
        (dir, path)
    }

    #[test]
    fn a_file_that_no_process_has_open_is_read_and_nothing_is_created_beside_it() {
        let (dir, path) = closed();
        let (connection, access) = Access::open_unwritable(&path, "read-only").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "neither log nor index");
        connection.execute_batch("CREATE TABLE a (x)").unwrap_err();
        access.check(&path, "x").unwrap();
        let first = access;
        let writer = schema::open_writer(&path).unwrap();
        writer.execute_batch("CREATE TABLE a (x)").unwrap();
        first.check(&path, "x").unwrap_err();
        let (reader, access) = Access::open_unwritable(&path, "read-only").unwrap();
        reader.query_row("SELECT count(*) FROM a", [], |row| row.get::<_, i64>(0)).unwrap();
        assert!(matches!(access, Access::Read { closed: None, .. }), "the log is read, too");
        drop(reader);
        drop(writer);
        assert!(!beside(&path, "-wal").exists());
        let error = first.check(&path, "x").unwrap_err().to_string();
        assert!(error.contains("another process writes to it"), "{error}");
    }

    #[test]
    fn changes_in_a_log_are_never_left_out() {
        let (_dir, path) = closed();
        // As after a crash: the index is gone, and cannot be made again.
        std::fs::write(beside(&path, "-wal"), "changes").unwrap();
        std::os::unix::fs::symlink("nowhere", beside(&path, "-shm")).unwrap();
        let error = Access::open_unwritable(&path, "read-only").unwrap_err().to_string();
        assert!(error.contains("cannot be written (read-only)"), "{error}");
        assert!(error.contains("-wal` holds changes that are not in the file yet"), "{error}");
        assert!(error.contains("copy them to a folder that is"), "{error}");
        std::fs::write(beside(&path, "-wal"), "").unwrap();
        Access::open_unwritable(&path, "read-only").unwrap();
    }

    #[test]
    fn an_older_schema_is_brought_up_to_date_before_it_is_only_read() {
        let (_dir, path) = closed();
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 5).unwrap();
        let error = Access::open_unwritable(&path, "read-only").unwrap_err().to_string();
        assert!(error.contains("schema version 5"), "{error}");
        assert!(error.contains("must be writable"), "{error}");
    }
}
