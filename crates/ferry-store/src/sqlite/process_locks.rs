//! Finds out which processes that claimed steps have ended, so that their leases need not run out. Each holds a lock
//! on a file of its own in a folder beside the store. The operating system releases it when the process ends, in
//! whatever way, and not while the process is suspended.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tracing::{debug, warn};

use super::named::beside;

/// The lock of one handle on the store, and those of the others.
#[derive(Debug)]
pub(super) struct ProcessLocks {
    folder: PathBuf,
    /// Names the process in its claims.
    process: String,
    own: Mutex<Own>,
}

#[derive(Debug)]
enum Own {
    /// Nothing was claimed yet.
    None,
    /// Released when this is dropped.
    Held { _lock: File },
    /// It cannot be had: others wait for the ends of the leases.
    Failed,
}

/// A process that has ended. Only one handle at a time has it.
#[derive(Debug)]
pub(super) struct EndedProcess {
    /// The process, as its claims name it.
    pub(super) name: String,
    path: PathBuf,
    _lock: File,
}

impl ProcessLocks {
    pub(super) fn new(store: &Path, process: String) -> Self {
        Self { folder: beside(store, "-workers"), process, own: Mutex::new(Own::None) }
    }

    /// Takes the lock of this process, before its first claim.
    pub(super) fn hold(&self) {
        let mut own = self.own.lock();
        if matches!(*own, Own::None) {
            *own = self.take().map_or_else(
                |error| {
                    let folder = self.folder.display();
                    warn!(%error, "cannot lock a file in `{folder}`: if this process is killed, its steps wait for \
                        the ends of their leases");
                    Own::Failed
                },
                |lock| Own::Held { _lock: lock },
            );
        }
    }

    fn take(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // Others look at it once it is locked.
        let new = self.folder.join(format!("{}.new", self.process));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.try_lock().map_err(io::Error::from)?;
        fs::rename(&new, self.folder.join(&self.process))?;
        Ok(file)
    }

    /// Returns the processes whose lock is free. The steps of one that is not found here are rescued when their
    /// lease expires.
    pub(super) fn ended(&self) -> Vec<EndedProcess> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| *name != self.process).filter_map(|name| self.ended_of(name)).collect()
    }

    fn ended_of(&self, name: String) -> Option<EndedProcess> {
        let is_process =
            |name: &str| name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let path = self.folder.join(is_process(&name).then_some(&name)?);
        let file = File::open(&path).ok()?;
        file.try_lock().ok()?;
        Some(EndedProcess { name, path, _lock: file })
    }
}

impl Drop for ProcessLocks {
    fn drop(&mut self) {
        if let Own::Held { .. } = *self.own.lock() {
            EndedProcess::remove(&self.folder.join(&self.process));
        }
    }
}

impl EndedProcess {
    /// Removes its file, once its steps are rescued.
    pub(super) fn forget(self) {
        Self::remove(&self.path);
    }

    fn remove(path: &Path) {
        if let Err(error) = fs::remove_file(path) {
            debug!(%error, "cannot remove `{}`", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(store: &Path, process: u64) -> ProcessLocks {
        ProcessLocks::new(store, format!("{process:016x}"))
    }

    fn names(ended: &[EndedProcess]) -> Vec<&str> {
        ended.iter().map(|process| process.name.as_str()).collect()
    }

    #[test]
    fn a_process_has_ended_once_its_lock_is_free_and_one_other_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("ferry.db");
        let (killed, alive, other) = (locks(&store, 1), locks(&store, 2), locks(&store, 3));
        assert!(alive.ended().is_empty(), "none has claimed yet");
        killed.hold();
        alive.hold();
        assert!(other.ended().is_empty(), "both live");
        // As the operating system does.
        *killed.own.lock() = Own::None;
        let ended = alive.ended();
        assert_eq!(names(&ended), ["0000000000000001"]);
        assert!(other.ended().is_empty(), "another one is at it");
        drop(ended);
        let ended = other.ended();
        assert_eq!(names(&ended), ["0000000000000001"], "the first one has not finished");
        ended.into_iter().for_each(EndedProcess::forget);
        assert!(alive.ended().is_empty());
        drop(alive);
        assert!(other.ended().is_empty(), "it stopped by itself");
    }

    #[test]
    fn other_files_are_no_processes() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("ferry.db");
        let own = locks(&store, 1);
        own.hold();
        for name in ["notes.txt", "0000000000000002.new", "000000000000000"] {
            fs::write(folder.path().join("ferry.db-workers").join(name), "").unwrap();
        }
        assert!(own.ended().is_empty());
    }

    #[test]
    fn without_a_folder_for_locks_no_process_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("ferry.db");
        fs::write(beside(&store, "-workers"), "").unwrap();
        let own = locks(&store, 1);
        own.hold();
        assert!(matches!(*own.own.lock(), Own::Failed));
        assert!(own.ended().is_empty());
    }
}
