//! Each invariant accepts a trace that is as it should be, and finds what is wrong in one that is not.

mod accounts;
mod names;
mod outcomes;
mod steps;

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_sim::{Effect, Endpoint};
use ferry_store::Committed;
use ferry_types::domain::account::Signal;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::{State, StepKind};

use super::ALL;
use crate::trace::{Entry, Event, Fact, Last, LeaseFacts, SubmissionNumber, Trace};

/// A trace of two submissions of one name, with an event in each second.
fn trace(events: Vec<Event>) -> Trace {
    let at = (0..).map(Duration::from_secs);
    let entry = |(at, event)| Entry { at, event, is_undone: false };
    Trace {
        entries: at.zip(events).map(entry).collect(),
        facts: vec![fact(), fact()],
        limits: AccountLimits::default(),
        policy_overwrites: false,
        last: vec![None, None],
        counts: BTreeMap::new(),
    }
}

fn fact() -> Fact {
    let name = "N0".to_owned();
    Fact { account: 0, name, overwrite: false, has_webhook: false, is_valid: true }
}

fn claimed(worker: usize, claim: usize, ambiguous: bool) -> Event {
    claimed_of(0, worker, claim, ambiguous)
}

fn claimed_of(of: SubmissionNumber, worker: usize, claim: usize, ambiguous: bool) -> Event {
    Event::Claimed { worker, of, lease: lease(claim), ambiguous, requests: 1 }
}

fn lease(claim: usize) -> LeaseFacts {
    LeaseFacts { kind: StepKind::Upload, claim }
}

fn committed(worker: usize, claim: usize) -> Event {
    signaled(worker, claim, Signal::None)
}

fn signaled(worker: usize, claim: usize, signal: Signal) -> Event {
    let outcome = Committed::Done(State::Uploading, State::Processing);
    Event::Committed { worker, of: 0, lease: lease(claim), outcome, signal }
}

fn sent(request: u64, worker: usize) -> Event {
    sent_of(0, request, worker)
}

fn sent_of(of: SubmissionNumber, request: u64, worker: usize) -> Event {
    Event::Sent { request, worker, account: 0, endpoint: Endpoint::Upload, of: Some(of) }
}

fn arrived(request: u64, effect: Effect, status: u16) -> Event {
    Event::Arrived { request, status: Some(status), effect, token: None }
}

fn read(request: u64, status: Option<u16>) -> Event {
    Event::Read { request, status, retry_after: None }
}

fn changed(of: SubmissionNumber, state: State) -> Event {
    Event::Changed { of, state, ambiguous: false, token: None, why: String::new() }
}

/// A submission that ended, as it should be.
fn last(state: State) -> Last {
    let (stored, expected) = (Some(b"rows".to_vec()), b"rows".to_vec());
    Last {
        state,
        is_due: false,
        results: [("table".to_owned(), (stored, expected))].into(),
        events: vec![State::Queued, state],
        timeline: vec![State::Queued, state],
        says_undelivered: false,
    }
}

/// The invariants that a trace breaks.
fn broken(trace: &Trace) -> Vec<&'static str> {
    ALL.iter().filter(|(_, check)| check(trace).is_err()).map(|(name, _)| *name).collect()
}

#[test]
fn an_upload_that_is_stored_and_committed_once_is_accepted() {
    let stored = arrived(1, Effect::Stored, 200);
    let events =
        vec![claimed(1, 1, false), sent(1, 1), stored, read(1, Some(200)), committed(1, 1)];
    assert_eq!(broken(&trace(events)), [""; 0]);
}
