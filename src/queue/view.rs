//! Views of the statistics of a store.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_store::{AccountStats, Stats, StepStats};
use ferry_types::contract::{AccountView, FailingView, OutageView, StatsView, StepView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::{Admission, BlockReason, Health, HealthPolicy};

/// The queue, with its estimated drain time.
pub(crate) fn stats(
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

/// An account with its part of the queue.
pub(crate) fn account(
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
        condition: account.health.condition(now, policy),
        outage: account.health.outage().map(OutageView::from),
        failing: account.health.failing(now, policy).map(FailingView::from),
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
