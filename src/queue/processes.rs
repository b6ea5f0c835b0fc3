//! The processes that use a store, for people.

use ferry_store::{Store, StoreError, StoredProcesses};
use ferry_types::contract::{DamagedProcess, ProcessView, ProcessesView};

/// Reads the processes that use a store, the longest running first.
pub(crate) async fn processes(store: &dyn Store) -> Result<ProcessesView, StoreError> {
    let StoredProcesses { found, damaged } = store.processes().await?;
    let found = found.into_iter();
    let mut processes: Vec<ProcessView> =
        found.map(|one| ProcessView::new(one.heartbeat, one.at, one.age)).collect();
    processes.sort_by(|one, other| {
        (one.started_at, &one.process).cmp(&(other.started_at, &other.process))
    });
    let damaged = damaged.into_iter();
    let damaged = damaged.map(|one| DamagedProcess { process: one.process, cause: one.cause });
    Ok(ProcessesView { processes, damaged: damaged.collect() })
}
