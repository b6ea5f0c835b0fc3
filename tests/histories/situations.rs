//! Situations that the histories of a run must reach: a run without one of them proves less.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferry_sim::Endpoint;
use ferry_store::Committed;
use ferry_types::domain::account::Signal;
use ferry_types::domain::submission::{OperatorAction, State, StepKind, WaitingFor};

use crate::trace::{Answer, Event, Explained, Trace};

/// Names of the situations that a run must reach.
const ALL: [&str; 35] = [
    "a stale commit",
    "a rejection of an ambiguous upload",
    "a request that arrived after its lease",
    "an upload that arrived after its submission had ended",
    "an upload that waited for one that might arrive late",
    "a request whose response was given up",
    "a worker that was stopped",
    "a commit whose response was lost",
    "a claim whose response was lost",
    "a rescue",
    "a crash with a request in flight",
    "a suspended worker",
    "a worker cut off from the store",
    "a Retry-After",
    "a held submission",
    "a cancelled submission",
    "a completed submission",
    "a rejected submission",
    "a failed submission",
    "an upload that replaced another one",
    "a duplicate of a submission",
    "a conflict of an idempotency key",
    "a retry of an operator",
    "a refetch of an operator",
    "a redelivery of an operator",
    "a resolution that overwrites",
    "a paused account",
    "denied credentials",
    "a throttled account",
    "a poisonous step",
    "a webhook that is delivered",
    "a store that is away",
    "a store that went back",
    "a step of the clock",
    "a submission that waits for an earlier one",
];

/// Situations that no history reached.
pub(crate) fn missing(reached: &BTreeMap<&'static str, u64>) -> Vec<&'static str> {
    ALL.into_iter().filter(|situation| !reached.contains_key(situation)).collect()
}

/// The duration of a lease.
const LEASE: Duration = Duration::from_secs(15);

/// Adds the situations of a trace to those reached before.
pub(crate) fn reached(trace: &Trace, reached: &mut BTreeMap<&'static str, u64>) {
    let mut found = BTreeSet::new();
    let mut claims = BTreeMap::new();
    let mut sent = BTreeMap::new();
    let mut unread = BTreeMap::new();
    let (mut given_up, mut uploads) = (BTreeSet::new(), BTreeMap::new());
    let mut ended = BTreeSet::new();
    for entry in &trace.entries {
        match &entry.event {
            Event::Claimed { worker, of, lease, ambiguous, .. }
                if lease.kind == StepKind::Upload =>
            {
                claims.insert((*worker, *of), (entry.at, *ambiguous));
            }
            Event::Changed { of, state, .. } => {
                if state.is_final() {
                    ended.insert(*of);
                }
                found.extend(plain(&entry.event));
            }
            Event::Sent { request, worker, endpoint, of, .. } => {
                let claim = of.and_then(|of| claims.get(&(*worker, of))).copied();
                sent.insert(*request, (*endpoint, claim));
                if *endpoint == Endpoint::Upload {
                    uploads.extend(of.map(|of| (*request, of)));
                }
                unread.insert(*request, *worker);
            }
            Event::Arrived { request, effect, .. } => {
                let claim = sent[request].1;
                if claim.is_some_and(|(claimed, _)| entry.at > claimed + LEASE) {
                    found.insert("a request that arrived after its lease");
                }
                if uploads.get(request).is_some_and(|of| ended.contains(of)) {
                    found.insert("an upload that arrived after its submission had ended");
                }
                if given_up.contains(request) {
                    found.insert("a request whose response was given up");
                }
                if *effect == ferry_sim::Effect::Replaced {
                    found.insert("an upload that replaced another one");
                }
            }
            Event::Read { request, status, retry_after } => {
                unread.remove(request);
                if status.is_none() {
                    given_up.insert(*request);
                }
                let (endpoint, claim) = sent[request];
                let is_rejection = *status == Some(409) && endpoint == Endpoint::Upload;
                if is_rejection && claim.is_some_and(|(_, ambiguous)| ambiguous) {
                    found.insert("a rejection of an ambiguous upload");
                }
                if retry_after.is_some() {
                    found.insert("a Retry-After");
                }
            }
            Event::Worker(worker, "crashed") if unread.values().any(|other| other == worker) => {
                found.insert("a crash with a request in flight");
            }
            event => found.extend(plain(event)),
        }
    }
    for situation in found {
        *reached.entry(situation).or_default() += 1;
    }
}

/// A situation that one event shows.
fn plain(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Submitted { answer: Some(Answer::Duplicate(_)), .. } => {
            "a duplicate of a submission"
        }
        Event::Submitted { answer: Some(Answer::Conflict(_)), .. } => {
            "a conflict of an idempotency key"
        }
        Event::Operated(_, OperatorAction::Retry) => "a retry of an operator",
        Event::Operated(_, OperatorAction::Refetch) => "a refetch of an operator",
        Event::Operated(_, OperatorAction::Redeliver) => "a redelivery of an operator",
        Event::Operated(_, OperatorAction::ResolveOverwrite) => "a resolution that overwrites",
        Event::Paused(_) => "a paused account",
        Event::Committed { signal: Signal::CredentialsDenied(_), .. } => "denied credentials",
        Event::Committed { signal: Signal::Throttled { .. }, .. } => "a throttled account",
        Event::Delivered { .. } => "a webhook that is delivered",
        Event::Store("away") => "a store that is away",
        Event::WentBack => "a store that went back",
        Event::ClockStepped(_) => "a step of the clock",
        Event::Explained(Explained {
            waiting_for: Some(WaitingFor::DueTime { at, step: StepKind::Upload }),
            due_at: Some(due),
            ..
        }) if at > due => "an upload that waited for one that might arrive late",
        Event::Explained(explained) if explained.predecessor.is_some() => {
            "a submission that waits for an earlier one"
        }
        Event::Changed { why, .. } if why.contains("crashed its worker") => "a poisonous step",
        Event::Committed { outcome: Committed::Stale, .. } => "a stale commit",
        Event::StoreCallLost { call: "commit", carried_out: true, .. } => {
            "a commit whose response was lost"
        }
        Event::StoreCallLost { call: "claim", carried_out: true, .. } => {
            "a claim whose response was lost"
        }
        Event::Rescued(_) => "a rescue",
        Event::Worker(_, "stopped") => "a worker that was stopped",
        Event::Worker(_, "suspended") => "a suspended worker",
        Event::Worker(_, "cut off") => "a worker cut off from the store",
        Event::Changed { state, .. } => match state {
            State::Held => "a held submission",
            State::Cancelled => "a cancelled submission",
            State::Completed => "a completed submission",
            State::Rejected => "a rejected submission",
            State::Failed => "a failed submission",
            _ => return None,
        },
        _ => return None,
    })
}
