//! Views of the statistics of a store.

use std::collections::BTreeMap;
use std::time::Duration;

use super::abandoned::Counts;
use super::findings::{Work, failed_check, not_ready, of_account, stops};
use ferry_store::{AccountStats, CheckResult, Stats, StepStats};
use ferry_types::contract::{
    AccountView, FailingView, FindingView, OutageView, StatsView, StepView, ThrottlingView,
    UndeliveredView,
};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::{Admission, BlockReason, Health, HealthPolicy};
use ferry_types::domain::submission::StepKind;

/// All that the views of accounts depend on, beside their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now<'a> {
    /// The time.
    pub(crate) at: Timestamp,
    /// Policy of the circuit breaker.
    pub(crate) policy: &'a HealthPolicy,
    /// Abandoned webhooks.
    pub(crate) abandoned: &'a Counts,
}

/// The queue as it was read.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// Its numbers.
    pub(crate) stats: &'a Stats,
    /// Its estimated drain time.
    pub(crate) drain: Option<Duration>,
    /// All that accounts depend on.
    pub(crate) now: Now<'a>,
    /// Result of the check that the process can do its work.
    pub(crate) checked: Result<(), String>,
    /// Failed checks of the store, for those who see all accounts.
    pub(crate) failed: &'a [CheckResult],
}

impl Reading<'_> {
    /// The queue, with all that is wrong with it.
    pub(crate) fn view(&self) -> StatsView {
        let stats = self.stats;
        let total = stats.steps.iter().map(step).fold(StepView::default(), |sum, one| StepView {
            ready: sum.ready + one.ready,
            scheduled: sum.scheduled + one.scheduled,
            running: sum.running + one.running,
            oldest_ready_seconds: [sum.oldest_ready_seconds, one.oldest_ready_seconds]
                .into_iter()
                .flatten()
                .reduce(f64::max),
        });
        let accounts = stats.accounts.iter();
        let accounts: Vec<AccountView> =
            accounts.map(|one| account(one, stats, self.now)).collect();
        let mut findings = of_server(&self.checked, self.failed);
        findings.extend(accounts.iter().flat_map(|account| account.findings.iter().cloned()));
        findings.sort_by_key(|finding| finding.kind);
        let drain_seconds = self.drain.map(|drain| drain.as_secs_f64());
        StatsView { unfinished: stats.unfinished(), total, drain_seconds, findings, accounts }
    }
}

/// All that is wrong with the process and its store, whatever the accounts do.
pub(crate) fn of_server(checked: &Result<(), String>, failed: &[CheckResult]) -> Vec<FindingView> {
    let of_process = checked.as_ref().err().map(|error| not_ready(error));
    of_process.into_iter().chain(failed.iter().map(failed_check)).collect()
}

/// An account with its part of the queue, and all that is wrong with it.
pub(crate) fn account(account: &AccountStats, stats: &Stats, now: Now<'_>) -> AccountView {
    let own = stats.steps.iter().filter(|steps| steps.account == account.account);
    let steps: BTreeMap<_, _> = own.map(|steps| (steps.kind, step(steps))).collect();
    let deliveries = steps.get(&StepKind::Deliver).copied().unwrap_or_default();
    let webhooks = UndeliveredView {
        waiting: deliveries.ready + deliveries.scheduled + deliveries.running,
        abandoned: now.abandoned.get(&account.account).copied().unwrap_or_default(),
    };
    let (health, Now { at, policy, .. }) = (&account.health, now);
    let blocked_by = blocked_by(health, at, policy);
    let is_throttled = matches!(blocked_by, Some(BlockReason::Throttled { .. }));
    let throttling = health.throttling().filter(|_| is_throttled);
    let mut view = AccountView {
        account: account.account.clone(),
        states: account.states.clone(),
        steps,
        blocked_by,
        condition: health.pace(at, policy),
        learned_requests_per_second: health.requests_per_second(at),
        throttling: throttling.map(ThrottlingView::from),
        outage: health.outage().map(OutageView::from),
        failing: health.failing(at, policy).map(FailingView::from),
        webhooks,
        findings: Vec::new(),
    };
    view.findings = of_account(&view, &Work::of(&view.account, stats), at);
    if let Some(worst) = view.findings.iter().find(|finding| stops(finding)) {
        view.condition.clone_from(&worst.sentence);
    }
    view
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
