//! Situations that the histories of a run must reach: a run without one of them proves less.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferry_sim::Endpoint;
use ferry_store::Committed;
use ferry_types::domain::submission::{State, StepKind};

use crate::trace::{Event, Trace};

/// Names of the situations that a run must reach.
pub(crate) const ALL: [&str; 16] = [
    "a stale commit",
    "a refusal of an ambiguous upload",
    "a request that arrived after its lease",
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
];

/// The duration of a lease.
const LEASE: Duration = Duration::from_secs(15);

/// Adds the situations of a trace to those reached before.
pub(crate) fn reached(trace: &Trace, reached: &mut BTreeMap<&'static str, u64>) {
    let mut found = BTreeSet::new();
    let mut claims = BTreeMap::new();
    let mut sent = BTreeMap::new();
    let mut unread = BTreeMap::new();
    for entry in &trace.entries {
        match &entry.event {
            Event::Claimed { worker, of, lease, ambiguous } if lease.kind == StepKind::Upload => {
                claims.insert((*worker, *of), (entry.at, *ambiguous));
            }
            Event::Sent { request, worker, endpoint, of } => {
                let claim = of.and_then(|of| claims.get(&(*worker, of))).copied();
                sent.insert(*request, (*endpoint, claim));
                unread.insert(*request, *worker);
            }
            Event::Arrived { request, effect, .. } => {
                let claim = sent[request].1;
                if claim.is_some_and(|(claimed, _)| entry.at > claimed + LEASE) {
                    found.insert("a request that arrived after its lease");
                }
                if *effect == ferry_sim::Effect::Replaced {
                    found.insert("an upload that replaced another one");
                }
            }
            Event::Read { request, status, retry_after } => {
                unread.remove(request);
                let (endpoint, claim) = sent[request];
                let is_refusal = *status == Some(409) && endpoint == Endpoint::Upload;
                if is_refusal && claim.is_some_and(|(_, ambiguous)| ambiguous) {
                    found.insert("a refusal of an ambiguous upload");
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
        Event::Committed { outcome: Committed::Stale, .. } => "a stale commit",
        Event::StoreCallLost { call: "commit", carried_out: true, .. } => {
            "a commit whose response was lost"
        }
        Event::StoreCallLost { call: "claim", carried_out: true, .. } => {
            "a claim whose response was lost"
        }
        Event::Rescued(_) => "a rescue",
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
