//! The condition of an account: its pace in words, and the failures that stop it.

use std::time::Duration;

use super::{Admission, Health, HealthPolicy};
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

/// A throttling by the Platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttling {
    /// Time of its begin, if it is known.
    pub since: Option<Timestamp>,
    /// Time at which a request is sent again.
    pub until: Timestamp,
    /// The last response that throttled the account.
    pub response: Option<String>,
}

impl Health {
    /// Returns the throttling that lasts, or was followed by few requests so far.
    pub fn throttling(&self) -> Option<Throttling> {
        let (since, response) = (self.throttled_since, self.throttled_by.clone());
        Some(Throttling { since, until: self.throttled_until?, response })
    }

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

    /// Returns the pace at `now` in words of an account that nothing blocks: `runs`, how fast, or how it recovers.
    pub fn pace(&self, now: Timestamp, policy: &HealthPolicy) -> String {
        match self.admit(now, policy) {
            Admission::UpTo(_) if self.is_capped || self.probe_at.is_some() => {
                "probing: one request at a time".to_owned()
            }
            Admission::UpTo(steps) => format!("recovering: at most {steps} steps at once"),
            Admission::Blocked(_) | Admission::Open => match self.requests_per_second(now) {
                Some(rate) => format!(
                    "runs at up to {} requests a second: beyond that the Platform responds 429",
                    rounded(rate)
                ),
                None => "runs".to_owned(),
            },
        }
    }
}

/// Returns a rate with as many digits as matter.
fn rounded(rate: f64) -> String {
    if rate >= 9.95 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// Returns a number of failures in words.
pub fn in_a_row(failures: u32) -> String {
    if failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures in a row") }
}

/// Returns an error as the end of a sentence; nothing if there is none.
pub fn last(error: Option<&str>) -> String {
    error.map(|error| format!("; last error: {error}")).unwrap_or_default()
}
