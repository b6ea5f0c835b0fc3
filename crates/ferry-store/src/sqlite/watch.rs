//! Notices when another process has written to the file, so that its submissions start at once, and
//! when the file was deleted or replaced.

use std::ffi::OsString;
use std::path::Path;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use super::named::beside;
use super::writer::Writer;

/// Watches the folder of the file for as long as the result lives: the log, to which every process
/// appends its commits, and the names of both. Without it, another process's submissions are found
/// when a worker next looks.
pub(super) fn watch(path: &Path, writer: Writer) -> Option<RecommendedWatcher> {
    let name = |path: &Path| path.file_name().map(OsString::from);
    let (file, log) = (name(path), name(&beside(path, "-wal")));
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // What was missed is looked for.
        let Some(event) = event.ok().filter(|event| !event.need_rescan()) else {
            return writer.look();
        };
        let is_of =
            |wanted: &Option<OsString>| event.paths.iter().any(|path| name(path) == *wanted);
        let is_change = event.kind.is_modify() || event.kind.is_create();
        if (is_change && is_of(&log)) || (is_naming(event.kind) && (is_of(&file) || is_of(&log))) {
            writer.look();
        }
    });
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(folder.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching
        .inspect_err(|error| {
            warn!(%error, "cannot watch the store for what other processes submit");
        })
        .ok()
}

fn is_naming(kind: notify::EventKind) -> bool {
    use notify::event::{EventKind, ModifyKind};
    matches!(
        kind,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    )
}
