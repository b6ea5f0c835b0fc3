//! The size of the queue, for status pages and autoscalers.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;

use super::caller::Caller;
use super::error::ApiError;
use super::json::Json;
use super::shared::Shared;
use crate::queue;
use ferry_store::{Stats, Store, StoreError};
use ferry_types::contract::StatsView;

/// Shows the size of the queue of the caller's accounts, and its estimated drain time.
pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<StatsView>, ApiError> {
    let stats = of(shared.store(), &caller).await?;
    let seen_at = Instant::now();
    shared.parts.throughput.observe(&stats, seen_at);
    let drain = shared.parts.throughput.drain(&stats, seen_at);
    Ok(Json(queue::stats(&stats, drain, shared.parts.clock.now(), &shared.parts.health)))
}

/// The numbers of the accounts that the caller sees. Those of others are not read: it would take time that
/// shows how many there are.
pub(super) async fn of(store: &dyn Store, caller: &Caller) -> Result<Stats, StoreError> {
    let Some(accounts) = &caller.accounts else { return store.stats().await };
    let mut stats = Stats::default();
    for account in accounts {
        let of_account = store.stats_of(account).await?;
        stats.steps.extend(of_account.steps);
        stats.accounts.extend(of_account.accounts);
    }
    Ok(stats)
}
