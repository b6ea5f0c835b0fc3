//! Earlier states of a store: saved, and gone back to as a restored backup or a failover does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ferry_store::memory::Snapshot;
use redis::Connection;

/// All that a store had at one time.
#[derive(Debug, Clone)]
pub(crate) enum Earlier {
    Memory(Box<Snapshot>),
    /// The file, with its log in it.
    Sqlite(Vec<u8>),
    /// The keys of the namespace, as `DUMP` has them.
    Redis(Vec<(Vec<u8>, Vec<u8>)>),
}

/// Reads a file that no process writes just now.
pub(crate) fn read_file(file: &Path) -> Vec<u8> {
    let connection = rusqlite::Connection::open(file).expect("the store is there");
    connection.busy_timeout(Duration::from_mins(1)).expect("a timeout");
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    assert_eq!(is_busy, Ok(0), "no process reads");
    fs::read(file).expect("the store is there")
}

/// Replaces a file, as one does who restores a backup.
pub(crate) fn replace_file(file: &Path, content: &[u8]) {
    let new = file.with_extension("restored");
    fs::write(&new, content).expect("there is room");
    for log in ["db-wal", "db-shm"] {
        // The last process has removed it, if all have ended.
        let _ = fs::remove_file(file.with_extension(log));
    }
    fs::rename(new, file).expect("the same directory");
}

/// Reads all keys of a namespace.
pub(crate) fn read_keys(connection: &mut Connection, namespace: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let keys = keys(connection, namespace);
    let mut pipeline = redis::pipe();
    for key in &keys {
        pipeline.cmd("DUMP").arg(key);
    }
    let dumps: Vec<Vec<u8>> = pipeline.query(connection).expect("the server answers");
    keys.into_iter().zip(dumps).collect()
}

/// Replaces all keys of a namespace.
pub(crate) fn replace_keys(
    connection: &mut Connection,
    namespace: &str,
    content: &[(Vec<u8>, Vec<u8>)],
) {
    let mut pipeline = redis::pipe();
    pipeline.atomic();
    for key in keys(connection, namespace) {
        pipeline.del(key).ignore();
    }
    for (key, dump) in content {
        pipeline.cmd("RESTORE").arg(key).arg(0).arg(dump).ignore();
    }
    pipeline.query::<()>(connection).expect("the server answers");
}

fn keys(connection: &mut Connection, namespace: &str) -> Vec<Vec<u8>> {
    let pattern = format!("*{namespace}}}*");
    redis::cmd("KEYS").arg(pattern).query(connection).expect("the server answers")
}
