//! Each invariant accepts a trace that is as it should be, and finds what is wrong in one that is not.

use std::time::Duration;

use ferry_sim::{Effect, Endpoint};
use ferry_store::{ClaimId, Committed};
use ferry_types::domain::submission::{State, StepKind};

use super::ALL;
use crate::trace::{Entry, Event, Last, LeaseFacts, Trace};

/// A trace of two submissions of one name, with an event in each second.
fn trace(events: Vec<Event>) -> Trace {
    let at = (0..).map(Duration::from_secs);
    let entries = at.zip(events).map(|(at, event)| Entry { at, event }).collect();
    let names = vec!["N0".to_owned(), "N0".to_owned()];
    Trace { entries, names, last: vec![Some(last(State::Completed)), Some(last(State::Failed))] }
}

fn last(state: State) -> Last {
    let (result, expected_result) = (Some(b"rows".to_vec()), b"rows".to_vec());
    Last { state, is_cancelling: false, result, expected_result }
}

fn claimed(worker: usize, fence: u64, ambiguous: bool) -> Event {
    Event::Claimed { worker, of: 0, lease: lease(fence), ambiguous }
}

fn lease(fence: u64) -> LeaseFacts {
    LeaseFacts { kind: StepKind::Upload, fence, claimed_by: ClaimId::default() }
}

fn committed(worker: usize, fence: u64) -> Event {
    let outcome = Committed::Done(State::Uploading, State::Processing);
    Event::Committed { worker, of: 0, lease: lease(fence), outcome }
}

fn sent(request: u64, worker: usize) -> Event {
    Event::Sent { request, worker, endpoint: Endpoint::Upload, of: Some(0) }
}

fn arrived(request: u64, effect: Effect, status: u16) -> Event {
    Event::Arrived { request, status: Some(status), effect, token: None }
}

fn read(request: u64, status: Option<u16>) -> Event {
    Event::Read { request, status, retry_after: None }
}

fn rejected() -> Event {
    let (state, why) = (State::Rejected, String::new());
    Event::Changed { of: 0, state, ambiguous: false, token: None, why }
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

#[test]
fn two_commits_of_a_claim_and_one_of_an_older_claim_are_found() {
    let twice = vec![claimed(1, 1, false), committed(1, 1), committed(1, 1)];
    assert_eq!(broken(&trace(twice)), ["OneCommit"]);
    let older = vec![claimed(1, 1, false), claimed(2, 2, true), committed(1, 1)];
    assert_eq!(broken(&trace(older)), ["OneCommit"]);
    assert_eq!(broken(&trace(vec![committed(1, 1)])), ["OneCommit"]);
}

#[test]
fn a_second_upload_is_accepted_only_under_an_ambiguous_claim() {
    let second = |ambiguous| {
        let (first, again) = (arrived(1, Effect::Stored, 200), arrived(2, Effect::Nothing, 409));
        let again = [claimed(2, 2, ambiguous), sent(2, 2), again];
        trace([vec![claimed(1, 1, false), sent(1, 1), first], again.to_vec()].concat())
    };
    assert_eq!(broken(&second(true)), [""; 0]);
    assert_eq!(broken(&second(false)), ["OneUpload"]);
}

#[test]
fn a_rejection_needs_a_refusal_that_is_not_about_an_unknown_upload() {
    let refusal = [sent(2, 1), arrived(2, Effect::Nothing, 409), read(2, Some(409)), rejected()];
    let known = [vec![claimed(1, 1, true)], refusal.to_vec()].concat();
    assert_eq!(broken(&trace(known)), [""; 0]);
    let unknown = vec![claimed(1, 1, true), sent(1, 1), arrived(1, Effect::Stored, 200)];
    assert_eq!(broken(&trace([unknown, refusal.to_vec()].concat())), ["Rejected"]);
    assert_eq!(broken(&trace(vec![claimed(1, 1, false), rejected()])), ["Rejected"]);
}

#[test]
fn a_request_before_the_end_of_a_retry_after_is_found() {
    let throttled = |seconds| Event::Read {
        request: 1,
        status: Some(429),
        retry_after: Some(Duration::from_secs(seconds)),
    };
    let events = |seconds| vec![claimed(1, 1, true), sent(1, 1), throttled(seconds), sent(2, 1)];
    assert_eq!(broken(&trace(events(1))), [""; 0]);
    assert_eq!(broken(&trace(events(2))), ["RetryAfter"]);
}

#[test]
fn a_lost_an_unfinished_and_a_wrongly_completed_submission_are_found() {
    let ending = |last| Trace { last: vec![last], ..trace(Vec::new()) };
    assert_eq!(broken(&ending(None)), ["Kept"]);
    assert_eq!(broken(&ending(Some(last(State::Held)))), ["Settles"]);
    let other = Last { result: Some(b"others".to_vec()), ..last(State::Completed) };
    assert_eq!(broken(&ending(Some(other))), ["Completed"]);
}
