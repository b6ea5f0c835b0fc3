//! `SaysWhy`: what waits says why, and it is true; a lease ends in time.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::{BlockReason, HealthPolicy, Signal};
use ferry_types::domain::submission::{State, StepKind, WaitingFor};

use super::acceptance::Acceptance;
use super::late::Late;
use super::pauses::Pauses;
use super::retry_after::Throttles;
use crate::trace::{AccountNumber, Entry, Event, Explained, SubmissionNumber, Trace};

/// The duration of a lease.
const LEASE: TimeDelta = TimeDelta::seconds(15);

/// Facts that a trace has shown of accounts and submissions, while it is read.
#[derive(Debug, Default)]
struct Seen {
    pauses: Pauses,
    late: Late,
    throttles: Throttles,
    states: BTreeMap<SubmissionNumber, State>,
    /// Failures that were reported, by account.
    failures: BTreeMap<AccountNumber, u32>,
    /// A response of the Platform has shown the rate that it allows.
    shows_rate: BTreeMap<AccountNumber, bool>,
    /// The wall clock stepped, or a commit was repeated, whose delays then begin later.
    is_inexact: bool,
}

/// Facts about a submission that is explained.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Facts {
    is_paused: bool,
    /// Time for which its account is throttled.
    throttled: Option<TimeDelta>,
    /// Time in which an upload of another submission of its name may still arrive.
    late: Option<TimeDelta>,
    has_limits: bool,
    has_failed: bool,
    is_exact: bool,
}

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let (acceptance, mut seen) = (Acceptance::of(trace), Seen::default());
    for entry in trace.lasting() {
        seen.read(trace, entry);
        if let Event::Explained(explained) = &entry.event {
            let waits_for_earlier = explained.predecessor.is_none_or(|earlier| {
                let mut before = acceptance.earlier_of_name(trace, explained.of);
                before.any(|other| other == earlier) && !seen.is_final(earlier)
            });
            let facts = seen.facts(trace, explained, entry.at);
            if !(waits_for_earlier && is_true(explained, &facts)) {
                return Err(format!("{entry}: that is not true"));
            }
        }
    }
    Ok(())
}

impl Seen {
    fn read(&mut self, trace: &Trace, entry: &Entry) {
        self.pauses.read(trace, entry);
        self.late.read(trace, entry);
        self.throttles.read(trace, entry);
        match &entry.event {
            Event::Changed { of, state, .. } => drop(self.states.insert(*of, *state)),
            Event::ClockStepped(_)
            | Event::StoreCallLost { call: "commit", carried_out: true, .. } => {
                self.is_inexact = true;
            }
            Event::Committed { of, signal, .. } => {
                let account = trace.facts[*of].account;
                match signal {
                    Signal::Unhealthy(_) => *self.failures.entry(account).or_default() += 1,
                    Signal::Throttled { is_rate: true, .. } => {
                        self.shows_rate.insert(account, true);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn is_final(&self, of: SubmissionNumber) -> bool {
        self.states.get(&of).copied().is_some_and(State::is_final)
    }

    fn facts(&self, trace: &Trace, explained: &Explained, at: Duration) -> Facts {
        let account = trace.facts[explained.of].account;
        let left = |until: Duration| TimeDelta::from_std(until.saturating_sub(at)).ok();
        let uploads = explained.step == Some(StepKind::Upload);
        let late = self.late.of_another(trace, explained.of, at).filter(|_| uploads);
        let failures = self.failures.get(&account).copied().unwrap_or_default();
        let limits = trace.limits;
        Facts {
            is_paused: self.pauses.is_paused(account),
            throttled: self.throttles.until(account, at).and_then(left),
            late: late.and_then(left),
            has_limits: limits.uploads_per_second.is_some()
                || limits.requests_per_second.is_some()
                || self.shows_rate.contains_key(&account),
            has_failed: failures >= HealthPolicy::default().breaker_failures,
            is_exact: !self.is_inexact,
        }
    }
}

impl Facts {
    /// True if `time` comes so long after `now`.
    fn is_after(&self, time: Timestamp, now: Timestamp, delay: TimeDelta) -> bool {
        let difference = (time - now - delay).abs();
        time > now && (!self.is_exact || difference <= TimeDelta::milliseconds(1))
    }

    fn is_block_true(&self, block: &BlockReason, now: Timestamp) -> bool {
        match block {
            BlockReason::Paused { .. } => self.is_paused,
            _ if self.is_paused => false,
            BlockReason::Throttled { until } => {
                self.throttled.is_some_and(|delay| self.is_after(*until, now, delay))
            }
            _ if self.throttled.is_some() => false,
            BlockReason::BreakerOpen { until } => *until > now && self.has_failed,
            BlockReason::LimitReached { until } => {
                *until > now && self.has_limits && self.late.is_none()
            }
        }
    }
}

fn is_true(explained: &Explained, facts: &Facts) -> bool {
    let Explained { state, step, due_at, leased_until, waiting_for, now, .. } = explained;
    let calls_platform = step.is_some_and(StepKind::calls_platform);
    let is_blocked = calls_platform && (facts.is_paused || facts.throttled.is_some());
    let is_due = due_at.is_some_and(|due| due <= *now);
    if let Some(until) = leased_until {
        return waiting_for.is_none() && *until <= *now + LEASE;
    }
    match waiting_for {
        None => due_at.is_none() && *state != State::Held,
        Some(WaitingFor::Resolution) => *state == State::Held,
        _ if due_at.is_none() || *state == State::Held => false,
        Some(WaitingFor::DueTime { at, step: kind }) => {
            let is_late = facts.late.is_some_and(|late| facts.is_after(*at, *now, late));
            let is_it = Some(*at) == *due_at || (is_late && Some(*at) > *due_at);
            *at > *now && is_it && *step == Some(*kind) && !is_blocked
        }
        Some(WaitingFor::Worker { step: kind }) => {
            is_due && facts.late.is_none() && *step == Some(*kind) && !is_blocked
        }
        Some(WaitingFor::Account(block)) => calls_platform && facts.is_block_true(block, *now),
        // One that was retried after its upload waits, too, for an earlier one that was retried.
        Some(WaitingFor::Predecessor { .. }) => calls_platform && !state.is_final(),
    }
}
