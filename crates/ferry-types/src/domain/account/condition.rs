//! The condition of an account in words, and the outage that stops it.

use std::time::Duration;

use super::{Admission, BlockReason, Health, HealthPolicy};
use crate::domain::{Timestamp, until};

/// Age of the first failure in a row from which on an account is failing: most retries come sooner.
const FAILING: Duration = Duration::from_secs(30);

/// Failures in a row that opened the circuit breaker of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Time of the first failure, if it is known.
    pub since: Option<Timestamp>,
    /// Number of failures.
    pub failures: u32,
    /// Error of the last failure.
    pub last_error: Option<String>,
    /// Time of the next probe.
    pub next_probe_at: Timestamp,
}

/// Failures in a row of an account whose circuit breaker is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Time of the first failure.
    pub since: Timestamp,
    /// Number of failures.
    pub failures: u32,
    /// Error of the last failure.
    pub last_error: Option<String>,
}

impl Health {
    /// Returns the failures that last for a while, or that a resumption did not end, until a request
    /// succeeds or the breaker opens. Where few requests time out slowly, it may never open.
    pub fn failing(&self, now: Timestamp, policy: &HealthPolicy) -> Option<Failing> {
        let is_resumed = self.failures >= policy.breaker_failures;
        self.failures_so_far().filter(|failing| is_resumed || until(failing.since, now) >= FAILING)
    }

    /// Returns the failures from the first one on: a denied API key is seen before it is retried for long.
    pub fn failures_so_far(&self) -> Option<Failing> {
        let since = self.failing_since.filter(|_| self.probe_at.is_none())?;
        Some(Failing { since, failures: self.failures, last_error: self.last_error.clone() })
    }

    /// Returns the outage that lasts until a probe succeeds.
    pub fn outage(&self) -> Option<Outage> {
        Some(Outage {
            since: self.failing_since,
            failures: self.failures,
            last_error: self.last_error.clone(),
            next_probe_at: self.probe_at?,
        })
    }

    /// Returns the condition at `now` in words: `runs`, or what stops the account, since or until when.
    pub fn condition(&self, now: Timestamp, policy: &HealthPolicy) -> String {
        match (self.admit(now, policy), self.outage()) {
            (Admission::Blocked(BlockReason::Paused { reason }), _) => format!("paused: {reason}"),
            (Admission::Blocked(BlockReason::Throttled { until }), _) => {
                format!("throttled by the Platform until {}", shown(until))
            }
            (Admission::Blocked(BlockReason::LimitReached { until }), _) => {
                format!("at its limit until {}", shown(until))
            }
            (Admission::Blocked(BlockReason::BreakerOpen { .. }), Some(outage)) => {
                let probe = format!("next probe at {}", shown(outage.next_probe_at));
                outage.words(&probe)
            }
            (_, Some(outage)) => outage.words("probing"),
            (Admission::UpTo(_), None) if self.is_capped => {
                "throttled by the Platform, probing".to_owned()
            }
            (Admission::UpTo(steps), None) => format!("recovering: at most {steps} steps at once"),
            _ => match self.failing(now, policy) {
                Some(failing) => format!("runs, and {}", failing.words()),
                None => "runs".to_owned(),
            },
        }
    }
}

impl Outage {
    /// Returns the outage in words, with the time of the `probe` as the reader wants it.
    pub fn words(&self, probe: &str) -> String {
        let since = self.since.map(|since| format!(" since {}", shown(since))).unwrap_or_default();
        let (failures, error) = (in_a_row(self.failures), last(self.last_error.as_deref()));
        format!("circuit breaker open{since}, {failures}, {probe}{error}")
    }
}

impl Failing {
    /// Returns the failures in words.
    pub fn words(&self) -> String {
        let (failures, error) = (in_a_row(self.failures), last(self.last_error.as_deref()));
        format!("no request has succeeded since {}, {failures}{error}", shown(self.since))
    }
}

/// Returns a number of failures in words.
pub fn in_a_row(failures: u32) -> String {
    if failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures in a row") }
}

/// Returns an error as the end of a sentence; nothing if there is none.
pub fn last(error: Option<&str>) -> String {
    error.map(|error| format!("; last error: {error}")).unwrap_or_default()
}

fn shown(at: Timestamp) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}
