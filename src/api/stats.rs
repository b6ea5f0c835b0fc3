//! The size of the queue, for status pages and autoscalers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;

use super::accounts::{account, step};
use super::caller::Caller;
use super::error::ApiError;
use super::json::Json;
use super::shared::Shared;
use ferry_store::Stats;
use ferry_types::contract::{StatsView, StepView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::HealthPolicy;

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
    Ok(Json(view(&stats, drain, shared.parts.clock.now(), &shared.parts.health)))
}

fn view(
    stats: &Stats,
    drain: Option<Duration>,
    now: Timestamp,
    policy: &HealthPolicy,
) -> StatsView {
    let total = stats.steps.iter().map(step).fold(StepView::default(), |sum, one| StepView {
        ready: sum.ready + one.ready,
        scheduled: sum.scheduled + one.scheduled,
        running: sum.running + one.running,
        oldest_ready_seconds: [sum.oldest_ready_seconds, one.oldest_ready_seconds]
            .into_iter()
            .flatten()
            .reduce(f64::max),
    });
    let accounts = stats.accounts.iter().map(|one| account(one, stats, now, policy)).collect();
    let drain_seconds = drain.map(|drain| drain.as_secs_f64());
    StatsView { unfinished: stats.unfinished(), total, drain_seconds, accounts }
}
