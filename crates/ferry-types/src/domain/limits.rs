//! Limits of an account at the Platform, which hold for all workers together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::submission::StepKind;
use super::{Timestamp, timestamp};

/// The limits of an account. By default there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AccountLimits {
    /// Uploads begun in a second.
    pub uploads_per_second: Option<f64>,
    /// Requests of any kind in a second; those for tokens come on top.
    pub requests_per_second: Option<f64>,
    /// Uploads in flight.
    pub max_concurrent_uploads: Option<u32>,
}

/// Part of a rate that may be used at once: workers claim in batches.
const BURST_MICROS: i64 = 40_000;

/// Usage of the limits of an account: for each rate the time at which it is available again, in
/// microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitUsage {
    uploads_until: i64,
    requests_until: i64,
}

impl AccountLimits {
    /// True if steps of this kind have a limit.
    pub fn restricts(&self, kind: StepKind) -> bool {
        (kind.calls_platform() && self.requests_per_second.is_some())
            || (kind == StepKind::Upload
                && (self.uploads_per_second.is_some() || self.max_concurrent_uploads.is_some()))
    }

    /// The limits, and no more requests in a second than these.
    #[must_use]
    pub fn within(self, requests_per_second: Option<f64>) -> Self {
        let lowest = |one: f64, other: f64| one.min(other);
        let rates = [self.requests_per_second, requests_per_second];
        Self { requests_per_second: rates.into_iter().flatten().reduce(lowest), ..self }
    }

    /// The microseconds from one step of `kind` to the next by the rates of uploads and of requests.
    pub fn intervals(&self, kind: StepKind) -> [Option<i64>; 2] {
        let uploads = self.uploads_per_second.filter(|_| kind == StepKind::Upload);
        [uploads.map(interval_micros), self.requests_per_second.map(interval_micros)]
    }
}

impl LimitUsage {
    /// Rates that are used up until these times, in microseconds since the Unix epoch.
    pub fn new(uploads_until: i64, requests_until: i64) -> Self {
        Self { uploads_until, requests_until }
    }

    /// Number of steps of `kind` that may begin at `now`, and, if none may, the time of the next one.
    pub fn available(
        &self,
        kind: StepKind,
        account_limits: &AccountLimits,
        now: Timestamp,
    ) -> (usize, Timestamp) {
        let now = now.timestamp_micros();
        let mut left = usize::MAX;
        let mut at = now;
        for (interval, until) in account_limits
            .intervals(kind)
            .into_iter()
            .zip([self.uploads_until, self.requests_until])
        {
            let Some(interval) = interval else { continue };
            let room = now + BURST_MICROS.max(interval) - until.max(now);
            left = left.min(usize::try_from(room / interval).unwrap_or_default());
            at = at.max(until + interval - BURST_MICROS.max(interval));
        }
        // Rounded up: at a time given in milliseconds, the step may really begin.
        (left, timestamp((at + 999).div_euclid(1000)))
    }

    /// Notes that steps of `kind` with `count` requests in all begin at `now`. More than was left
    /// makes those that follow wait longer.
    pub fn record(
        &mut self,
        kind: StepKind,
        count: usize,
        account_limits: &AccountLimits,
        now: Timestamp,
    ) {
        let now = now.timestamp_micros();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let [uploads, requests] = account_limits.intervals(kind);
        for (interval, until) in
            [(uploads, &mut self.uploads_until), (requests, &mut self.requests_until)]
        {
            if let Some(interval) = interval {
                *until = (*until).max(now).saturating_add(interval.saturating_mul(count));
            }
        }
    }

    /// When steps of `kind` may begin again, if their rate is used up at `now`.
    pub fn limited_until(&self, kind: StepKind, now: Timestamp) -> Option<Timestamp> {
        if !kind.calls_platform() {
            return None;
        }
        let uploads = if kind == StepKind::Upload { self.uploads_until } else { 0 };
        let until = uploads.max(self.requests_until);
        (until - BURST_MICROS > now.timestamp_micros()).then(|| timestamp(until.div_euclid(1000)))
    }
}

/// From one step to the next; at least a microsecond, and at most a day.
fn interval_micros(per_second: f64) -> i64 {
    let day = Duration::from_hours(24).as_micros() as f64;
    (1e6 / per_second).clamp(1.0, day) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        timestamp(1_700_000_000_000 + millis)
    }

    fn uploads(per_second: f64) -> AccountLimits {
        AccountLimits { uploads_per_second: Some(per_second), ..AccountLimits::default() }
    }

    #[test]
    fn without_a_limit_everything_may_begin() {
        let left =
            LimitUsage::default().available(StepKind::Upload, &AccountLimits::default(), at(0));
        assert_eq!(left, (usize::MAX, at(0)));
        assert!(!AccountLimits::default().restricts(StepKind::Upload));
    }

    #[test]
    fn a_slow_rate_lets_one_step_begin_and_then_waits() {
        let (mut usage, account_limits) = (LimitUsage::default(), uploads(2.0));
        assert_eq!(usage.available(StepKind::Upload, &account_limits, at(0)).0, 1);
        usage.record(StepKind::Upload, 1, &account_limits, at(0));
        assert_eq!(usage.available(StepKind::Upload, &account_limits, at(499)), (0, at(500)));
        assert_eq!(usage.available(StepKind::Upload, &account_limits, at(500)).0, 1);
    }

    #[test]
    fn a_rate_of_uploads_does_not_hold_other_steps() {
        let (mut usage, account_limits) = (LimitUsage::default(), uploads(1.0));
        usage.record(StepKind::Upload, 1, &account_limits, at(0));
        assert_eq!(usage.available(StepKind::Poll, &account_limits, at(0)).0, usize::MAX);
        assert!(usage.limited_until(StepKind::Upload, at(0)).is_some());
        assert_eq!(usage.limited_until(StepKind::Poll, at(0)), None);
    }

    #[test]
    fn a_limit_that_is_configured_stays_the_upper_bound() {
        let of = |requests_per_second| AccountLimits { requests_per_second, ..Default::default() };
        for (configured, learned, expected) in [
            (Some(5.0), Some(9.0), Some(5.0)),
            (Some(5.0), Some(2.0), Some(2.0)),
            (None, Some(2.0), Some(2.0)),
            (Some(5.0), None, Some(5.0)),
            (None, None, None),
        ] {
            assert_eq!(of(configured).within(learned), of(expected));
        }
    }

    proptest! {
        #[test]
        fn no_second_sees_more_than_the_rate_and_a_tenth(
            rate in 1.0..5000.0_f64,
            delays in proptest::collection::vec(0_i64..300, 1..60),
            wanted in 1_usize..400,
        ) {
            let (mut usage, account_limits) = (LimitUsage::default(), uploads(rate));
            let mut started: Vec<(i64, usize)> = Vec::new();
            let mut now = 0;
            for delay in delays {
                now += delay;
                let count = usage.available(StepKind::Upload, &account_limits, at(now)).0.min(wanted);
                usage.record(StepKind::Upload, count, &account_limits, at(now));
                started.push((now, count));
            }
            for (from, _) in &started {
                let within = started.iter().filter(|(at, _)| (*from..from + 1000).contains(at));
                let sum: usize = within.map(|(_, count)| count).sum();
                prop_assert!(sum as f64 <= rate * 1.1 + 2.0, "{sum} in a second at {rate}");
            }
        }

        #[test]
        fn when_it_says_that_a_step_may_begin_one_may(rate in 0.01..5000.0_f64, spend in 0_usize..500) {
            let (mut usage, account_limits) = (LimitUsage::default(), uploads(rate));
            usage.record(StepKind::Upload, spend, &account_limits, at(0));
            let (left, next) = usage.available(StepKind::Upload, &account_limits, at(0));
            if left == 0 {
                prop_assert!(next > at(0));
                prop_assert!(usage.available(StepKind::Upload, &account_limits, next).0 >= 1);
            }
        }
    }
}
