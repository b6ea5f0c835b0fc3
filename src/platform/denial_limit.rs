//! Time limit for denials before an account is paused: only a person ends a pause, and many denials
//! end by themselves.

use std::time::Duration;

use ferry_types::clock::MonotonicTime;
use ferry_types::domain::outcome::PlatformError;
use parking_lot::Mutex;

/// Fewer denials in a row pause no account, however far apart they are.
const AT_LEAST: u32 = 3;

/// Responses that are further apart do not belong together; nor if that is ten times the limit. A Platform
/// that throttles the account asks for less.
const APART: Duration = Duration::from_hours(2);

/// An end that is expected later is not awaited.
const LONGEST: Duration = Duration::from_hours(1);

/// The denials in a row of one endpoint.
#[derive(Debug)]
pub(super) struct DenialLimit {
    limit: Duration,
    streak: Mutex<Option<Streak>>,
}

#[derive(Debug, Clone, Copy)]
struct Streak {
    first: MonotonicTime,
    last: MonotonicTime,
    until: MonotonicTime,
    count: u32,
}

impl DenialLimit {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, streak: Mutex::default() }
    }

    /// Counts a denial at `now`. Returns true, once, if they have gone on for the limit, and until the
    /// end that was `expected` at the first of them.
    pub(super) fn is_over(&self, now: MonotonicTime, expected: Option<MonotonicTime>) -> bool {
        let mut streak = self.streak.lock();
        let earlier = streak.filter(|streak| now.since(streak.last) < self.apart());
        let expected = expected.map(|expected| expected.min(now + LONGEST));
        let ends = || (now + self.limit).max(expected.unwrap_or(now));
        let until = earlier.map_or_else(ends, |streak| streak.until);
        let first = earlier.map_or(now, |streak| streak.first);
        let count = earlier.map_or(0, |streak| streak.count) + 1;
        let is_over = now >= until && count >= AT_LEAST;
        *streak = (!is_over).then_some(Streak { first, last: now, until, count });
        is_over
    }

    /// Continues the row, if there is one: whatever the endpoint says at `now`, it has not done what it was
    /// asked.
    pub(super) fn extend(&self, now: MonotonicTime) {
        let mut streak = self.streak.lock();
        if let Some(streak) = streak.as_mut().filter(|streak| now.since(streak.last) < self.apart())
        {
            streak.last = now;
        }
    }

    fn apart(&self) -> Duration {
        APART.max(self.limit.saturating_mul(10))
    }

    /// Ends the row: the endpoint did what it was asked.
    pub(super) fn end(&self) {
        *self.streak.lock() = None;
    }

    /// Duration for which denials have been retried until `now`, if they are.
    pub(super) fn lasts_for(&self, now: MonotonicTime) -> Option<Duration> {
        let streak = self.streak.lock();
        streak.map(|streak| now.since(streak.first))
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }
}

/// The meaning of a denial at `now`: `passing` while it is retried, and then that a person must look at it.
pub(super) fn denied(
    denials: &DenialLimit,
    now: MonotonicTime,
    what: String,
    expected: Option<MonotonicTime>,
    passing: fn(String) -> PlatformError,
) -> PlatformError {
    if denials.is_over(now, expected) {
        return PlatformError::Credentials(what);
    }
    let limit = humantime::format_duration(denials.limit());
    passing(format!("{what}; retried, and the account is paused if this lasts for {limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn denials_are_over_after_the_limit_and_begin_again() {
        let (denial_limit, start) = (DenialLimit::new(LIMIT), MonotonicTime::default());
        for seconds in [0, 1, 30, 59] {
            assert!(!denial_limit.is_over(start + SECOND * seconds, None), "{seconds}");
        }
        assert!(denial_limit.is_over(start + LIMIT, None));
        assert_eq!(denial_limit.lasts_for(start + APART * 2), None);
        assert!(!denial_limit.is_over(start + LIMIT + SECOND, None));
    }

    #[test]
    fn success_and_a_long_time_end_the_row() {
        let (denial_limit, start) = (DenialLimit::new(LIMIT), MonotonicTime::default());
        for seconds in [0, 1, 2] {
            denial_limit.is_over(start + SECOND * seconds, None);
        }
        assert!(!denial_limit.is_over(start + APART * 2, None));
        denial_limit.end();
        assert_eq!(denial_limit.lasts_for(start + APART * 2), None);
    }

    #[test]
    fn other_errors_between_denials_do_not_begin_the_limit_again() {
        let (denial_limit, start) = (DenialLimit::new(LIMIT), MonotonicTime::default());
        let hour = Duration::from_hours(1);
        assert!(!denial_limit.is_over(start, None));
        for hours in 1..=4 {
            denial_limit.extend(start + hour * hours);
        }
        assert!(!denial_limit.is_over(start + hour * 5, None));
        assert!(denial_limit.is_over(start + hour * 6, None));
        denial_limit.extend(start);
        assert_eq!(denial_limit.lasts_for(start), None, "it begins none");
    }

    #[test]
    fn an_expected_end_is_awaited_and_few_denials_pause_nothing() {
        let (denial_limit, start) = (DenialLimit::new(LIMIT), MonotonicTime::default());
        assert!(!denial_limit.is_over(start, Some(start + LIMIT * 3)));
        assert!(!denial_limit.is_over(start + LIMIT * 2, None));
        assert!(denial_limit.is_over(start + LIMIT * 3, None));
        assert!(!denial_limit.is_over(start, None));
        assert!(!denial_limit.is_over(start + LIMIT, None), "it is only the second");
    }
}
