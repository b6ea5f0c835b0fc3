//! Throttling, limits, pauses, and the reasons that the store gives for waiting.

use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::WaitingFor;
use ferry_types::domain::{Timestamp, timestamp};

use super::*;
use crate::trace::Explained;

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
fn a_claim_before_a_committed_throttling_ends_is_found() {
    let events = |seconds, between| {
        let signal = Signal::Throttled {
            delay: Duration::from_secs(seconds),
            is_capped: false,
            is_rate: false,
            response: String::new(),
        };
        vec![claimed(1, 1, true), signaled(1, 1, signal), between, claimed_of(1, 2, 2, true)]
    };
    assert_eq!(broken(&trace(events(2, Event::Calm))), [""; 0]);
    assert_eq!(broken(&trace(events(3, Event::Calm))), ["RetryAfter"]);
    assert_eq!(broken(&trace(events(3, Event::Resumed(0)))), [""; 0]);
    assert_eq!(broken(&trace(events(3, Event::Resumed(1)))), ["RetryAfter"]);
}

#[test]
fn a_store_that_went_back_forgets_only_what_was_committed_since() {
    let went_back = |is_undone, between: Event| {
        let signal = Signal::Throttled {
            delay: Duration::from_secs(9),
            is_capped: false,
            is_rate: false,
            response: String::new(),
        };
        let events = vec![
            claimed(1, 1, true),
            signaled(1, 1, signal),
            between,
            Event::WentBack,
            claimed_of(1, 2, 2, true),
        ];
        let mut trace = trace(events);
        trace.entries[1].is_undone = is_undone;
        broken(&trace)
    };
    assert_eq!(went_back(true, Event::Calm), [""; 0]);
    assert_eq!(went_back(false, Event::Calm), ["RetryAfter"]);
    assert_eq!(went_back(false, Event::Saved), ["RetryAfter"]);
    assert_eq!(went_back(false, Event::ClockStepped(60)), ["RetryAfter"]);
    assert_eq!(went_back(true, claimed_of(1, 2, 2, true)), ["RetryAfter"], "before it went back");
}

#[test]
fn a_worker_that_has_not_committed_a_retry_after_knows_it_although_the_store_went_back() {
    let throttled =
        Event::Read { request: 1, status: Some(429), retry_after: Some(Duration::from_secs(9)) };
    let events = vec![claimed(1, 1, true), sent(1, 1), throttled, Event::WentBack, sent(2, 1)];
    assert_eq!(broken(&trace(events)), ["RetryAfter"]);
}

#[test]
fn a_claim_of_a_paused_account_is_found() {
    let events = |pause, end| vec![pause, end, claimed_of(1, 2, 2, true)];
    assert_eq!(broken(&trace(events(Event::Paused(0), Event::Calm))), ["Signals"]);
    assert_eq!(broken(&trace(events(Event::Paused(1), Event::Calm))), [""; 0]);
    assert_eq!(broken(&trace(events(Event::Paused(0), Event::Resumed(0)))), [""; 0]);
    let denied = signaled(1, 1, Signal::CredentialsDenied("no".to_owned()));
    let denied = vec![claimed(1, 1, true), denied, claimed_of(1, 2, 2, true)];
    assert_eq!(broken(&trace(denied)), ["Signals"]);
}

#[test]
fn claims_beyond_the_rate_of_their_account_are_found() {
    let limited = |rate: f64, count| {
        let claims = (0..count).flat_map(|claim| [claimed(1, claim, true), committed(1, claim)]);
        let mut trace = trace(claims.collect());
        trace.limits.uploads_per_second = Some(rate);
        broken(&trace)
    };
    assert_eq!(limited(0.5, 20), [""; 0]);
    assert_eq!(limited(0.2, 20), ["Limits"]);
}

#[test]
fn uploads_beyond_their_number_are_found() {
    let in_flight = |most| {
        let mut trace = trace(vec![changed(0, State::Uploading), changed(1, State::Uploading)]);
        trace.limits.max_concurrent_uploads = Some(most);
        broken(&trace)
    };
    assert_eq!(in_flight(2), [""; 0]);
    assert_eq!(in_flight(1), ["Limits"]);
}

fn at(second: i64) -> Timestamp {
    timestamp(1_770_000_000_000 + second * 1000)
}

/// A queued submission whose upload is due at second 5, explained at second 10.
fn explained(waiting_for: Option<WaitingFor>) -> Explained {
    Explained {
        of: 1,
        state: State::Queued,
        step: Some(StepKind::Upload),
        due_at: Some(at(5)),
        leased_until: None,
        waiting_for,
        predecessor: None,
        now: at(10),
    }
}

#[test]
fn a_reason_for_waiting_that_is_missing_or_untrue_is_found() {
    let says = |before: Vec<Event>, explained| {
        !broken(&trace([before, vec![Event::Explained(explained)]].concat())).contains(&"SaysWhy")
    };
    let worker = || explained(Some(WaitingFor::Worker { step: StepKind::Upload }));
    assert!(says(Vec::new(), worker()));
    assert!(!says(Vec::new(), explained(None)));
    assert!(!says(Vec::new(), Explained { due_at: Some(at(11)), ..worker() }));
    assert!(!says(vec![Event::Paused(0)], worker()));
    let paused = || BlockReason::Paused { reason: "a pause".to_owned() };
    let paused = || explained(Some(WaitingFor::Account(paused())));
    assert!(says(vec![Event::Paused(0)], paused()));
    assert!(!says(vec![Event::Paused(0), Event::Resumed(0)], paused()));
    let until = |second| BlockReason::Throttled { until: at(second) };
    assert!(says(Vec::new(), explained(Some(WaitingFor::Account(until(11))))));
    assert!(!says(Vec::new(), explained(Some(WaitingFor::Account(until(10))))));
    let due = |second| WaitingFor::DueTime { at: at(second), step: StepKind::Upload };
    assert!(!says(Vec::new(), explained(Some(due(5)))));
    assert!(says(Vec::new(), Explained { due_at: Some(at(12)), ..explained(Some(due(12))) }));
    let leased = |second| Explained { leased_until: Some(at(second)), ..explained(None) };
    assert!(says(Vec::new(), leased(25)));
    assert!(!says(Vec::new(), leased(26)), "no lease is that long");
}

#[test]
fn a_submission_that_waits_for_one_that_is_final_or_later_is_found() {
    let id = ferry_types::domain::SubmissionId::new(at(0), 0);
    let waits = |predecessor, state| {
        let waiting_for = Some(WaitingFor::Predecessor { submission: id });
        let explained = Explained { predecessor: Some(predecessor), ..explained(waiting_for) };
        let before = [Event::Accepted(0), Event::Accepted(1), changed(0, state)];
        let events = [before.to_vec(), vec![Event::Explained(explained)]].concat();
        !broken(&trace(events)).contains(&"SaysWhy")
    };
    assert!(waits(0, State::Held));
    assert!(!waits(0, State::Cancelled));
    assert!(!waits(1, State::Held));
}
