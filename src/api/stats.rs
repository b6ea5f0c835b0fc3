//! How much there is to do, for status pages and autoscalers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{self, Extension};
use axum::http::StatusCode;
use axum::response::Response;

use super::Shared;
use super::caller::Caller;
use super::error::ApiError;
use super::middleware::json;
use ferry_store::{AccountStats, Stats, StepStats};
use ferry_types::contract::{AccountView, StatsView, StepView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::{Admission, BlockReason, Health, HealthPolicy};
use ferry_types::domain::submission::State;

/// The pace is that of so long a time at most.
const WINDOW: Duration = Duration::from_mins(5);

/// And of so long a time at least.
const SHORTEST: Duration = Duration::from_secs(2);

/// How much there is to do, and how long it will take.
pub(super) async fn stats(
    extract::State(shared): extract::State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let mut stats = shared.parts.store.stats().await?;
    let throughput = shared.throughput.seen(&stats, Instant::now());
    stats.accounts.retain(|account| caller.sees(&account.account));
    stats.steps.retain(|steps| caller.sees(&steps.account));
    let now = shared.parts.clock.now();
    Ok(json(StatusCode::OK, &view(&stats, throughput, now, &shared.parts.health)))
}

fn view(
    stats: &Stats,
    throughput: Option<f64>,
    now: Timestamp,
    policy: &HealthPolicy,
) -> StatsView {
    let unfinished = stats.unfinished();
    let drain_seconds = match throughput {
        _ if unfinished == 0 => Some(0.0),
        Some(throughput) if throughput > 0.0 => Some(unfinished as f64 / throughput),
        _ => None,
    };
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
    StatsView { unfinished, total, drain_seconds, accounts }
}

fn account(
    account: &AccountStats,
    stats: &Stats,
    now: Timestamp,
    policy: &HealthPolicy,
) -> AccountView {
    let own = stats.steps.iter().filter(|steps| steps.account == account.account);
    let steps: BTreeMap<_, _> = own.map(|steps| (steps.kind, step(steps))).collect();
    AccountView {
        account: account.account.clone(),
        states: account.states.clone(),
        steps,
        blocked_by: blocked_by(&account.health, now, policy),
    }
}

fn step(steps: &StepStats) -> StepView {
    StepView {
        ready: steps.ready,
        scheduled: steps.scheduled,
        running: steps.running,
        oldest_ready_seconds: steps.oldest_ready.map(|duration| duration.as_secs_f64()),
    }
}

fn blocked_by(health: &Health, now: Timestamp, policy: &HealthPolicy) -> Option<BlockReason> {
    match health.admit(now, policy) {
        Admission::Blocked(blocked_by) => Some(blocked_by),
        Admission::UpTo(_) | Admission::Open => None,
    }
}

/// How fast submissions became final lately, from what was seen whenever somebody asked.
#[derive(Debug, Default)]
pub(super) struct Throughput(Mutex<VecDeque<(Instant, u64)>>);

impl Throughput {
    /// Final submissions a second; none if too little was seen.
    fn seen(&self, stats: &Stats, now: Instant) -> Option<f64> {
        let finals = State::ALL.into_iter().filter(|state| state.is_final());
        let finished: u64 = finals.map(|state| stats.count(state)).sum();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while seen.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            seen.pop_front();
        }
        let throughput = seen.front().and_then(|(at, then)| {
            let duration = now.duration_since(*at);
            // Fewer than before: retention removed some.
            let more = finished.checked_sub(*then)?;
            (duration >= SHORTEST).then(|| more as f64 / duration.as_secs_f64())
        });
        let is_due = seen.back().is_none_or(|(at, _)| now.duration_since(*at) >= SHORTEST);
        if is_due {
            seen.push_back((now, finished));
        }
        throughput
    }
}
