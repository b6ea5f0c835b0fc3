//! The delays between polls while nothing is known of the processing time.

use std::time::Duration;

/// Exponential backoff with equal jitter, whose delays bound those of every schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PollBackoff {
    /// Nominal delay from an accepted upload to the first poll.
    pub initial: Duration,
    /// Multiplier between polls.
    pub factor: f32,
    /// Maximum delay.
    pub max: Duration,
}

impl PollBackoff {
    /// Delay before the poll that follows `polls` others, for a jitter in `[0, 1)`: between half and the
    /// whole of the nominal delay.
    pub fn delay(&self, polls: u32, jitter: f64) -> Duration {
        let nominal = self.nominal(polls);
        nominal / 2 + (nominal / 2).mul_f64(jitter)
    }

    /// The most polls that this backoff makes until `age` after the upload, as far as their number matters.
    pub fn most_polls(&self, age: Duration) -> u32 {
        let (mut polls, mut left) = (0, age);
        loop {
            let nominal = self.nominal(polls);
            // From here on the delays do not grow.
            if nominal == self.nominal(polls + 1) {
                return if left < nominal / 2 { polls } else { u32::MAX };
            }
            let Some(rest) = left.checked_sub(nominal / 2) else { return polls };
            (polls, left) = (polls + 1, rest);
        }
    }

    /// Shortest delay, which no schedule falls below.
    pub(super) fn shortest(&self) -> Duration {
        self.initial.min(self.max) / 2
    }

    fn nominal(&self, polls: u32) -> Duration {
        let max = self.max.as_secs_f64();
        // Past this many steps any factor that matters has reached the maximum.
        let grown = f64::from(self.factor).powi(polls.min(1 << 20) as i32);
        let nominal = self.initial.as_secs_f64() * grown;
        // Zero times infinity is no number, and is no delay.
        if nominal < max || nominal.is_nan() {
            Duration::try_from_secs_f64(nominal).unwrap_or(Duration::ZERO)
        } else {
            self.max
        }
    }
}
