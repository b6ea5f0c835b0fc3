//! Notices when another process has written to the file, so that its submissions start at once.

use std::path::Path;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use super::writer::Writer;

/// Watches the log that every process appends its commits to, for as long as the answer lives.
/// Without it, another process's submissions are found when a worker next looks.
pub(super) fn watch(path: &Path, writer: Writer) -> Option<RecommendedWatcher> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| event.kind.is_modify() || event.kind.is_create()) {
            writer.look();
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(Path::new(&log), RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching
        .inspect_err(|error| {
            warn!("cannot watch the store for what other processes submit: {error}");
        })
        .ok()
}
