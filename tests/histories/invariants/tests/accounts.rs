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
    let events = |seconds| {
        let again = [claimed_of(1, 1, 2, false), sent_of(1, 2, 1)];
        [vec![claimed(1, 1, true), sent(1, 1), throttled(seconds)], again.to_vec()].concat()
    };
    assert_eq!(broken(&trace(events(2))), [""; 0]);
    assert_eq!(broken(&trace(events(3))), ["RetryAfter"]);
    // Whatever the commit says of it, others know from then on.
    let committed = |seconds, last: Event| {
        let first =
            vec![claimed(1, 1, true), sent(1, 1), throttled(seconds), committed(1, 1), last];
        broken(&trace(first))
    };
    assert_eq!(committed(2, claimed_of(1, 2, 2, false)), [""; 0]);
    assert_eq!(committed(3, claimed_of(1, 2, 2, false)), ["RetryAfter"]);
    assert_eq!(committed(3, Event::Resumed(0)), [""; 0]);
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
    let again = [claimed(1, 2, true), sent(2, 1)];
    let events = vec![claimed(1, 1, true), sent(1, 1), throttled, Event::WentBack];
    let events = [events, again.to_vec()].concat();
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
fn a_request_beyond_those_that_its_claim_was_counted_for_is_found() {
    let twice = |status| {
        let first = vec![claimed(1, 1, true), sent(1, 1), read(1, Some(status)), sent(2, 1)];
        broken(&trace(first))
    };
    assert_eq!(twice(500), ["Limits"]);
    assert_eq!(twice(401), [""; 0]);
    assert_eq!(broken(&trace(vec![sent(1, 1)])), ["Limits"]);
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
    let due = |second| WaitingFor::DueTime { at: at(second), step: StepKind::Upload };
    assert!(!says(Vec::new(), explained(Some(due(5)))));
    assert!(says(Vec::new(), Explained { due_at: Some(at(12)), ..explained(Some(due(12))) }));
    let leased = |second| Explained { leased_until: Some(at(second)), ..explained(None) };
    assert!(says(Vec::new(), leased(25)));
    assert!(!says(Vec::new(), leased(26)), "no lease is that long");
}

#[test]
fn a_block_of_an_account_that_is_not_true_is_found() {
    let says = |before: Vec<Event>, limit, waiting_for| {
        let explained = Event::Explained(explained(Some(waiting_for)));
        let mut trace = trace([before, vec![explained]].concat());
        trace.limits.uploads_per_second = limit;
        !broken(&trace).contains(&"SaysWhy")
    };
    let worker = WaitingFor::Worker { step: StepKind::Upload };
    let throttled = |second| WaitingFor::Account(BlockReason::Throttled { until: at(second) });
    let seconds = |seconds| {
        let delay = Duration::from_secs(seconds);
        let response = String::new();
        let signal = Signal::Throttled { delay, is_capped: false, is_rate: false, response };
        vec![claimed(1, 1, true), signaled(1, 1, signal)]
    };
    // It is explained a second after that.
    assert!(says(seconds(2), None, throttled(11)));
    assert!(!says(seconds(2), None, throttled(12)));
    assert!(!says(seconds(2), None, worker.clone()));
    assert!(says(seconds(1), None, worker.clone()));
    assert!(!says(Vec::new(), None, throttled(11)));
    let limit = || WaitingFor::Account(BlockReason::LimitReached { until: at(11) });
    assert!(says(Vec::new(), Some(1.0), limit()));
    assert!(!says(Vec::new(), None, limit()));
    let failed = |times| {
        let failed = signaled(1, 1, Signal::Unhealthy("an error".to_owned()));
        vec![failed; times]
    };
    let open = || WaitingFor::Account(BlockReason::BreakerOpen { until: at(11) });
    assert!(says(failed(10), None, open()));
    assert!(!says(failed(9), None, open()));
    let late = || {
        let queued = Event::Changed {
            of: 0,
            state: State::Queued,
            ambiguous: true,
            token: None,
            why: String::new(),
        };
        vec![changed(0, State::Uploading), queued]
    };
    let due = |second| WaitingFor::DueTime { at: at(second), step: StepKind::Upload };
    assert!(says(late(), None, due(39)), "30 s after it became ambiguous");
    assert!(!says(late(), None, due(40)));
    assert!(!says(late(), None, worker));
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
