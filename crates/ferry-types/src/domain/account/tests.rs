//! Tests of the health of an account.

use super::*;
use crate::domain::timestamp;

fn at(millis: i64) -> Timestamp {
    timestamp(1_700_000_000_000 + millis)
}

fn policy() -> HealthPolicy {
    HealthPolicy { breaker_failures: 3, ..HealthPolicy::default() }
}

fn throttled(seconds: u64) -> Signal {
    Signal::Throttled {
        delay: Duration::from_secs(seconds),
        is_capped: false,
        is_rate: false,
        response: "429".into(),
    }
}

fn unhealthy() -> Signal {
    Signal::Unhealthy("connection refused".to_owned())
}

fn capped(seconds: u64) -> Signal {
    Signal::Throttled {
        delay: Duration::from_secs(seconds),
        is_capped: true,
        is_rate: false,
        response: "429".into(),
    }
}

#[test]
fn one_probe_asks_again_where_more_was_asked_for_than_is_trusted() {
    let (mut health, policy) = (Health::default(), policy());
    health.record(&capped(3), StepKind::Upload, at(0), &policy);
    // A straggler from before proves nothing, and a shorter request changes nothing.
    health.record(&Signal::Healthy, StepKind::Upload, at(1000), &policy);
    health.record(&throttled(1), StepKind::Upload, at(1000), &policy);
    let blocked = Admission::Blocked(BlockReason::Throttled { until: at(3000) });
    assert_eq!(health.admit(at(2999), &policy), blocked);
    // However long the probe takes, and whether or not it fails.
    assert_eq!(health.admit(at(3000), &policy), Admission::UpTo(1));
    health.record(&unhealthy(), StepKind::Upload, at(60_000), &policy);
    assert_eq!(health.admit(at(90_000), &policy), Admission::UpTo(1));
    let mut again = health.clone();
    health.record(&Signal::Healthy, StepKind::Upload, at(90_000), &policy);
    assert_eq!(health.admit(at(90_000), &policy), Admission::UpTo(1), "the ramp");
    assert_eq!(health.admit(at(90_250), &policy), Admission::UpTo(2));
    assert_eq!(health.admit(at(92_500), &policy), Admission::Open);
    // A throttled probe follows the `Retry-After` of its response.
    again.record(&throttled(3), StepKind::Upload, at(90_000), &policy);
    assert_eq!(again.admit(at(93_250), &policy), Admission::UpTo(2));
    again.record(&capped(3), StepKind::Upload, at(95_000), &policy);
    assert_eq!(again.admit(at(200_000), &policy), Admission::UpTo(1));
}

#[test]
fn a_throttling_lasts_for_the_time_asked_and_reopens_with_a_ramp() {
    let mut health = Health::default();
    health.record(&throttled(3), StepKind::Upload, at(0), &policy());
    let blocked = Admission::Blocked(BlockReason::Throttled { until: at(3000) });
    assert_eq!(health.admit(at(2999), &policy()), blocked);
    assert_eq!(health.admit(at(3000), &policy()), Admission::UpTo(1));
    assert_eq!(health.admit(at(3600), &policy()), Admission::UpTo(4));
    assert_eq!(health.admit(at(5500), &policy()), Admission::Open);
}

#[test]
fn a_good_response_after_the_ramp_ends_the_memory_of_a_throttling() {
    let mut health = Health::default();
    health.record(&throttled(3), StepKind::Upload, at(0), &policy());
    for early in [0, 3000, 5499] {
        health.record(&Signal::Healthy, StepKind::Upload, at(early), &policy());
        assert_eq!(health.throttled_until, Some(at(3000)));
    }
    health.record(&Signal::Healthy, StepKind::Upload, at(5500), &policy());
    assert_eq!(health, Health::default());
}

#[test]
fn a_shorter_pause_does_not_shorten_a_longer_one() {
    let mut health = Health::default();
    health.record(&throttled(3), StepKind::Upload, at(0), &policy());
    health.record(&throttled(1), StepKind::Upload, at(10), &policy());
    assert_eq!(health.throttled_until, Some(at(3000)));
}

#[test]
fn failures_in_a_row_open_the_breaker_and_one_probe_at_a_time_closes_it() {
    let mut health = Health::default();
    for _ in 0..2 {
        health.record(&unhealthy(), StepKind::Upload, at(0), &policy());
    }
    assert_eq!(health.admit(at(0), &policy()), Admission::Open);
    health.record(&unhealthy(), StepKind::Upload, at(0), &policy());
    let open = Admission::Blocked(BlockReason::BreakerOpen { until: at(1000) });
    assert_eq!(health.admit(at(999), &policy()), open);
    // A response to a request from before it opened does not count.
    health.record(&unhealthy(), StepKind::Upload, at(500), &policy());
    assert_eq!(health.admit(at(1000), &policy()), Admission::UpTo(1));
    health.record(&unhealthy(), StepKind::Upload, at(1000), &policy());
    let longer = Admission::Blocked(BlockReason::BreakerOpen { until: at(3000) });
    assert_eq!(health.admit(at(2999), &policy()), longer);
    health.record(&Signal::Healthy, StepKind::Upload, at(3000), &policy());
    assert_eq!(health.admit(at(3000), &policy()), Admission::Open);
}

#[test]
fn every_kind_with_due_steps_has_a_turn_after_the_one_that_stopped_the_account() {
    use StepKind::{Collect, Poll, Upload};
    let stopped = |stopped_by| Health {
        probe_at: Some(at(0)),
        stopped_by: Some(stopped_by),
        ..Health::default()
    };
    for (last, due, expected) in [
        (Poll, &[Upload, Poll, Collect][..], Collect),
        (Collect, &[Upload, Poll, Collect], Upload),
        (Upload, &[Upload, Poll, Collect], Poll),
        (Poll, &[Upload, Poll], Upload),
        (Upload, &[Upload, Collect], Collect),
        (Poll, &[Poll], Poll),
    ] {
        for kind in due {
            let turn = |millis| {
                let is_due = |kind| Ok::<_, ()>(due.contains(&kind));
                stopped(last).is_turn(*kind, at(millis), &policy(), is_due).unwrap()
            };
            assert_eq!(turn(999), *kind == expected, "{last} {kind} {due:?}");
            assert!(turn(1000), "none is held up for long: {last} {kind}");
        }
    }
}

#[test]
fn the_first_reason_of_a_pause_stays() {
    let mut health = Health::default();
    health.record(&Signal::CredentialsDenied("first".into()), StepKind::Upload, at(0), &policy());
    health.record(&Signal::CredentialsDenied("second".into()), StepKind::Upload, at(0), &policy());
    assert_eq!(health.pause_reason.as_deref(), Some("first"));
}

#[test]
fn an_outage_has_its_begin_its_failures_and_its_last_error() {
    let (mut health, policy) = (Health::default(), policy());
    assert_eq!(health.pace(at(0), &policy), "runs");
    for failure in 0..3 {
        assert_eq!(health.outage(), None);
        let error = Signal::Unhealthy(format!("error {failure}"));
        health.record(&error, StepKind::Poll, at(failure * 10), &policy);
    }
    let outage = health.outage().expect("its breaker is open");
    assert_eq!((outage.since, outage.failures, outage.next_probe_at), (Some(at(0)), 3, at(1020)));
    assert_eq!(outage.last_error.as_deref(), Some("error 2"));
    assert_eq!(health.pace(at(1020), &policy), "probing: one request at a time");
    health.record(&Signal::Healthy, StepKind::Poll, at(2000), &policy);
    assert_eq!((health.outage(), &health), (None, &Health::default()));
}

#[test]
fn a_pause_is_since_the_time_of_its_record() {
    let record = pause_record("at (2020-01-01 00:00:00 UTC)", "user `me`", at(0));
    assert_eq!(paused_since(&record), Some(at(0)));
    assert_eq!(paused_since("maintenance"), None);
    assert_eq!(paused_since(UNREADABLE_HEALTH), None);
}

#[test]
fn a_throttling_is_known_since_its_begin_with_the_last_response_until_it_is_over() {
    let (policy, mut health) = (policy(), Health::default());
    let throttled = |seconds, response: &str| Signal::Throttled {
        delay: Duration::from_secs(seconds),
        is_capped: false,
        is_rate: false,
        response: response.to_owned(),
    };
    health.record(&throttled(9, "first"), StepKind::Upload, at(0), &policy);
    health.record(&throttled(9, "second"), StepKind::Poll, at(1000), &policy);
    health.record(&throttled(1, "it ends sooner"), StepKind::Poll, at(2000), &policy);
    let throttling = health.throttling().expect("it is throttled");
    assert_eq!((throttling.since, throttling.until), (Some(at(0)), at(10_000)));
    assert_eq!(throttling.response.as_deref(), Some("second"));
    health.record(&throttled(9, "after its end"), StepKind::Poll, at(10_001), &policy);
    assert_eq!(health.throttled_since, Some(at(10_001)));
    health.record(&capped(3), StepKind::Upload, at(20_000), &policy);
    health.record(&capped(3), StepKind::Upload, at(24_000), &policy);
    assert_eq!(health.throttled_since, Some(at(20_000)), "no probe got a response between");
    health.record(&Signal::Healthy, StepKind::Upload, at(99_000), &policy);
    health.record(&Signal::Healthy, StepKind::Upload, at(199_000), &policy);
    assert_eq!(health, Health::default());
}

#[test]
fn an_account_recovers_from_a_throttling_in_words() {
    let (policy, mut health) = (policy(), Health::default());
    health.record(&capped(3), StepKind::Upload, at(0), &policy);
    assert_eq!(health.pace(at(3000), &policy), "probing: one request at a time");
    health.record(&Signal::Healthy, StepKind::Upload, at(3000), &policy);
    assert_eq!(health.pace(at(3250), &policy), "recovering: at most 2 steps at once");
    assert_eq!(health.pace(at(9000), &policy), "runs");
}

#[test]
fn failures_with_a_closed_breaker_count_after_a_while_and_after_a_resumption() {
    let (mut health, policy) = (Health::default(), policy());
    let error = || Signal::Unhealthy("timed out".to_owned());
    health.record(&error(), StepKind::Upload, at(0), &policy);
    assert_eq!(health.failing(at(29_999), &policy), None);
    let failing = health.failing(at(30_000), &policy).expect("it is old");
    assert_eq!(failing.last_error.as_deref(), Some("timed out"));
    for _ in 0..2 {
        health.record(&error(), StepKind::Upload, at(1000), &policy);
    }
    assert_eq!(health.failing(at(1001), &policy), None, "its breaker is open");
    assert!(health.resume() && !health.resume());
    assert_eq!(health.admit(at(1002), &policy), Admission::Open);
    let failing = health.failing(at(1002), &policy).expect("a resumption is no success");
    assert_eq!((failing.since, failing.failures), (at(0), 3));
    health.record(&error(), StepKind::Upload, at(1003), &policy);
    assert!(health.outage().is_some(), "the next failure opens it again");
    health.record(&Signal::Healthy, StepKind::Upload, at(1004), &policy);
    assert_eq!(health, Health::default());
}

const SECOND: i64 = 1000;

fn throttle(health: &mut Health, now: i64, delay: u64) {
    let signal = Signal::Throttled {
        delay: Duration::from_secs(delay),
        is_capped: false,
        is_rate: true,
        response: "429".to_owned(),
    };
    health.record(&signal, StepKind::Upload, at(now), &HealthPolicy::default());
}

/// An account that was throttled four times at 20 requests a second, and is throttled until the time 12,000.
fn throttled_at_twenty() -> Health {
    let mut health = Health::default();
    throttle(&mut health, 0, 1);
    for round in 1..4 {
        let from = round * 4 * SECOND - 3 * SECOND;
        for request in 0..40 {
            health.count_requests(1, at(from + request * 50));
        }
        assert_eq!(health.requests_per_second(at(from)), None, "they measure");
        throttle(&mut health, from + 2 * SECOND, if round == 3 { 1 } else { 2 });
    }
    health
}

fn per_second(health: &Health, now: i64) -> f64 {
    health.requests_per_second(at(now)).expect("it is known")
}

#[test]
fn the_fourth_429_shows_the_rate_which_is_reached_again_after_a_cycle() {
    let health = throttled_at_twenty();
    let (from, cycle) = (12 * SECOND, 40 * SECOND);
    for (cycles, least, most) in
        [(0, 19.3, 19.5), (1, 19.9, 20.1), (2, 20.5, 20.7), (4, 35.0, 37.0)]
    {
        let rate = per_second(&health, from + cycles * cycle);
        assert!((least..most).contains(&rate), "{cycles}: {rate}");
    }
    // Known, the rate takes the place of a ramp.
    assert_eq!(health.admit(at(from), &HealthPolicy::default()), Admission::Open);
}

#[test]
fn a_429_soon_after_another_lowers_the_rate_and_one_of_an_earlier_request_does_not() {
    let mut health = throttled_at_twenty();
    let before = per_second(&health, 12 * SECOND);
    throttle(&mut health, 11_500, 1);
    assert!((per_second(&health, 12 * SECOND) - before).abs() < 0.01, "it is throttled already");
    for request in 0..30 {
        health.count_requests(1, at(12_000 + request * 50));
    }
    throttle(&mut health, 13_500, 1);
    let rate = per_second(&health, 14_500);
    assert!((17.5..18.5).contains(&rate), "{rate}");
}

#[test]
fn a_quota_shows_no_rate() {
    let mut health = Health::default();
    throttle(&mut health, 0, 61);
    assert_eq!(health.learned_rate, None);
}

#[test]
fn a_rate_is_forgotten_after_seven_cycles_without_a_429() {
    let mut health = throttled_at_twenty();
    let end = (12 + 7 * 40) * SECOND;
    assert!(per_second(&health, end) > 120.0);
    assert_eq!(health.requests_per_second(at(end + 1)), None);
    assert!(health.count_requests(1, at(end + 1)));
    assert_eq!(health.learned_rate, None);
}

#[test]
fn a_limit_that_achieves_less_than_none_is_given_up_for_a_while() {
    let mut health = throttled_at_twenty();
    let mut now = 12 * SECOND;
    for _ in 0..3 {
        assert!(health.requests_per_second(at(now)).is_some());
        health.count_requests(1, at(now));
        throttle(&mut health, now + SECOND, 1);
        now += 2 * SECOND;
    }
    assert_eq!(health.requests_per_second(at(now)), None);
    let given_up = health.learned_rate;
    throttle(&mut health, now + 100 * SECOND, 1);
    assert_eq!(health.learned_rate, given_up, "429s show nothing meanwhile");
}

#[test]
fn what_the_platform_asks_of_an_account_outlives_the_step_that_brings_it() {
    for (signal, outlives) in [
        (throttled(1), true),
        (Signal::CredentialsDenied("401".to_owned()), true),
        (unhealthy(), false),
        (Signal::Healthy, false),
        (Signal::None, false),
    ] {
        assert_eq!(signal.outlives_its_step(), outlives, "{signal:?}");
    }
}

#[test]
fn the_reason_of_a_pause_is_one_line_of_text() {
    let longest = "ü".repeat(255);
    for reason in ["", "maintenance", &longest] {
        assert_eq!(pause_reason(reason).as_deref(), Ok(reason));
    }
    for reason in [&format!("{longest}x"), "a\nb", "\u{1b}[0m"] {
        assert!(pause_reason(reason).is_err(), "{reason:?}");
    }
}

#[test]
fn the_record_of_a_pause_says_who_and_when() {
    let record = pause_record("401", WORKER, at(0));
    assert_eq!(record, "401 (paused by a worker at 2023-11-14 22:13:20 UTC)");
    assert_eq!(paused_since(&record), Some(at(0)));
    assert!(!is_paused_by_operator(&record));
    assert!(is_paused_by_operator(&pause_record("maintenance", "alex", at(0))));
    assert_eq!(paused_since("maintenance"), None);
}
