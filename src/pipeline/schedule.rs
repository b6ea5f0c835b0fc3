//! Delays before the next step: pure functions of the counts so far, the policy and a jitter.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::policy::Policy;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::pacing::PollSchedule;

/// A number in `[0, 1)` that spreads delays out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jitter(f64);

impl Jitter {
    /// The jitter for the decision about one claim: the same seed gives the same run again.
    pub(super) fn for_claim(seed: u64, id: SubmissionId, fence: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, id, fence).hash(&mut hasher);
        // The upper 53 bits are what a double can hold.
        Self((hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    fn of(self, duration: Duration) -> Duration {
        duration.mul_f64(self.0)
    }
}

/// Delay before the poll that follows `polls` others: exponential, with equal jitter, between half and
/// the whole of the nominal delay.
pub(super) fn poll_delay(policy: &Policy, polls: u32, jitter: Jitter) -> Duration {
    policy.poll_backoff().delay(polls, jitter.0)
}

/// The same by the schedule, for a dataset that was pending at `age` after its upload; none where backoff
/// applies.
pub(super) fn planned_delay(
    schedule: &PollSchedule,
    age: Duration,
    jitter: Jitter,
) -> Option<Duration> {
    schedule.delay(age, jitter.0)
}

/// Delay after `failures` in a row, one at least: exponential, with full jitter, but never below a tenth
/// of the nominal delay, so that an error is not followed by a burst.
pub(super) fn retry_delay(policy: &Policy, failures: u32, jitter: Jitter) -> Duration {
    let earlier = failures.saturating_sub(1);
    let nominal = exponential(policy.retry_initial, 2.0, policy.retry_max, earlier);
    nominal / 10 + jitter.of(nominal.saturating_sub(nominal / 10))
}

/// Delay after `failures` of deliveries in a row, one at least: over days in all, with equal jitter.
pub(super) fn webhook_delay(policy: &Policy, failures: u32, jitter: Jitter) -> Duration {
    let earlier = failures.saturating_sub(1);
    let nominal =
        exponential(policy.webhook_backoff_initial, 4.0, policy.webhook_backoff_max, earlier);
    nominal / 2 + jitter.of(nominal / 2)
}

/// Delay after `failures` of a step that ends if they last, one at least: exponential, with equal jitter.
pub(super) fn steady_delay(policy: &Policy, failures: u32, jitter: Jitter) -> Duration {
    let earlier = failures.saturating_sub(1);
    let nominal = exponential(policy.retry_initial, 2.0, policy.retry_max, earlier);
    nominal / 2 + jitter.of(nominal / 2)
}

/// Longest delay of a step whose account is throttled.
const SPREAD: Duration = Duration::from_secs(1);

/// Delay of a step of an account that is throttled: the store yields it when that has ended, or when
/// an operator resumes the account, and a little later, so that not all come back in one instant.
pub(super) fn throttled_delay(policy: &Policy, jitter: Jitter) -> Duration {
    jitter.of(policy.retry_initial.min(SPREAD))
}

fn exponential(first: Duration, factor: f32, max: Duration, earlier: u32) -> Duration {
    // Past this many steps any factor that matters has reached its cap.
    let earlier = earlier.min(256) as usize;
    ExponentialBuilder::new()
        .with_min_delay(first.min(max))
        .with_factor(factor)
        .with_max_delay(max)
        .without_max_times()
        .build()
        .nth(earlier)
        .unwrap_or(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jitters() -> impl Strategy<Value = Jitter> {
        (0.0..1.0_f64).prop_map(Jitter)
    }

    proptest! {
        #[test]
        fn a_poll_comes_between_half_and_the_whole_of_the_nominal_span(polls in 0_u32.., jitter in jitters()) {
            let policy = Policy::default();
            let nominal = (policy.poll_initial.as_secs_f64() * 2_f64.powi(polls.min(30) as i32))
                .min(policy.poll_max.as_secs_f64());
            let delay = poll_delay(&policy, polls, jitter).as_secs_f64();
            prop_assert!(delay >= nominal * 0.499 && delay <= nominal * 1.001, "{delay} for {nominal}");
        }

        #[test]
        fn a_retry_is_never_immediate_and_never_later_than_the_cap(failures in 1_u32.., jitter in jitters()) {
            let policy = Policy::default();
            let delay = retry_delay(&policy, failures, jitter);
            prop_assert!(delay >= policy.retry_initial / 10);
            prop_assert!(delay <= policy.retry_max);
        }

        #[test]
        fn any_policy_gives_a_delay(first in 0_u64..1_000_000, max in 0_u64..1_000_000, factor in 1.0_f32..100.0, polls in 0_u32.., jitter in jitters()) {
            let policy = Policy {
                poll_initial: Duration::from_millis(first),
                poll_max: Duration::from_millis(max),
                poll_factor: factor,
                ..Policy::default()
            };
            prop_assert!(poll_delay(&policy, polls, jitter) <= policy.poll_max);
        }
    }

    #[test]
    fn the_same_claim_has_the_same_jitter_and_another_has_another() {
        let id = SubmissionId::new(ferry_types::domain::timestamp(0), 7);
        assert_eq!(Jitter::for_claim(1, id, 3), Jitter::for_claim(1, id, 3));
        assert_ne!(Jitter::for_claim(1, id, 3), Jitter::for_claim(1, id, 4));
    }
}
