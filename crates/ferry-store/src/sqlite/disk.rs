//! Checks the free space of the file system that has the store.

use std::path::{Path, PathBuf};

use crate::CheckResult;

/// Log of an SQLite file that is not there itself. A new file beside it would hide the loss.
pub fn log_without_file(path: &Path) -> Option<PathBuf> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Some(PathBuf::from(log)).filter(|log| !path.exists() && log.exists())
}

/// Free space below which the check fails: a large bulk, its log and a checkpoint need as much.
const LEAST: u64 = 256 << 20;

/// Reports the free space beside the file at `path`; `None` where the system does not say.
pub fn free_space(path: &Path) -> Option<CheckResult> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let stat = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    Some(judge(path, free))
}

fn judge(path: &Path, free: u64) -> CheckResult {
    let (path, mib) = (path.display(), free >> 20);
    if free >= LEAST {
        let text = format!("the file system of `{path}` has free space");
        return CheckResult { ok: true, text, hint: None };
    }
    CheckResult {
        ok: false,
        text: format!(
            "the disk is almost full: the file system of `{path}` has {mib} MiB free, less than {} MiB",
            LEAST >> 20
        ),
        hint: Some("free disk space, or move the store to another file system".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_free_space_is_reported_with_its_size() {
        let found = judge(Path::new("ferry.db"), 12 << 20);
        assert!(!found.ok && found.text.contains(" 12 MiB free"), "{found:?}");
        assert!(judge(Path::new("ferry.db"), LEAST).ok);
    }

    #[test]
    fn the_file_need_not_be_there() {
        assert!(free_space(Path::new("no-such.db")).is_some());
        assert!(free_space(Path::new("no/such/folder/ferry.db")).is_none());
    }
}
