//! Shares of the processing times over time, and what polls at given times cost by them.

use super::backoff::PollBackoff;
use super::estimate::Distribution;
use super::scale::{BUCKETS, Scale};

/// Share of the observed times that may lie beyond the times for which the estimate holds.
const BEYOND: f64 = 0.002;

/// Most polls of one submission that are foreseen.
const FORESEEN: u32 = 2000;

/// Share of the times that lie on the far side of a surprise, at most.
const SURPRISING: f64 = 0.05;

/// Processing times before each edge of the scale.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub(super) scale: Scale,
    /// Share of the times.
    pub(super) shares: [f64; BUCKETS + 1],
    /// Their sum, times that share.
    sums: [f64; BUCKETS + 1],
    /// Time beyond which there is no evidence.
    pub(super) end: f64,
}

/// Polls of a submission, and the lag from ready to noticed, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) polls: f64,
    pub(super) lag: f64,
}

/// An observation that nearly all others are on one side of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surprise {
    Faster,
    Slower,
}

impl Curve {
    pub(super) fn new(scale: &Scale, distribution: &Distribution) -> Self {
        let (mut shares, mut sums) = ([0.0; BUCKETS + 1], [0.0; BUCKETS + 1]);
        for (bucket, share) in distribution.shares.iter().enumerate() {
            let middle = f64::midpoint(scale.edge(bucket), scale.edge(bucket + 1));
            shares[bucket + 1] = shares[bucket] + share;
            sums[bucket + 1] = sums[bucket] + share * middle;
        }
        let beyond = |edge: &usize| {
            let assumed = distribution.assumed * (BUCKETS - edge) as f64;
            1.0 - shares[*edge] - assumed <= BEYOND
        };
        let end = (0..=BUCKETS).find(beyond).unwrap_or(BUCKETS);
        Self { shares, sums, end: scale.edge(end), scale: scale.clone() }
    }

    /// Value at a time between the edges.
    pub(super) fn between(&self, values: &[f64; BUCKETS + 1], time: f64) -> f64 {
        let bucket = self.scale.bucket(time);
        let part = self.scale.part(bucket, time);
        values[bucket] + (values[bucket + 1] - values[bucket]) * part
    }

    /// Share of the times before `time`, and their sum times that share.
    fn before(&self, time: f64) -> (f64, f64) {
        let bucket = self.scale.bucket(time);
        let (low, high) = (self.scale.edge(bucket), self.scale.edge(bucket + 1));
        let part = self.scale.part(bucket, time);
        let share = (self.shares[bucket + 1] - self.shares[bucket]) * part;
        let mean = low + part * (high - low) / 2.0;
        (self.shares[bucket] + share, self.sums[bucket] + share * mean)
    }

    /// The next poll of those that are pending at `age`, and the lag of those that it finds ready.
    pub(super) fn step(&self, age: f64, delay: f64) -> Expected {
        let ((share, sum), (later_share, later_sum)) = (self.before(age), self.before(age + delay));
        let lag = (later_share - share) * (age + delay) - (later_sum - sum);
        Expected { polls: 1.0 - share, lag }
    }

    /// Expectation over the observed times, with these delays by age and number of polls.
    pub(super) fn expected(&self, delay: impl Fn(f64, u32) -> f64) -> Expected {
        let mut expected = Expected { polls: 0.0, lag: 0.0 };
        let mut age = 0.0;
        for polls in 0..FORESEEN {
            if age >= self.end {
                break;
            }
            let delay = delay(age, polls);
            let step = self.step(age, delay);
            expected.polls += step.polls;
            expected.lag += step.lag;
            age += delay;
        }
        expected
    }

    /// The same of backoff, for a few evenly spread jitters.
    pub(super) fn expected_of(&self, backoff: &PollBackoff) -> Expected {
        const JITTERS: u32 = 8;
        let mut mean = Expected { polls: 0.0, lag: 0.0 };
        for number in 0..JITTERS {
            let jitter = (f64::from(number) + 0.5) / f64::from(JITTERS);
            let expected =
                self.expected(|_, polls| backoff.delay(polls, jitter).as_secs_f64().max(1e-6));
            mean.polls += expected.polls / f64::from(JITTERS);
            mean.lag += expected.lag / f64::from(JITTERS);
        }
        mean
    }

    /// The surprise of a time of more than `from` seconds and at most `to`.
    pub(super) fn surprise(&self, from: f64, to: f64) -> Option<Surprise> {
        if self.before(to).0 < SURPRISING {
            return Some(Surprise::Faster);
        }
        (1.0 - self.before(from).0 < SURPRISING).then_some(Surprise::Slower)
    }

    /// Time before which this share of the times lies.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let bucket = (0..BUCKETS - 1).find(|bucket| self.shares[bucket + 1] >= share);
        let bucket = bucket.unwrap_or(BUCKETS - 1);
        let (low, high) = (self.scale.edge(bucket), self.scale.edge(bucket + 1));
        let inside = self.shares[bucket + 1] - self.shares[bucket];
        low + (high - low) * ((share - self.shares[bucket]) / inside).clamp(0.0, 1.0)
    }
}
