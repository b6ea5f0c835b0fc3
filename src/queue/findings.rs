//! Findings about the queue: what is wrong, since when and until when, and what happens then; worst first.
//! Each is one sentence, and all surfaces have the same.

use std::time::Duration;

use crate::words;
use ferry_store::{CheckResult, Stats};
use ferry_types::contract::{AccountView, FindingKind, FindingView, Severity};
use ferry_types::domain::account::{BlockReason, paused_since};
use ferry_types::domain::dataset::grouped;
use ferry_types::domain::submission::State;
use ferry_types::domain::{Timestamp, earlier};

/// Age of the oldest runnable step from which on something is wrong: where no step runs, and otherwise. A worker
/// claims one within milliseconds, and in its first 6 s none if no clock was compared.
pub(crate) const IDLE: Duration = Duration::from_secs(7);
const OLD: Duration = Duration::from_mins(5);

/// The sentence where nothing is wrong.
pub(crate) const ALL_IS_FINE: &str = "All is fine.";

/// The steps of an account, as far as findings need them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    /// Steps in slots.
    pub(crate) running: u64,
    /// Ready steps that no predecessor blocks.
    pub(crate) runnable: u64,
    /// Age of the oldest of them.
    pub(crate) oldest: Option<Duration>,
    /// Steps that can probe the Platform.
    pub(crate) probes: u64,
}

impl Work {
    /// That of an account.
    pub(crate) fn of(account: &str, stats: &Stats) -> Self {
        let own = stats.steps.iter().filter(|steps| steps.account == account);
        own.fold(Self::default(), |sum, steps| Self {
            running: sum.running + steps.running,
            runnable: sum.runnable + steps.runnable,
            oldest: sum.oldest.max(steps.oldest_runnable),
            probes: sum.probes + steps.probes(),
        })
    }
}

/// A finding without its effect: the clauses of its sentence, and its times.
struct Clauses {
    kind: FindingKind,
    severity: Severity,
    cause: String,
    then: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    act: Option<String>,
}

impl Clauses {
    fn new(kind: FindingKind, severity: Severity, cause: String, then: impl Into<String>) -> Self {
        let (since, until, act) = (None, None, None);
        Self { kind, severity, cause, then: then.into(), since, until, act }
    }

    fn of(self, account: Option<&str>, effect: impl Into<String>) -> FindingView {
        let Self { kind, severity, cause, then, since, until, act } = self;
        FindingView {
            kind,
            severity,
            account: account.map(str::to_owned),
            sentence: format!("{cause}; {then}"),
            since,
            until,
            effect: effect.into(),
            then,
            act,
        }
    }
}

/// The finding that the process, or all of them, cannot do their work.
pub(crate) fn not_ready(error: &str) -> FindingView {
    let cause = format!("not ready: {error}");
    let effect = "Nothing is accepted, and no step runs, until this is over.";
    let clauses =
        Clauses::new(FindingKind::NotReady, Severity::Bad, cause, "check it: `ferry doctor`");
    Clauses { act: Some("ferry doctor".to_owned()), ..clauses }.of(None, effect)
}

/// The finding that a check of the store failed.
pub(super) fn failed_check(check: &CheckResult) -> FindingView {
    let cause = format!("the store may lose data: {}", check.text);
    let then = check.hint.as_deref().unwrap_or("check it: `ferry doctor`");
    let clauses = Clauses::new(FindingKind::StoreCheck, Severity::Warn, cause, then);
    let effect = "Submissions are processed, and may be lost with the store.";
    Clauses { act: Some("ferry doctor".to_owned()), ..clauses }.of(None, effect)
}

/// All that is wrong with an account, worst first.
pub(crate) fn of_account(account: &AccountView, work: &Work, now: Timestamp) -> Vec<FindingView> {
    let (name, waits) = (Some(&*account.account), waiting(account));
    let found =
        [idle(account, work, now), blocked(account), probing(account, work, now), failing(account)];
    let found = found.into_iter().flatten().map(|clauses| clauses.of(name, waits.clone()));
    let mut found: Vec<FindingView> =
        found.chain(held(account)).chain(abandoned(account)).collect();
    found.sort_by_key(|finding| finding.kind);
    found
}

/// True if an account with this finding runs no steps, or none that succeeds.
pub(super) fn stops(finding: &FindingView) -> bool {
    finding.kind <= FindingKind::LimitReached
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

fn blocked(account: &AccountView) -> Option<Clauses> {
    let (reason, name) = (account.blocked_by.as_ref()?, &account.account);
    let cause = words::cause_of_block(name, reason);
    let clauses = match reason {
        BlockReason::Paused { reason } => {
            let then = words::resuming(name, reason);
            let clauses = Clauses::new(FindingKind::Paused, Severity::Bad, cause, then);
            let act = Some(format!("ferry resume {name}"));
            Clauses { since: paused_since(reason), act, ..clauses }
        }
        BlockReason::BreakerOpen { until } => {
            Clauses { until: Some(*until), ..outage(account, &cause) }
        }
        BlockReason::Throttled { until } => {
            let throttling = account.throttling.as_ref();
            let cause = cause + &throttling.map(words::throttling).unwrap_or_default();
            let then = "then its requests begin again, few at first";
            let clauses = Clauses::new(FindingKind::Throttled, Severity::Note, cause, then);
            let since = throttling.and_then(|throttling| throttling.since);
            Clauses { since, until: Some(*until), ..clauses }
        }
        BlockReason::LimitReached { until } => {
            let then = "then its steps run again";
            let clauses = Clauses::new(FindingKind::LimitReached, Severity::Note, cause, then);
            Clauses { until: Some(*until), ..clauses }
        }
    };
    Some(clauses)
}

fn outage(account: &AccountView, cause: &str) -> Clauses {
    let facts = account.outage.as_ref().map(words::outage).unwrap_or_default();
    let then = "its requests begin again when a probe succeeds";
    let cause = format!("{cause}{facts}");
    let clauses = Clauses::new(FindingKind::BreakerOpen, Severity::Bad, cause, then);
    Clauses { since: account.outage.as_ref().and_then(|outage| outage.since), ..clauses }
}

/// An outage of which the probe is due, or runs. Without a step that can probe, no end of it is awaited.
fn probing(account: &AccountView, work: &Work, now: Timestamp) -> Option<Clauses> {
    let is_due = account.outage.as_ref().is_some_and(|outage| outage.next_probe_at <= now);
    let is_meant = is_due && account.blocked_by.is_none() && work.probes > 0;
    let cause = format!("circuit breaker of account `{}` is open, a probe is due", account.account);
    is_meant.then(|| outage(account, &cause))
}

/// Failures of an account that nothing blocks.
fn failing(account: &AccountView) -> Option<Clauses> {
    let failing = account.failing.as_ref().filter(|_| account.blocked_by.is_none())?;
    let cause = words::failing(&account.account, failing);
    let then = "each is retried, `ferry doctor` checks the credentials";
    let clauses = Clauses::new(FindingKind::Failing, Severity::Bad, cause, then);
    Some(Clauses { since: Some(failing.since), act: Some("ferry doctor".to_owned()), ..clauses })
}

/// Runnable steps of an account that nothing blocks, and that wait for too long.
fn idle(account: &AccountView, work: &Work, now: Timestamp) -> Option<Clauses> {
    let oldest = work.oldest.filter(|_| account.blocked_by.is_none() && work.runnable > 0)?;
    let (name, since) = (&account.account, earlier(now, oldest));
    let at = words::time(since);
    let clauses = if work.running == 0 && oldest >= IDLE {
        let are =
            if work.runnable == 1 { "1 is" } else { &format!("{} are", grouped(work.runnable)) };
        let cause =
            format!("no worker runs steps of account `{name}`, {are} ready, the oldest since {at}");
        let then = "`ferry worker` runs them";
        let clauses = Clauses::new(FindingKind::NoWorker, Severity::Bad, cause, then);
        Clauses { act: Some("ferry worker".to_owned()), ..clauses }
    } else if oldest >= OLD {
        let cause = format!(
            "more steps of account `{name}` are ready than workers run, the oldest since {at}"
        );
        let then = "more workers, or a higher `concurrency`, shorten the wait";
        Clauses::new(FindingKind::Backlog, Severity::Warn, cause, then)
    } else {
        return None;
    };
    Some(Clauses { since: Some(since), ..clauses })
}

fn held(account: &AccountView) -> Option<FindingView> {
    let (name, held) = (&account.account, account.states.get(&State::Held).copied());
    let count = held.filter(|count| *count > 0)?;
    let (what, verb) = (words::counted(count, "submission"), if count == 1 { "is" } else { "are" });
    let cause = format!("{what} of account `{name}` {verb} held for a decision");
    let command = format!("ferry list --state held --account {name}");
    let then = format!("`{command}` shows what to decide");
    let clauses = Clauses::new(FindingKind::Held, Severity::Warn, cause, then);
    let effect = "Each waits until an operator decides, and so do later ones of its name.";
    Some(Clauses { act: Some(command), ..clauses }.of(Some(name), effect))
}

fn abandoned(account: &AccountView) -> Option<FindingView> {
    let (name, abandoned) = (&account.account, account.webhooks.abandoned);
    let least = if abandoned.has_more { "at least " } else { "" };
    let (what, was) = match abandoned.count {
        0 => return None,
        1 => ("1 webhook".to_owned(), "was"),
        count => (format!("{} webhooks", grouped(count)), "were"),
    };
    let cause = format!("{least}{what} of account `{name}` {was} abandoned");
    let command = format!("ferry webhooks redeliver --webhook failed --account {name}");
    let then = format!("`{command}` begins again");
    let clauses = Clauses::new(FindingKind::WebhooksAbandoned, Severity::Warn, cause, then);
    let effect = "Their receivers did not get the outcome.";
    Some(Clauses { act: Some(command), ..clauses }.of(Some(name), effect))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::contract::{
        CountView, FailingView, OutageView, ThrottlingView, UndeliveredView,
    };
    use ferry_types::domain::timestamp;

    fn account(name: &str) -> AccountView {
        AccountView { account: name.into(), ..AccountView::default() }
    }

    fn said(account: &AccountView, work: &Work) -> Vec<String> {
        let found = of_account(account, work, timestamp(1_000_000)).into_iter();
        found
            .map(|finding| {
                assert!(finding.sentence.ends_with(&finding.then), "{finding:?}");
                finding.sentence
            })
            .collect()
    }

    #[test]
    fn a_finding_says_what_is_wrong_until_when_and_what_happens_then() {
        let none = Work::default();
        assert_eq!(said(&account("fine"), &none), [""; 0]);
        let (since, last_error) = (timestamp(0), Some("timed out".to_owned()));
        let next_probe_at = timestamp(1_060_000);
        let failing = FailingView { since, failures: 4, last_error: last_error.clone() };
        let outage = OutageView { since: Some(since), failures: 9, last_error, next_probe_at };
        let until = next_probe_at;
        let abandoned = CountView { count: 2, has_more: true };
        let blocked = |reason| AccountView { blocked_by: Some(reason), ..account("a") };
        let cases = [
            (
                blocked(BlockReason::Paused { reason: "maintenance".to_owned() }),
                "account `a` is paused: maintenance; `ferry resume a` resumes it",
            ),
            (
                AccountView { failing: Some(failing), ..account("a") },
                "no request of account `a` has succeeded since 1970-01-01 00:00:00 UTC, 4 failures \
                 in a row, last error: timed out; each is retried, `ferry doctor` checks the credentials",
            ),
            (
                AccountView { outage: Some(outage), ..blocked(BlockReason::BreakerOpen { until }) },
                "circuit breaker of account `a` is open, next probe at 1970-01-01 00:17:40 UTC, 9 \
                 failures in a row since 1970-01-01 00:00:00 UTC, last error: timed out; its requests \
                 begin again when a probe succeeds",
            ),
            (
                blocked(BlockReason::Throttled { until }),
                "the Platform throttles account `a` until 1970-01-01 00:17:40 UTC; then its requests \
                 begin again, few at first",
            ),
            (
                AccountView {
                    throttling: Some(ThrottlingView {
                        since: Some(since),
                        until,
                        response: Some("UploadData: throttled (429)".to_owned()),
                    }),
                    ..blocked(BlockReason::Throttled { until })
                },
                "the Platform throttles account `a` until 1970-01-01 00:17:40 UTC, since 1970-01-01 \
                 00:00:00 UTC, last response: UploadData: throttled (429); then its requests begin \
                 again, few at first",
            ),
            (
                AccountView { webhooks: UndeliveredView { waiting: 3, abandoned }, ..account("a") },
                "at least 2 webhooks of account `a` were abandoned; `ferry webhooks redeliver \
                 --webhook failed --account a` begins again",
            ),
            (
                blocked(BlockReason::LimitReached { until }),
                "account `a` is at its limit until 1970-01-01 00:17:40 UTC; then its steps run again",
            ),
            (
                AccountView { states: [(State::Held, 2)].into(), ..account("a") },
                "2 submissions of account `a` are held for a decision; `ferry list --state held \
                 --account a` shows what to decide",
            ),
        ];
        for (account, expected) in cases {
            assert_eq!(said(&account, &none), [expected]);
        }
    }

    #[test]
    fn an_outage_lasts_while_a_step_can_probe() {
        let (since, last_error, next_probe_at) = (None, None, timestamp(999_000));
        let outage = OutageView { since, failures: 9, last_error, next_probe_at };
        let account = AccountView { outage: Some(outage), ..account("a") };
        let expected = "circuit breaker of account `a` is open, a probe is due, 9 failures in a row; \
                        its requests begin again when a probe succeeds";
        assert_eq!(said(&account, &Work { probes: 1, ..Work::default() }), [expected]);
        assert_eq!(said(&account, &Work::default()), [""; 0]);
    }

    #[test]
    fn runnable_steps_that_no_worker_runs_are_a_finding_after_a_moment() {
        let with = |runnable, running, seconds| {
            let oldest = Some(Duration::from_secs(seconds));
            said(&account("a"), &Work { runnable, running, oldest, probes: 0 })
        };
        assert_eq!(with(3, 0, 6), [""; 0]);
        let expected = "no worker runs steps of account `a`, 3 are ready, the oldest since 1970-01-01 \
                        00:16:30 UTC; `ferry worker` runs them";
        assert_eq!(with(3, 0, 10), [expected]);
        assert!(with(1, 0, 10)[0].contains(", 1 is ready, "));
        assert_eq!(with(0, 0, 10), [""; 0], "all wait for predecessors");
        assert_eq!(with(3, 1, 10), [""; 0]);
        assert!(
            with(3, 1, 301)[0].contains("more steps of account `a` are ready than workers run")
        );
    }
}
