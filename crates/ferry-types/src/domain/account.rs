//! The health of an account as all workers see it: paused, asked to wait, in an outage, recovering.
//!
//! A store keeps one [`Health`] per account, asks [`Health::admit`] before it yields steps of the
//! account, and feeds every step's [`Signal`] to [`Health::record`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Timestamp, later, until};

/// What a step tells about its account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Nothing: the Platform was not asked.
    #[default]
    None,
    /// The Platform answered like a Platform in good health.
    Healthy,
    /// The Platform could not be reached, or had a fault.
    Unhealthy,
    /// The Platform asks for a pause.
    Throttled {
        /// How long.
        delay: Duration,
    },
    /// The credentials were refused; the text says how.
    CredentialsDenied(String),
}

impl Signal {
    /// Whether it counts although the step that brings it has another holder by now: what the Platform
    /// asks of the whole account is true whoever heard it, and harmless to record twice.
    pub const fn outlives_its_step(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::CredentialsDenied(_) => true,
            Self::None | Self::Healthy | Self::Unhealthy => false,
        }
    }
}

/// Why nothing of an account is yielded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BlockReason {
    /// A person, or refused credentials, paused the account: until somebody resumes it.
    Paused {
        /// Why.
        reason: String,
    },
    /// The Platform asked to wait.
    Throttled {
        /// Until when.
        until: Timestamp,
    },
    /// A rate of the account is used up.
    LimitReached {
        /// Until when.
        until: Timestamp,
    },
    /// Failures in a row opened the breaker.
    BreakerOpen {
        /// When it is probed next.
        until: Timestamp,
    },
}

/// The reason of a pause, with who or what paused the account, and when.
pub fn pause_record(reason: &str, by: &str, at: Timestamp) -> String {
    format!("{reason} (paused by {by} at {})", at.format("%Y-%m-%d %H:%M:%S UTC"))
}

/// How many steps of an account may be leased at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// None.
    Blocked(BlockReason),
    /// At most so many, those that are leased already included.
    UpTo(u32),
    /// As many as there are workers for.
    Open,
}

/// When the breaker opens and how an account recovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Failures in a row that make an outage.
    pub breaker_failures: u32,
    /// How long the breaker stays open at first; doubled with each probe that fails.
    pub breaker_initial: Duration,
    /// The longest that it stays open.
    pub breaker_open_max: Duration,
    /// The number of leased steps doubles every so often after a gate has reopened.
    pub ramp_step: Duration,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            breaker_failures: 10,
            breaker_initial: Duration::from_secs(1),
            breaker_open_max: Duration::from_mins(1),
            ramp_step: Duration::from_millis(250),
        }
    }
}

/// After so many doublings a ramp is over.
const RAMP_DOUBLINGS: u32 = 10;

/// What is known of an account's health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Why it is paused, if it is.
    pub pause_reason: Option<String>,
    /// Until when the Platform wants to be left alone; stays set through the ramp that follows.
    pub throttled_until: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// When the open breaker lets the next probe through.
    pub probe_at: Option<Timestamp>,
}

/// Reason of a pause for want of knowledge.
pub const UNREADABLE_HEALTH: &str =
    "the record of the account's health is damaged; it may have been paused or throttled";

impl Health {
    /// Health of an account whose record is damaged: paused, until an operator resumes it.
    pub fn unreadable() -> Self {
        Self { pause_reason: Some(UNREADABLE_HEALTH.to_owned()), ..Self::default() }
    }

    /// How many steps may be leased at `now`.
    pub fn admit(&self, now: Timestamp, policy: &HealthPolicy) -> Admission {
        if let Some(reason) = &self.pause_reason {
            return Admission::Blocked(BlockReason::Paused { reason: reason.clone() });
        }
        if let Some(until) = self.throttled_until.filter(|until| now < *until) {
            return Admission::Blocked(BlockReason::Throttled { until });
        }
        match self.probe_at {
            Some(until) if now < until => {
                return Admission::Blocked(BlockReason::BreakerOpen { until });
            }
            // Half open: one probe at a time.
            Some(_) => return Admission::UpTo(1),
            None => {}
        }
        match self
            .throttled_until
            .filter(|throttled_until| is_ramping(*throttled_until, now, policy))
        {
            Some(throttled_until) => Admission::UpTo(1 << doublings(throttled_until, now, policy)),
            None => Admission::Open,
        }
    }

    /// Takes in what a step told at `now`.
    pub fn record(&mut self, signal: &Signal, now: Timestamp, policy: &HealthPolicy) {
        match signal {
            Signal::None => {}
            Signal::Healthy => {
                self.failures = 0;
                self.probe_at = None;
                self.throttled_until = self
                    .throttled_until
                    .filter(|throttled_until| is_ramping(*throttled_until, now, policy));
            }
            Signal::Unhealthy => {
                self.failures = self.failures.saturating_add(1);
                if let Some(excess) = self.failures.checked_sub(policy.breaker_failures) {
                    let delay = policy
                        .breaker_initial
                        .saturating_mul(1 << excess.min(16))
                        .min(policy.breaker_open_max);
                    // Answers that were under way when it opened do not lengthen an outage.
                    if self.probe_at.is_none_or(|probe_at| probe_at <= now) {
                        self.probe_at = Some(later(now, delay));
                    } else {
                        self.failures -= 1;
                    }
                }
            }
            Signal::Throttled { delay } => {
                let until = later(now, *delay);
                self.throttled_until =
                    Some(self.throttled_until.map_or(until, |old| old.max(until)));
            }
            Signal::CredentialsDenied(reason) => {
                self.pause_reason.get_or_insert_with(|| reason.clone());
            }
        }
    }
}

/// Whether the gate is closed, or reopened only a while ago.
fn is_ramping(throttled_until: Timestamp, now: Timestamp, policy: &HealthPolicy) -> bool {
    doublings(throttled_until, now, policy) < RAMP_DOUBLINGS
}

fn doublings(throttled_until: Timestamp, now: Timestamp, policy: &HealthPolicy) -> u32 {
    let doublings = until(throttled_until, now).as_millis() / policy.ramp_step.as_millis().max(1);
    u32::try_from(doublings).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp;

    fn at(millis: i64) -> Timestamp {
        timestamp(1_700_000_000_000 + millis)
    }

    fn policy() -> HealthPolicy {
        HealthPolicy { breaker_failures: 3, ..HealthPolicy::default() }
    }

    #[test]
    fn a_gate_closes_for_the_time_asked_and_reopens_with_a_ramp() {
        let mut health = Health::default();
        health.record(&Signal::Throttled { delay: Duration::from_secs(3) }, at(0), &policy());
        let blocked = Admission::Blocked(BlockReason::Throttled { until: at(3000) });
        assert_eq!(health.admit(at(2999), &policy()), blocked);
        assert_eq!(health.admit(at(3000), &policy()), Admission::UpTo(1));
        assert_eq!(health.admit(at(3600), &policy()), Admission::UpTo(4));
        assert_eq!(health.admit(at(5500), &policy()), Admission::Open);
    }

    #[test]
    fn a_good_answer_after_the_ramp_ends_the_memory_of_a_gate() {
        let mut health = Health::default();
        health.record(&Signal::Throttled { delay: Duration::from_secs(3) }, at(0), &policy());
        for early in [0, 3000, 5499] {
            health.record(&Signal::Healthy, at(early), &policy());
            assert_eq!(health.throttled_until, Some(at(3000)));
        }
        health.record(&Signal::Healthy, at(5500), &policy());
        assert_eq!(health, Health::default());
    }

    #[test]
    fn a_shorter_pause_does_not_shorten_a_longer_one() {
        let mut health = Health::default();
        health.record(&Signal::Throttled { delay: Duration::from_secs(3) }, at(0), &policy());
        health.record(&Signal::Throttled { delay: Duration::from_secs(1) }, at(10), &policy());
        assert_eq!(health.throttled_until, Some(at(3000)));
    }

    #[test]
    fn failures_in_a_row_open_the_breaker_and_one_probe_at_a_time_closes_it() {
        let mut health = Health::default();
        for _ in 0..2 {
            health.record(&Signal::Unhealthy, at(0), &policy());
        }
        assert_eq!(health.admit(at(0), &policy()), Admission::Open);
        health.record(&Signal::Unhealthy, at(0), &policy());
        let open = Admission::Blocked(BlockReason::BreakerOpen { until: at(1000) });
        assert_eq!(health.admit(at(999), &policy()), open);
        // An answer that was under way does not count against it.
        health.record(&Signal::Unhealthy, at(500), &policy());
        assert_eq!(health.admit(at(1000), &policy()), Admission::UpTo(1));
        health.record(&Signal::Unhealthy, at(1000), &policy());
        let longer = Admission::Blocked(BlockReason::BreakerOpen { until: at(3000) });
        assert_eq!(health.admit(at(2999), &policy()), longer);
        health.record(&Signal::Healthy, at(3000), &policy());
        assert_eq!(health.admit(at(3000), &policy()), Admission::Open);
    }

    #[test]
    fn the_first_reason_of_a_pause_stays() {
        let mut health = Health::default();
        health.record(&Signal::CredentialsDenied("first".into()), at(0), &policy());
        health.record(&Signal::CredentialsDenied("second".into()), at(0), &policy());
        assert_eq!(health.pause_reason.as_deref(), Some("first"));
    }
}
