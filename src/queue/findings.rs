//! Findings about the queue: what is wrong, until when, and what ends it; worst first.

use std::time::Duration;

use crate::words;
use ferry_types::contract::{AccountView, StatsView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::dataset::grouped;
use ferry_types::domain::submission::State;

/// Age of the oldest ready step from which on something is wrong: where no step runs, and otherwise.
pub(crate) const IDLE_SECONDS: f64 = 30.0;
const OLD: f64 = 300.0;

/// The sentence where nothing is wrong.
pub(crate) const ALL_IS_FINE: &str = "All is fine.";

/// Something that is not as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// `bad` stops everything, `warn` a part of it, `note` ends by itself.
    pub(crate) severity: &'static str,
    /// Cause, and end.
    pub(crate) sentence: String,
    /// Effect.
    pub(crate) effect: String,
    /// Its end, if that is known.
    pub(crate) until: Option<Timestamp>,
    /// Action that ends it, if an operator has one.
    pub(crate) remedy: Option<Remedy>,
}

/// An action of an operator, with the account that needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Resume the account.
    Resume(String),
    /// Decide about its held submissions.
    Decide(String),
}

/// All that is wrong, worst first. `checked` is the result of the check of the store.
pub(crate) fn findings(
    stats: &StatsView,
    checked: &Result<(), String>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found: Vec<(u8, Finding)> = Vec::new();
    if let Err(error) = checked {
        let effect = "Nothing is accepted, and no step runs, until this is over.";
        found.push((0, finding("bad", format!("this server is not ready: {error}"), effect)));
    }
    for account in &stats.accounts {
        found.extend(blocked(account, stats, now));
        found.extend(failing(account, now));
        found.extend(idle(account));
        found.extend(held(account));
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn finding(severity: &'static str, sentence: String, effect: impl Into<String>) -> Finding {
    Finding { severity, sentence, effect: effect.into(), until: None, remedy: None }
}

/// Submissions that workers still have to do with.
pub(crate) fn unfinished(account: &AccountView) -> u64 {
    let counts = account.states.iter();
    counts.filter(|(s, _)| !s.is_final() && **s != State::Held).map(|(_, count)| count).sum()
}

fn waiting(account: &AccountView) -> String {
    match unfinished(account) {
        0 => "No submission waits for it.".to_owned(),
        1 => "1 unfinished submission waits.".to_owned(),
        count => format!("{} unfinished submissions wait.", grouped(count)),
    }
}

fn blocked(account: &AccountView, stats: &StatsView, now: Timestamp) -> Option<(u8, Finding)> {
    let reason = account.blocked_by.as_ref()?;
    let sentence = words::blocked(&account.account, reason, now);
    let (rank, severity, until) = match reason {
        BlockReason::Paused { .. } => (2, "bad", None),
        BlockReason::BreakerOpen { until } => (3, "bad", Some(*until)),
        BlockReason::Throttled { until } => (4, "note", Some(*until)),
        BlockReason::LimitReached { until } => (5, "note", Some(*until)),
    };
    let mut effect = waiting(account);
    if let (Some(drain), "note") = (stats.drain_seconds, severity) {
        let drain = words::duration(Duration::from_secs_f64(drain.clamp(0.0, 1e9)));
        effect += &format!(" At the pace of the last minutes the queue needs {drain} then.");
    }
    let is_paused = matches!(reason, BlockReason::Paused { .. });
    let remedy = is_paused.then(|| Remedy::Resume(account.account.clone()));
    Some((rank, Finding { until, remedy, ..finding(severity, sentence, effect) }))
}

/// Failures of an account that nothing blocks.
fn failing(account: &AccountView, now: Timestamp) -> Option<(u8, Finding)> {
    let failing = account.failing.as_ref().filter(|_| account.blocked_by.is_none())?;
    let sentence = words::failing(&account.account, failing, now);
    Some((3, finding("bad", sentence, waiting(account))))
}

/// Ready steps of an account that nothing blocks, and that wait for too long.
fn idle(account: &AccountView) -> Option<(u8, Finding)> {
    if account.blocked_by.is_some() {
        return None;
    }
    let steps = account.steps.values();
    let ready: u64 = steps.clone().map(|step| step.ready).sum();
    let running: u64 = steps.clone().map(|step| step.running).sum();
    let oldest = steps.filter_map(|step| step.oldest_ready_seconds).reduce(f64::max)?;
    let age = words::duration(Duration::from_secs_f64(oldest.clamp(0.0, 1e9)));
    let (name, ready_steps) = (&account.account, words::counted(ready, "step"));
    let are = if ready == 1 { "is" } else { "are" };
    let is_held = account.states.get(&State::Held).is_some_and(|count| *count > 0);
    let behind = if is_held { ", or they wait behind held submissions of their name" } else { "" };
    if running == 0 && ready > 0 && oldest >= IDLE_SECONDS {
        let sentence = format!(
            "no step of account `{name}` runs, and {ready_steps} of it {are} ready, the oldest for \
             {age}: no worker runs{behind}; `ferry worker` runs them"
        );
        return Some((1, finding("bad", sentence, waiting(account))));
    }
    if oldest < OLD {
        return None;
    }
    let sentence = format!(
        "the oldest ready step of account `{name}` waits for {age}: more steps are ready than \
         workers run{behind}"
    );
    Some((8, finding("warn", sentence, waiting(account))))
}

fn held(account: &AccountView) -> Option<(u8, Finding)> {
    let count = account.states.get(&State::Held).copied().filter(|count| *count > 0)?;
    let (what, verb) = (words::counted(count, "submission"), if count == 1 { "is" } else { "are" });
    let sentence = format!("{what} of account `{}` {verb} held for a decision", account.account);
    let effect = "Each waits until an operator decides, and so do later ones of its name.";
    let remedy = Some(Remedy::Decide(account.account.clone()));
    Some((6, Finding { remedy, ..finding("warn", sentence, effect) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::contract::{FailingView, StepView};
    use ferry_types::domain::submission::StepKind;
    use ferry_types::domain::timestamp;

    fn account(name: &str) -> AccountView {
        let steps = [(StepKind::Upload, StepView::default())].into();
        AccountView {
            account: name.into(),
            states: [].into(),
            steps,
            blocked_by: None,
            condition: String::new(),
            outage: None,
            failing: None,
        }
    }

    fn said(accounts: Vec<AccountView>, checked: &Result<(), String>) -> Vec<String> {
        let stats = StatsView { accounts, ..StatsView::default() };
        let found = findings(&stats, checked, timestamp(1_000)).into_iter();
        found.map(|finding| finding.sentence).collect()
    }

    #[test]
    fn the_worst_is_said_first_and_nothing_if_all_is_fine() {
        assert_eq!(said(vec![account("fine")], &Ok(())), [""; 0]);
        let mut held = account("a");
        held.states = [(State::Held, 2)].into();
        let mut throttled = account("b");
        throttled.blocked_by = Some(BlockReason::Throttled { until: timestamp(6_000) });
        let mut failing = account("d");
        let (since, last_error) = (timestamp(0), Some("timed out".to_owned()));
        failing.failing = Some(FailingView { since, failures: 4, last_error });
        let mut paused = account("c");
        paused.blocked_by = Some(BlockReason::Paused { reason: "maintenance".to_owned() });
        let said = said(vec![held, throttled, failing, paused], &Err("it is away".to_owned()));
        let expected = [
            "this server is not ready: it is away",
            "account `c` is paused: maintenance; `ferry resume c` resumes it",
            "no request of account `d` has succeeded for 1s, 4 failures in a row; last error: timed out",
            "the Platform throttles account `b` for 5s",
            "2 submissions of account `a` are held for a decision",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn ready_steps_that_no_worker_runs_are_a_finding_after_a_while() {
        let with = |ready, running, seconds: f64| {
            let mut account = account("a");
            let oldest_ready_seconds = Some(seconds);
            let step = StepView { ready, running, oldest_ready_seconds, ..StepView::default() };
            account.steps = [(StepKind::Upload, step)].into();
            said(vec![account], &Ok(()))
        };
        assert_eq!(with(3, 0, 10.0), [""; 0]);
        assert!(with(3, 0, 31.0)[0].contains("the oldest for 31s: no worker runs"));
        assert!(with(1, 0, 31.0)[0].contains("and 1 step of it is ready"));
        assert_eq!(with(3, 1, 31.0), [""; 0]);
        assert!(with(3, 1, 301.0)[0].contains("more steps are ready than workers run"));
    }
}
