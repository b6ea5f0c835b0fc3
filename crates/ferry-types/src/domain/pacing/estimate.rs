//! The distribution of processing times, estimated from intervals: a poll shows only that processing
//! ended after the poll before.

use std::collections::VecDeque;

use super::scale::{BUCKETS, Scale};

/// Number of observations that count.
const WINDOW: usize = 100;

/// Weight of an observation beside that of the next one: after 50 others it counts for a third.
const DECAY: f64 = 0.98;

/// Weight of the assumption that any time may occur, beside that of the newest observation.
const PRIOR: f64 = 0.5;

/// Part of each bucket that is counted for either neighbor, since times near those seen occur too.
const BLUR: f64 = 0.1;

/// Rounds of expectation and maximization: more change no schedule.
const ROUNDS: usize = 10;

/// Least part of a bucket that an interval covers, so that no observation is impossible.
const LEAST_PART: f64 = 1e-3;

/// Newest processing times.
#[derive(Debug, Default)]
pub(super) struct Observations(VecDeque<Interval>);

/// Buckets that a processing time may belong to, with the covered parts of the first and the last one.
#[derive(Debug, Clone, Copy)]
struct Interval {
    first: usize,
    last: usize,
    first_part: f64,
    last_part: f64,
}

/// Shares of the processing times, by bucket.
#[derive(Debug)]
pub(super) struct Distribution {
    pub(super) shares: [f64; BUCKETS],
    /// Share of each bucket for which there is no evidence.
    pub(super) assumed: f64,
}

impl Interval {
    /// After `from` seconds and not after `to`.
    fn new(scale: &Scale, from: f64, to: f64) -> Self {
        let last = scale.bucket(to);
        let first = scale.bucket(from * (1.0 + 1e-9) + 1e-9).min(last);
        let (after, before) = (1.0 - scale.part(first, from), scale.part(last, to));
        let first_part = if first == last { after + before - 1.0 } else { after };
        let parts = [first_part, before].map(|part| part.max(LEAST_PART));
        Self { first, last, first_part: parts[0], last_part: parts[1] }
    }

    fn parts(&self) -> impl Iterator<Item = (usize, f64)> {
        (self.first..=self.last).map(|bucket| {
            let ends = [(self.first, self.first_part), (self.last, self.last_part)];
            let part = ends.iter().find(|(end, _)| *end == bucket).map_or(1.0, |(_, part)| *part);
            (bucket, part)
        })
    }

    /// Adds the expectation by `shares`, with a weight.
    fn expect(&self, shares: &[f64; BUCKETS], weight: f64, counts: &mut [f64; BUCKETS]) {
        let total: f64 = self.parts().map(|(bucket, part)| shares[bucket] * part).sum();
        for (bucket, part) in self.parts() {
            counts[bucket] += weight * shares[bucket] * part / total;
        }
    }
}

impl Observations {
    /// Adds a processing time of more than `from` seconds and at most `to`.
    pub(super) fn add(&mut self, scale: &Scale, from: f64, to: f64) {
        if self.0.len() == WINDOW {
            self.0.pop_front();
        }
        self.0.push_back(Interval::new(scale, from, to));
    }

    /// Number of observations.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets all but the newest.
    pub(super) fn forget_before(&mut self, newest: usize) {
        self.0.drain(..self.0.len().saturating_sub(newest));
    }

    /// Estimates the distribution.
    pub(super) fn distribution(&self) -> Distribution {
        let assumed = PRIOR / BUCKETS as f64;
        let mut shares = [1.0 / BUCKETS as f64; BUCKETS];
        let mut total = 1.0;
        for _ in 0..ROUNDS {
            let (mut counts, mut weight) = ([assumed; BUCKETS], 1.0);
            for seen in self.0.iter().rev() {
                seen.expect(&shares, weight, &mut counts);
                weight *= DECAY;
            }
            let blurred = blurred(&counts);
            total = blurred.iter().sum();
            shares = blurred.map(|count| count / total);
        }
        Distribution { shares, assumed: assumed / total }
    }
}

fn blurred(counts: &[f64; BUCKETS]) -> [f64; BUCKETS] {
    let mut blurred = [0.0; BUCKETS];
    for (bucket, count) in counts.iter().enumerate() {
        let neighbors = [bucket.checked_sub(1), Some(bucket + 1).filter(|next| *next < BUCKETS)];
        let mut rest = *count;
        for neighbor in neighbors.into_iter().flatten() {
            blurred[neighbor] += count * BLUR;
            rest -= count * BLUR;
        }
        blurred[bucket] += rest;
    }
    blurred
}
