//! The condition of an account in words, and the outage that stops it.

use super::{Admission, BlockReason, Health, HealthPolicy};
use crate::domain::Timestamp;

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

impl Health {
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
            _ => "runs".to_owned(),
        }
    }
}

impl Outage {
    /// Returns the outage in words, with the time of the `probe` as the reader wants it.
    pub fn words(&self, probe: &str) -> String {
        let since = self.since.map(|since| format!(" since {}", shown(since))).unwrap_or_default();
        let error = self.last_error.as_ref().map(|error| format!("; last error: {error}"));
        let (failures, error) = (self.failures, error.unwrap_or_default());
        format!("circuit breaker open{since}, {failures} failures in a row, {probe}{error}")
    }
}

fn shown(at: Timestamp) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}
