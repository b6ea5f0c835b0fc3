//! `SaysWhy`: what waits says why, and it is true; a lease ends in time.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::{State, StepKind, WaitingFor};

use super::acceptance::Acceptance;
use super::pauses::Pauses;
use crate::trace::{Event, Explained, SubmissionNumber, Trace};

/// The duration of a lease.
const LEASE: TimeDelta = TimeDelta::seconds(15);

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let (acceptance, mut pauses) = (Acceptance::of(trace), Pauses::default());
    let mut states: BTreeMap<SubmissionNumber, State> = BTreeMap::new();
    for entry in trace.lasting() {
        pauses.read(trace, entry);
        match &entry.event {
            Event::Changed { of, state, .. } => {
                states.insert(*of, *state);
            }
            Event::Explained(explained) => {
                let account = trace.facts[explained.of].account;
                let is_paused = pauses.is_paused(account);
                let waits_for_earlier = explained.predecessor.is_none_or(|earlier| {
                    acceptance.earlier_of_name(trace, explained.of).any(|other| other == earlier)
                        && !states.get(&earlier).copied().is_some_and(State::is_final)
                });
                if !(waits_for_earlier && is_true(explained, is_paused)) {
                    return Err(format!("{entry}: that is not true"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_true(explained: &Explained, is_paused: bool) -> bool {
    let Explained { state, step, due_at, leased_until, waiting_for, now, .. } = explained;
    let calls_platform = step.is_some_and(StepKind::calls_platform);
    let is_due = due_at.is_some_and(|due| due <= *now);
    if let Some(until) = leased_until {
        return waiting_for.is_none() && *until <= *now + LEASE;
    }
    match waiting_for {
        None => due_at.is_none() && *state != State::Held,
        Some(WaitingFor::Resolution) => *state == State::Held,
        Some(WaitingFor::DueTime { at, .. }) => {
            at > now && Some(*at) == *due_at && !(is_paused && calls_platform)
        }
        Some(WaitingFor::Worker { step: kind }) => {
            is_due && *step == Some(*kind) && !(is_paused && calls_platform)
        }
        Some(WaitingFor::Account(block)) => {
            calls_platform
                && match block {
                    BlockReason::Paused { .. } => is_paused,
                    BlockReason::Throttled { until }
                    | BlockReason::LimitReached { until }
                    | BlockReason::BreakerOpen { until } => until > now && !is_paused,
                }
        }
        // One that was retried after its upload waits, too, for an earlier one that was retried.
        Some(WaitingFor::Predecessor { .. }) => calls_platform && !state.is_final(),
    }
}
