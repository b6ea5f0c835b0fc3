//! The health of an account as all workers see it: paused, throttled, in an outage, recovering.
//!
//! A store keeps one [`Health`] per account, asks [`Health::admit`] before it yields steps of the
//! account, and feeds every step's [`Signal`] to [`Health::record`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::submission::StepKind;
use super::{Timestamp, later, until};

/// A step's report about its account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Nothing: the Platform was not asked.
    #[default]
    None,
    /// The Platform answered as it should.
    Healthy,
    /// The Platform could not be reached, or failed.
    Unhealthy,
    /// The Platform throttles the account.
    Throttled {
        /// The trusted part of the delay that it asked for.
        delay: Duration,
        /// True if it asked for more than is trusted: after the delay, one probe asks again.
        is_capped: bool,
    },
    /// The credentials were denied; the text has the details.
    CredentialsDenied(String),
}

impl Signal {
    /// True if it counts although the step that brings it belongs to another worker by now: what the
    /// Platform asks of the whole account stays true, and is harmless to record twice.
    pub const fn outlives_its_step(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::CredentialsDenied(_) => true,
            Self::None | Self::Healthy | Self::Unhealthy => false,
        }
    }
}

/// Reason why an account runs no steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BlockReason {
    /// An operator, or denied credentials, paused the account, until an operator resumes it.
    Paused {
        /// The reason that was given.
        reason: String,
    },
    /// The Platform throttles the account.
    Throttled {
        /// Time at which it ends.
        until: Timestamp,
    },
    /// A limit of the account is reached.
    LimitReached {
        /// Time at which it ends.
        until: Timestamp,
    },
    /// Failures in a row opened the breaker.
    BreakerOpen {
        /// The time of the next probe.
        until: Timestamp,
    },
}

/// The reason of a pause, with who or what paused the account, and when.
pub fn pause_record(reason: &str, by: &str, at: Timestamp) -> String {
    format!("{reason} (paused by {by} at {})", at.format("%Y-%m-%d %H:%M:%S UTC"))
}

/// The number of steps of an account that may be leased at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// None.
    Blocked(BlockReason),
    /// At most so many, those that are leased already included.
    UpTo(u32),
    /// As many as there are workers for.
    Open,
}

/// The rules by which the breaker opens and an account recovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Failures in a row that make an outage.
    pub breaker_failures: u32,
    /// First delay before a probe; doubled with each probe that fails.
    pub breaker_initial: Duration,
    /// Longest delay between probes.
    pub breaker_open_max: Duration,
    /// Time in which the number of leased steps doubles after throttling has ended.
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

/// Ramp steps after a reopening for which the kind of step that stopped the account lets others go first.
const TURN_RAMP_STEPS: u32 = 4;

/// After so many doublings a ramp is over.
const RAMP_DOUBLINGS: u32 = 10;

/// The known health of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The reason for its pause, if it is paused.
    pub pause_reason: Option<String>,
    /// The time at which the Platform is asked again; stays set through the ramp that follows.
    pub throttled_until: Option<Timestamp>,
    /// True if that is earlier than the Platform asked for: one probe at a time until one is answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_capped: bool,
    /// Failures in a row.
    pub failures: u32,
    /// The time of the next probe, while the breaker is open.
    pub probe_at: Option<Timestamp>,
    /// Kind of the step that opened the breaker, failed as its probe, or was throttled, last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StepKind>,
}

/// Reason of a pause for want of knowledge.
pub const UNREADABLE_HEALTH: &str =
    "the record of the account's health is damaged; it may have been paused or throttled";

impl Health {
    /// Health of an account whose record is damaged: paused, until an operator resumes it.
    pub fn unreadable() -> Self {
        Self { pause_reason: Some(UNREADABLE_HEALTH.to_owned()), ..Self::default() }
    }

    /// The number of steps that may be leased at `now`.
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
            None if self.is_capped => return Admission::UpTo(1),
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

    /// True if the one step that may be leased at `now` is of `kind`, where `is_due` returns true for each
    /// kind that has a step to lease. After the kind that stopped the account, the others have their turn: a
    /// request that always fails must not be every probe while healthy steps wait. A kind whose turn is
    /// missed, as by a worker without a free slot, holds up the others for moments only.
    pub fn is_turn<E>(
        &self,
        kind: StepKind,
        now: Timestamp,
        policy: &HealthPolicy,
        is_due: impl Fn(StepKind) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let reopened = self.probe_at.max(self.throttled_until);
        let (Some(reopened), Some(last)) = (reopened, self.stopped_by) else { return Ok(true) };
        if until(reopened, now) >= policy.ramp_step * TURN_RAMP_STEPS {
            return Ok(true);
        }
        let kinds = StepKind::PLATFORM_KINDS;
        let after_last = kinds.iter().skip_while(|kind| **kind != last).skip(1).chain(&kinds);
        for next in after_last {
            if *next == kind {
                return Ok(true);
            }
            if is_due(*next)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Records what a step of `kind` reported at `now`.
    pub fn record(
        &mut self,
        signal: &Signal,
        kind: StepKind,
        now: Timestamp,
        policy: &HealthPolicy,
    ) {
        match signal {
            Signal::None => {}
            Signal::Healthy => self.succeed(now, policy),
            Signal::Unhealthy => self.fail(kind, now, policy),
            Signal::Throttled { delay, is_capped } => {
                let until = later(now, *delay);
                if self.throttled_until.is_none_or(|old| old < until) {
                    (self.throttled_until, self.is_capped) = (Some(until), *is_capped);
                    self.stopped_by = Some(kind);
                }
            }
            Signal::CredentialsDenied(reason) => {
                self.pause_reason.get_or_insert_with(|| reason.clone());
            }
        }
    }

    /// Closes the breaker, and begins the ramp behind a throttling that is over.
    fn succeed(&mut self, now: Timestamp, policy: &HealthPolicy) {
        self.failures = 0;
        self.probe_at = None;
        if self.is_capped && self.throttled_until.is_some_and(|until| until <= now) {
            // The probe was answered: the ramp begins here.
            (self.throttled_until, self.is_capped) = (Some(now), false);
        }
        if !self.is_capped {
            self.throttled_until =
                self.throttled_until.filter(|until| is_ramping(*until, now, policy));
        }
        self.stopped_by = self.stopped_by.filter(|_| self.throttled_until.is_some());
    }

    /// Counts a failure, and opens the breaker after so many in a row.
    fn fail(&mut self, kind: StepKind, now: Timestamp, policy: &HealthPolicy) {
        self.failures = self.failures.saturating_add(1);
        let Some(excess) = self.failures.checked_sub(policy.breaker_failures) else { return };
        let delay = policy.breaker_initial.saturating_mul(1 << excess.min(16));
        // Responses to requests from before it opened do not lengthen the outage.
        if self.probe_at.is_none_or(|probe_at| probe_at <= now) {
            let probe_at = later(now, delay.min(policy.breaker_open_max));
            (self.probe_at, self.stopped_by) = (Some(probe_at), Some(kind));
        } else {
            self.failures -= 1;
        }
    }
}

/// True while the account is throttled, and for a while after.
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

    fn throttled(seconds: u64) -> Signal {
        Signal::Throttled { delay: Duration::from_secs(seconds), is_capped: false }
    }

    fn capped(seconds: u64) -> Signal {
        Signal::Throttled { delay: Duration::from_secs(seconds), is_capped: true }
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
        health.record(&Signal::Unhealthy, StepKind::Upload, at(60_000), &policy);
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
            health.record(&Signal::Unhealthy, StepKind::Upload, at(0), &policy());
        }
        assert_eq!(health.admit(at(0), &policy()), Admission::Open);
        health.record(&Signal::Unhealthy, StepKind::Upload, at(0), &policy());
        let open = Admission::Blocked(BlockReason::BreakerOpen { until: at(1000) });
        assert_eq!(health.admit(at(999), &policy()), open);
        // A response to a request from before it opened does not count.
        health.record(&Signal::Unhealthy, StepKind::Upload, at(500), &policy());
        assert_eq!(health.admit(at(1000), &policy()), Admission::UpTo(1));
        health.record(&Signal::Unhealthy, StepKind::Upload, at(1000), &policy());
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
        health.record(
            &Signal::CredentialsDenied("first".into()),
            StepKind::Upload,
            at(0),
            &policy(),
        );
        health.record(
            &Signal::CredentialsDenied("second".into()),
            StepKind::Upload,
            at(0),
            &policy(),
        );
        assert_eq!(health.pause_reason.as_deref(), Some("first"));
    }
}
