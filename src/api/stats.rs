//! The size of the queue, for status pages and autoscalers.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;

use super::caller::Caller;
use super::error::ApiError;
use super::json::Json;
use super::shared::Shared;
use crate::queue::{self, Counts, Now, Reading};
use ferry_store::{CheckResult, Stats, Store, StoreError};
use ferry_types::contract::{FindingView, StatsView};

/// Shows the size of the queue of the caller's accounts, its estimated drain time, and all that is wrong.
pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<StatsView>, ApiError> {
    let stats = of(shared.store(), &caller).await?;
    let seen_at = Instant::now();
    shared.parts.throughput.observe(&stats, seen_at);
    let drain = shared.parts.throughput.drain(&stats, seen_at);
    let parts = &shared.parts;
    let failed = failed_checks(&shared, &caller);
    let abandoned = abandoned(&shared, &caller).await?;
    let reading = Reading {
        stats: &stats,
        drain,
        now: Now { at: parts.clock.now(), policy: &parts.health, abandoned: &abandoned },
        checked: parts.readiness.check().await,
        failed: &failed,
    };
    Ok(Json(reading.view()))
}

/// The failed checks of the store, which is of all accounts.
fn failed_checks(shared: &Shared, caller: &Caller) -> Vec<CheckResult> {
    if caller.accounts.is_none() { shared.parts.durability.failed() } else { Vec::new() }
}

/// All that is wrong with the server and its store, as far as the caller may know.
pub(super) async fn of_server(shared: &Shared, caller: &Caller) -> Vec<FindingView> {
    let checked = shared.parts.readiness.check().await;
    queue::of_server(&checked, &failed_checks(shared, caller))
}

/// The abandoned webhooks of the accounts that the caller sees.
pub(super) async fn abandoned(shared: &Shared, caller: &Caller) -> Result<Counts, StoreError> {
    shared.abandoned.of(shared.store(), caller.accounts.as_ref()).await
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
