//! Rehearsals with the simulated Platform of a demonstration, for operators whose key sees all accounts.

use std::sync::Arc;

use axum::extract::State;

use super::administration::sees_all;
use super::audited::Audited;
use super::caller::Caller;
use super::error::ApiError;
use super::json::{Json, JsonBody};
use super::shared::Shared;
use super::stats;
use crate::rehearsal::{QueueNow, Rehearsal};
use ferry_types::contract::{Drill, RehearsalRequest, RehearsalView, StatsView};
use ferry_types::domain::account::is_paused_by_operator;

/// Share of requests that fail if none is given.
const SHARE: f64 = 0.2;

/// The rehearsal of this process, for those who may control it.
pub(super) fn of<'a>(shared: &'a Shared, caller: &Caller) -> Result<&'a Rehearsal, ApiError> {
    sees_all(caller)?;
    let none =
        || ApiError::not_found("no simulated Platform runs in this process: `ferry demo` runs one");
    shared.parts.rehearsal.as_ref().ok_or_else(none)
}

/// Shows the drills.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<RehearsalView>, ApiError> {
    of(&shared, &caller)?;
    let Json(stats) = stats::stats(State(shared.clone()), caller.clone()).await?;
    view(&shared, &caller, &stats).map(Json)
}

/// The drills, with the sentences that follow from the queue.
pub(super) fn view(
    shared: &Shared,
    caller: &Caller,
    stats: &StatsView,
) -> Result<RehearsalView, ApiError> {
    let accounts = shared.parts.intake.accounts();
    let account = accounts.iter().next().map_or("default", |account| account.as_str());
    let (now, health) = (shared.parts.clock.now(), &shared.parts.health);
    Ok(of(shared, caller)?.view(QueueNow { stats, account, now, health }))
}

/// Begins or ends a drill, or ends all of them.
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    action: Audited,
    JsonBody(request): JsonBody<RehearsalRequest>,
) -> Result<Json<RehearsalView>, ApiError> {
    let rehearsal = of(&shared, &caller)?;
    let share = request.share.unwrap_or(SHARE);
    if !(0.0..=1.0).contains(&share) {
        return Err(ApiError::field("share", "expected a number from 0 to 1"));
    }
    match request {
        RehearsalRequest { drill: Some(drill), on, .. } => {
            let state = if on { "on" } else { "off" };
            let share_of =
                if on && drill == Drill::Faults { format!(": {share}") } else { String::new() };
            action.intend(Some(format!("{drill} {state}{share_of}"))).await?;
            rehearsal.set(drill, on, share);
        }
        RehearsalRequest { on: false, .. } => {
            action.intend(Some("all off".to_owned())).await?;
            rehearsal.end_all();
            resume(&shared).await?;
        }
        RehearsalRequest { on: true, .. } => {
            return Err(ApiError::field("drill", "it is needed to begin one"));
        }
    }
    show(State(shared), caller).await
}

/// Resumes the accounts that a drill may have blocked: all that no operator paused.
async fn resume(shared: &Shared) -> Result<(), ApiError> {
    for account in shared.store().stats().await?.accounts {
        let reason = account.health.pause_reason.as_deref();
        if !reason.is_some_and(is_paused_by_operator) {
            shared.store().resume(&account.account).await?;
        }
    }
    Ok(())
}
