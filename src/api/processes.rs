//! The processes that use the store, as they report themselves there.

use std::sync::Arc;

use axum::extract::State;

use super::caller::Caller;
use super::error::ApiError;
use super::json::Json;
use super::shared::Shared;
use crate::queue::processes;
use ferry_store::MOST_PROCESSES;
use ferry_types::contract::{ProcessView, ProcessesView};

/// Memory for a process, in bytes: its heartbeat names up to a hundred accounts.
const PROCESS_BYTES: u64 = 8 << 10;

/// Shows the processes. A key with accounts sees those that run steps of them, and of these what is not about
/// other accounts.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<ProcessesView>, ApiError> {
    let most = PROCESS_BYTES * MOST_PROCESSES as u64;
    let _memory = shared.response_permit(&caller, most)?;
    let mut view = processes(shared.store()).await?;
    if caller.accounts.is_some() {
        view.processes = view.processes.into_iter().filter_map(|one| seen(one, &caller)).collect();
        // Their accounts are unknown.
        view.damaged.clear();
    }
    Ok(Json(view))
}

/// A process as a key with accounts sees it; none if it runs no steps of them. Slots would show what there is to
/// do for others, and the place what else there is.
fn seen(mut process: ProcessView, caller: &Caller) -> Option<ProcessView> {
    process.accounts.retain(|account| caller.sees(account));
    let is_seen = !process.accounts.is_empty() || process.omitted_accounts > 0;
    let process =
        ProcessView { host: None, pid: None, slots: None, omitted_accounts: 0, ..process };
    is_seen.then_some(process)
}
