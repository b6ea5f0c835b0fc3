//! The schedule of polls for a distribution of processing times: few polls, and little lag.

use std::time::Duration;

use super::backoff::PollBackoff;
use super::curve::{Curve, Expected};
use super::scale::BUCKETS;

/// Polls that a second of lag is worth, at least.
const LEAST_PRICE: f64 = 0.5;

/// The same relative to the polls that backoff spends for its lag.
const RELATIVE_PRICE: f64 = 0.62;

/// Number of prices that are tried until a schedule is better than backoff in polls and in lag.
const PRICES: usize = 6;

/// Most polls, or lag, relative to backoff, that an estimate may promise.
const WORST: f64 = 1.02;

/// Share of the datasets that are ready after the usual time.
const USUALLY: f64 = 0.8;

/// Growth from one delay that is considered to the next.
const STEP: f64 = 1.1;

/// Width of the jitter, as a part of the delay.
const JITTER: f64 = 0.15;

/// Delays before polls, by the time since the upload.
#[derive(Debug)]
pub struct PollSchedule {
    curve: Curve,
    /// Polls that a second of lag is worth.
    price: f64,
    /// Least cost of all that follows, at each edge.
    ahead: [f64; BUCKETS + 1],
    /// Delays that are considered, in seconds.
    delays: Vec<f64>,
}

impl PollSchedule {
    /// The schedule that is better than backoff in polls and in lag; none if the distribution allows none.
    pub(super) fn new(curve: &Curve, backoff: &PollBackoff) -> Option<Self> {
        let delays = delays(backoff);
        let usual = curve.expected_of(backoff);
        let mut price = LEAST_PRICE.max(RELATIVE_PRICE * usual.polls / usual.lag);
        let mut best: Option<(f64, Self)> = None;
        for _ in 0..PRICES {
            let schedule = Self::priced(curve.clone(), &delays, price);
            let expected = schedule.expected();
            let (polls, lag) = (expected.polls / usual.polls, expected.lag / usual.lag);
            let worst = polls.max(lag);
            if best.as_ref().is_none_or(|(least, _)| worst < *least) {
                best = Some((worst, schedule));
            }
            if worst <= 1.0 {
                break;
            }
            price *= if polls > lag { 0.5 } else { 2.0 };
        }
        best.filter(|(worst, _)| *worst <= WORST).map(|(_, schedule)| schedule)
    }

    /// Delay before the next poll of a submission that was pending at `age` after its upload, for a jitter
    /// in `[0, 1)`. None if so long a time was not observed: then backoff applies.
    pub fn delay(&self, age: Duration, jitter: f64) -> Option<Duration> {
        let age = age.as_secs_f64();
        if age >= self.curve.end {
            return None;
        }
        let (shortest, longest) = (self.delays[0], self.delays[self.delays.len() - 1]);
        let delay = self.best(age).1 * (1.0 + JITTER * (jitter - 0.5));
        Duration::try_from_secs_f64(delay.clamp(shortest, longest)).ok()
    }

    /// Time after which four of five datasets were ready.
    pub fn usual(&self) -> Duration {
        Duration::try_from_secs_f64(self.curve.quantile(USUALLY)).unwrap_or(Duration::MAX)
    }

    /// The cheapest schedule, by dynamic programming from the end of the scale to its beginning.
    fn priced(curve: Curve, delays: &[f64], price: f64) -> Self {
        let ahead = [0.0; BUCKETS + 1];
        let mut schedule = Self { curve, price, ahead, delays: delays.to_vec() };
        schedule.ahead[BUCKETS] = 1.0 - schedule.curve.shares[BUCKETS];
        for bucket in (0..BUCKETS).rev() {
            schedule.ahead[bucket] = schedule.least_cost(bucket);
        }
        schedule
    }

    /// Least cost from the lower edge of a bucket on. A delay that ends within the bucket is repeated as
    /// often as it fits.
    fn least_cost(&self, bucket: usize) -> f64 {
        let (age, end) = (self.curve.scale.edge(bucket), self.curve.scale.edge(bucket + 1));
        let cost = |delay: &f64| {
            let cost = self.cost(age, *delay);
            if age + delay >= end {
                return cost + self.ahead_of(age + delay);
            }
            let part = delay / (end - age);
            cost / part + self.ahead[bucket + 1]
        };
        self.delays.iter().map(cost).fold(f64::MAX, f64::min)
    }

    /// Cost of a poll after `delay`, for one that is pending at `age`: the poll, and the lag of those that
    /// it finds ready.
    fn cost(&self, age: f64, delay: f64) -> f64 {
        let Expected { polls, lag } = self.curve.step(age, delay);
        polls + self.price * lag
    }

    fn ahead_of(&self, time: f64) -> f64 {
        self.curve.between(&self.ahead, time)
    }

    /// Least cost at `age`, and the delay that has it.
    fn best(&self, age: f64) -> (f64, f64) {
        let cost = |delay: &f64| (self.cost(age, *delay) + self.ahead_of(age + delay), *delay);
        let least = |best: (f64, f64), next: (f64, f64)| if next.0 < best.0 { next } else { best };
        self.delays.iter().map(cost).fold((f64::MAX, self.delays[0]), least)
    }

    fn expected(&self) -> Expected {
        self.curve.expected(|age, _| self.best(age).1)
    }
}

/// From the shortest delay of backoff to the longest one.
fn delays(backoff: &PollBackoff) -> Vec<f64> {
    let (shortest, longest) = (backoff.shortest().as_secs_f64(), backoff.max.as_secs_f64());
    let grown = std::iter::successors(Some(shortest), |delay| Some(delay * STEP));
    let mut delays: Vec<f64> = grown.take_while(|delay| *delay < longest * 0.97).collect();
    delays.push(longest);
    delays
}
