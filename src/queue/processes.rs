//! The processes that use a store, for people.

use ferry_store::{Store, StoreError};
use ferry_types::contract::{ProcessView, ProcessesView};

/// Reads the processes that use a store, the longest running first.
pub(crate) async fn processes(store: &dyn Store) -> Result<ProcessesView, StoreError> {
    let found = store.processes().await?.into_iter();
    let mut processes: Vec<ProcessView> =
        found.map(|one| ProcessView::new(one.heartbeat, one.at, one.age)).collect();
    processes.sort_by(|one, other| {
        (one.started_at, &one.process).cmp(&(other.started_at, &other.process))
    });
    Ok(ProcessesView { processes })
}
