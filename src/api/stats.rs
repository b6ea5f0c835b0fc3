//! The size of the queue, for status pages and autoscalers.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;

use super::caller::Caller;
use super::error::ApiError;
use super::json::Json;
use super::shared::Shared;
use crate::queue;
use ferry_types::contract::StatsView;

/// Shows the size of the queue of the caller's accounts, and its estimated drain time.
pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<StatsView>, ApiError> {
    let mut stats = shared.store().stats().await?;
    let seen_at = Instant::now();
    shared.parts.throughput.observe(&stats, seen_at);
    stats.accounts.retain(|account| caller.sees(&account.account));
    stats.steps.retain(|steps| caller.sees(&steps.account));
    let drain = shared.parts.throughput.drain(&stats, seen_at);
    Ok(Json(queue::stats(&stats, drain, shared.parts.clock.now(), &shared.parts.health)))
}
