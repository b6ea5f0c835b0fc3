//! The health of an account as all workers see it: paused, throttled, in an outage, recovering.
//!
//! A store keeps one [`Health`] per account, asks [`Health::admit`] before it yields steps of the
//! account, and feeds every step's [`Signal`] to [`Health::record`].

pub mod condition;
mod learned_rate;

pub use learned_rate::LearnedRate;

use std::time::Duration;

use chrono::NaiveDateTime;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use super::submission::StepKind;
use super::{Timestamp, later, until};

/// A step's report about its account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Nothing: the Platform was not asked.
    #[default]
    None,
    /// The Platform responded as it should.
    Healthy,
    /// The Platform could not be reached, or failed; the text has the error.
    Unhealthy(String),
    /// The Platform throttles the account.
    Throttled {
        /// The trusted part of the delay that it asked for.
        delay: Duration,
        /// True if it asked for more than is trusted: after the delay, one probe asks again.
        is_capped: bool,
        /// True if it says that requests come too fast, and not that the Platform is down.
        is_rate: bool,
        /// The response, in words.
        response: String,
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
            Self::None | Self::Healthy | Self::Unhealthy(_) => false,
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

/// The longest reason of a pause, in characters.
const LONGEST_REASON: usize = 255;

/// A reason of a pause, which is one line of text.
pub fn pause_reason(text: &str) -> Result<String, String> {
    if text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err(format!("expected at most {LONGEST_REASON} characters of text"));
    }
    Ok(text.to_owned())
}

/// The reason of a pause, with who or what paused the account, and when.
pub fn pause_record(reason: &str, by: &str, at: Timestamp) -> String {
    format!("{reason} (paused by {by} at {})", at.format("%Y-%m-%d %H:%M:%S UTC"))
}

/// Time of the pause, by its record; none if that has none.
pub fn paused_since(record: &str) -> Option<Timestamp> {
    let (_, at) = record.strip_suffix(" UTC)")?.rsplit_once(" at ")?;
    Some(NaiveDateTime::parse_from_str(at, "%Y-%m-%d %H:%M:%S").ok()?.and_utc())
}

/// The workers, in the record of a pause after denied credentials.
pub const WORKER: &str = "a worker";

/// True if the record of a pause names an operator.
pub fn is_paused_by_operator(record: &str) -> bool {
    !record.contains(&format!("(paused by {WORKER} at "))
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
    /// True if that is earlier than the Platform asked for: one probe at a time until one gets a response.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_capped: bool,
    /// Time since which the Platform throttles the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_since: Option<Timestamp>,
    /// The response that set `throttled_until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_by: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// Time of the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Error of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The time of the next probe, while the breaker is open.
    pub probe_at: Option<Timestamp>,
    /// Kind of the step that opened the breaker, failed as its probe, or was throttled, last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StepKind>,
    /// Knowledge of the rate that the Platform allows, from its 429s.
    #[serde(default, deserialize_with = "sound", skip_serializing_if = "Option::is_none")]
    pub learned_rate: Option<LearnedRate>,
}

/// Reads a learned rate. One that is damaged is forgotten, for it is learned again; the rest of the health counts.
fn sound<'de, D: Deserializer<'de>>(stored: D) -> Result<Option<LearnedRate>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Sound(LearnedRate),
        Damaged(IgnoredAny),
    }
    Ok(match Option::deserialize(stored)? {
        Some(Stored::Sound(rate)) => Some(rate),
        Some(Stored::Damaged(IgnoredAny)) | None => None,
    })
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
            // What is known of the rate takes the place of a ramp.
            None if self.requests_per_second(now).is_some() => return Admission::Open,
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

    /// Requests that may begin in a second at `now`, as far as 429s have shown that.
    pub fn requests_per_second(&self, now: Timestamp) -> Option<f64> {
        self.learned_rate.and_then(|rate| rate.per_second(now))
    }

    /// Counts requests of the account that begin at `now`, if they are counted; returns true if so.
    pub fn count_requests(&mut self, count: usize, now: Timestamp) -> bool {
        let Some(rate) = self.learned_rate else { return false };
        self.learned_rate = rate.after_requests(count, now);
        true
    }

    /// Ends a pause, a throttling and an open breaker; returns true if there was any. Failures in a row
    /// stay known until a request succeeds: the next one opens the breaker again.
    pub fn resume(&mut self) -> bool {
        let before = std::mem::take(self);
        self.failures = before.failures;
        (self.failing_since, self.last_error) = (before.failing_since, before.last_error);
        before.pause_reason.is_some()
            || before.throttled_until.is_some()
            || before.probe_at.is_some()
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
            Signal::Unhealthy(error) => self.fail(error, kind, now, policy),
            Signal::Throttled { delay, is_capped, is_rate, response } => {
                let until = later(now, *delay);
                if *is_rate {
                    // Responses to requests from before the last 429 show nothing new.
                    let is_new = self.throttled_until.is_none_or(|old| old <= now);
                    let before = self.learned_rate;
                    self.learned_rate = if is_new {
                        LearnedRate::after_throttling(before, *delay, now)
                    } else {
                        before.map(LearnedRate::throttled_one)
                    };
                }
                if self.throttled_until.is_none_or(|old| old < until) {
                    let lasts = self.is_capped || self.throttled_until.is_some_and(|old| now < old);
                    self.throttled_since = self.throttled_since.filter(|_| lasts).or(Some(now));
                    self.throttled_by = Some(response.clone()).filter(|text| !text.is_empty());
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
        (self.failing_since, self.last_error) = (None, None);
        self.probe_at = None;
        if self.is_capped && self.throttled_until.is_some_and(|until| until <= now) {
            // The probe got a response: the ramp begins here.
            (self.throttled_until, self.is_capped) = (Some(now), false);
        }
        if !self.is_capped {
            self.throttled_until =
                self.throttled_until.filter(|until| is_ramping(*until, now, policy));
        }
        if self.throttled_until.is_none() {
            (self.throttled_since, self.throttled_by, self.stopped_by) = (None, None, None);
        }
    }

    /// Counts a failure, and opens the breaker after so many in a row.
    fn fail(&mut self, error: &str, kind: StepKind, now: Timestamp, policy: &HealthPolicy) {
        self.failing_since.get_or_insert(now);
        self.last_error = Some(error.to_owned());
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
mod tests;
