//! The file that is open: whether its path still leads to it. Writes to a file that was deleted or
//! replaced would be lost, and reads of its successor would be mixed with its own log.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tracing::{error, info};

use super::error::SqliteError;
use crate::StoreError;
use crate::continuity::Continuity;

/// Device and inode.
type Inode = (u64, u64);

/// The file and its write-ahead log, as they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    file: Option<Inode>,
    log: Option<Inode>,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Named {
    path: PathBuf,
    location: String,
    log: PathBuf,
    open: Mutex<Identity>,
    /// True once the open file had no content: what is written to it since, such as a backup that is copied over
    /// it, does not belong to the log and the index in memory.
    was_emptied: AtomicBool,
    continuity: Arc<Continuity>,
}

impl Named {
    /// For the file that was just opened, together with its log.
    pub(super) fn new(path: &Path, location: &str, continuity: Arc<Continuity>) -> Self {
        let log = beside(path, "-wal");
        let open = Mutex::new(Identity { file: inode(path), log: inode(&log) });
        let (path, location) = (path.to_owned(), location.to_owned());
        Self { path, location, log, open, was_emptied: AtomicBool::default(), continuity }
    }

    pub(super) fn continuity(&self) -> &Continuity {
        &self.continuity
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Identity of the open file.
    pub(super) fn identity(&self) -> Identity {
        *self.open.lock()
    }

    /// The file at the path is the open one from now on.
    pub(super) fn reopened(&self) {
        let now = Identity { file: inode(&self.path), log: inode(&self.log) };
        *self.open.lock() = now;
    }

    /// Fails if the path leads to no file, or to another one.
    pub(super) fn check(&self) -> Result<(), SqliteError> {
        let open = self.identity();
        let cause = match inode(&self.path) {
            None => "its file was deleted",
            now if now != open.file => "its file was replaced by another one",
            // `SQLite` takes an empty file for a new store, whatever the log has.
            _ if self.was_emptied.load(Ordering::SeqCst) || is_empty(&self.path) => {
                self.was_emptied.store(true, Ordering::SeqCst);
                "its file was emptied, and perhaps overwritten: restart all processes of the store"
            }
            _ if open.log.is_some() && inode(&self.log) != open.log => {
                "its write-ahead log was deleted or replaced: restart all processes of the store"
            }
            _ => return Ok(()),
        };
        if self.is_replaced() {
            self.set_log_aside(open);
        }
        self.continuity.vanished(cause);
        let (location, cause) = (self.location.clone(), cause.to_owned());
        Err(SqliteError::Store(StoreError::Unavailable { location, cause }))
    }

    /// True if the log alone was deleted, and no other process has begun a new one: what is only in it can be saved
    /// through the open file.
    pub(super) fn has_lost_its_log(&self) -> bool {
        let open = self.identity();
        inode(&self.path).is_some_and(|now| open.file == Some(now))
            && !is_empty(&self.path)
            && open.log.is_some()
            && inode(&self.log).is_none()
    }

    /// True if there is another file at the path.
    pub(super) fn is_replaced(&self) -> bool {
        inode(&self.path).is_some_and(|now| self.identity().file != Some(now))
    }

    /// The log belongs to the file that was replaced: `SQLite` would apply it to the new one.
    fn set_log_aside(&self, open: Identity) {
        if open.log.is_none() || inode(&self.log) != open.log {
            return;
        }
        let epoch =
            self.continuity.loss().map_or_else(|| self.continuity.epoch(), |l| l.before.epoch);
        let aside = beside(&self.log, &format!(".{epoch}"));
        match fs::rename(&self.log, &aside) {
            Ok(()) => info!("moved the log of the replaced file to `{}`", aside.display()),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                error!(
                    %error,
                    "cannot move `{}` away, which belongs to a replaced file",
                    self.log.display()
                );
                return;
            }
        }
        // It only indexes the log.
        let _ = fs::remove_file(beside(&self.path, "-shm"));
    }
}

/// The file of the same name with something behind it.
pub(super) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    name.into()
}

/// True if the file has no content; an open store has at least one page.
pub(super) fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() == 0)
}

/// Of a file; what else may stand at the path replaces none.
fn inode(path: &Path) -> Option<Inode> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|found| (found.dev(), found.ino()))
}
