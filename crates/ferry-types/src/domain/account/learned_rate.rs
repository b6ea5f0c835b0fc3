//! The rate of requests that the Platform allows an account, learned from its 429s.
//!
//! No response states the rate: a Platform throttles what is above it, with 429. The first ones measure
//! what is achieved without a limit, and show the rate that was too high. From then on requests begin
//! below it, come back to it within a cycle, and go beyond it slowly at first and then fast, until the
//! Platform throttles again or the rate matters no longer. A 429 costs the time for which the
//! Platform throttles the account, and a cycle is so long that this is a small part of it.
//!
//! A Platform may throttle by chance, whatever the rate. Then the limit achieves less than was achieved
//! without it, and is given up for a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// Percentage below the throttled rate at which requests begin again, by the number of 429s in a row that
/// came soon after another.
const DEPTHS: [u64; 5] = [3, 8, 15, 25, 30];

/// A 429 so soon after the one before, in parts of a cycle, shows that the rate was still too high.
const SOON: i64 = 8;

/// The 429s that measure what is achieved without a limit.
const MEASURING: u64 = 4;

/// A limit is given up if it achieves less than so many percent of that, so many times in a row.
const LESS: u64 = 75;
const TIMES: u64 = 3;

/// After a limit was given up, 429s show nothing for so many cycles, and at least for so many
/// milliseconds.
const CYCLES_GIVEN_UP: i64 = 3;
const GIVEN_UP: i64 = 120_000;

/// Length of a cycle: so many times the delay that a 429 costs.
const DELAYS: i64 = 40;
const SHORTEST_CYCLE: i64 = 15_000;
const LONGEST_CYCLE: i64 = 600_000;

/// Cycles after which a rate is forgotten: it allows seven times as much by then.
const CYCLES: i64 = 7;

/// Longest delay of a 429 that speaks of a rate. Others speak of quotas of an hour or a day.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// Time for which requests are counted before the next count begins, in milliseconds.
const WINDOW: i64 = 2000;

/// The rate is seldom measured over less, in milliseconds.
const SHORTEST_WINDOW: i64 = 200;

/// Lowest rate, in requests per 1,000 seconds.
const LOWEST: u64 = 100;

/// Knowledge of the rate. Times are in milliseconds since the Unix epoch, and rates in requests per
/// 1,000 seconds: whole numbers are the same in each store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedRate {
    /// The rate that the Platform throttled last; 0 while none is known.
    pub throttled_at: u64,
    /// 429s in a row that came soon after another, or the number of those that measured.
    pub row: u64,
    /// The rate that was achieved without a limit, waits included.
    pub unlimited: u64,
    /// Times in a row that less was achieved.
    pub less: u64,
    /// Begin of what is measured: the last 429, or the first of those that measure.
    pub from: i64,
    /// Requests that began since then, less those that were throttled.
    pub sent: u64,
    /// Begin of the cycle; 429s before it show nothing.
    pub since: i64,
    /// Length of a cycle.
    pub cycle: i64,
    /// Begin of the newest window, in which requests are counted.
    pub window: i64,
    /// Requests that began in it.
    pub count: u64,
    /// The rate in the window before.
    pub last: u64,
}

impl LearnedRate {
    /// The knowledge after a 429 at `now`, after which the Platform throttles the account for
    /// `delay`.
    pub(super) fn after_throttling(
        before: Option<Self>,
        delay: Duration,
        now: Timestamp,
    ) -> Option<Self> {
        let (now, millis) = (now.timestamp_millis(), delay.as_millis() as i64);
        if delay > LONGEST_DELAY || before.is_some_and(|before| now < before.since) {
            return before;
        }
        let cycle = (millis * DELAYS).clamp(SHORTEST_CYCLE, LONGEST_CYCLE);
        let before =
            before.filter(|before| !before.is_old(now)).unwrap_or_default().throttled_one();
        let (since, measured) = (now + millis, before.measured(now));
        let next = Self { from: now, since, cycle, window: since, ..Self::default() };
        Some(match before.row {
            0 if before.throttled_at == 0 => Self { row: 1, ..next },
            row if before.throttled_at == 0 && row + 1 < MEASURING => {
                Self { row: row + 1, from: before.from, sent: before.sent, ..next }
            }
            _ if before.throttled_at == 0 => {
                Self { throttled_at: measured.max(LOWEST), unlimited: before.achieved(now), ..next }
            }
            row => {
                let is_less = before.achieved(now) < before.unlimited * LESS / 100;
                let less = if is_less { before.less + 1 } else { 0 };
                if less == TIMES {
                    let since = since + (cycle * CYCLES_GIVEN_UP).max(GIVEN_UP);
                    return Some(Self { since, window: since, ..next });
                }
                let is_soon = now - before.since < before.cycle / SOON;
                let throttled_at = measured.min(before.rate(now) as u64).max(LOWEST);
                let row = if is_soon { (row + 1).min(DEPTHS.len() as u64 - 1) } else { 0 };
                Self { throttled_at, row, unlimited: before.unlimited, less, ..next }
            }
        })
    }

    /// The knowledge after a request that achieved nothing.
    #[must_use]
    pub(super) fn throttled_one(self) -> Self {
        Self { sent: self.sent.saturating_sub(1), ..self }
    }

    /// The rate of the requests that began lately.
    fn measured(&self, now: i64) -> u64 {
        self.last.max(per_1000_seconds(self.count, (now - self.window).max(SHORTEST_WINDOW)))
    }

    /// The rate since the begin of what is measured.
    fn achieved(&self, now: i64) -> u64 {
        per_1000_seconds(self.sent, (now - self.from).max(1))
    }

    /// Requests per 1,000 seconds that may begin at `now`, once a 429 has shown a rate.
    fn rate(&self, now: i64) -> f64 {
        let depth = DEPTHS.get(self.row as usize).copied().unwrap_or_default() as f64 / 100.0;
        let cycles = (now - self.since).max(0) as f64 / self.cycle.max(1) as f64 - 1.0;
        self.throttled_at as f64 * (1.0 + depth * cycles * cycles * cycles)
    }

    fn is_old(&self, now: i64) -> bool {
        now - self.since > self.cycle.saturating_mul(CYCLES)
    }

    /// Requests per second that may begin at `now`; none while the rate is not known.
    pub fn per_second(&self, now: Timestamp) -> Option<f64> {
        let now = now.timestamp_millis();
        (self.throttled_at > 0 && !self.is_old(now)).then(|| self.rate(now) / 1000.0)
    }

    /// Counts requests that begin at `now`; returns the knowledge afterwards, if it still matters.
    pub(super) fn after_requests(mut self, count: usize, now: Timestamp) -> Option<Self> {
        let now = now.timestamp_millis();
        if self.is_old(now) {
            return None;
        }
        let span = now - self.window;
        if span >= WINDOW {
            self.last = per_1000_seconds(self.count, span);
            (self.window, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(count as u64);
        self.sent = self.sent.saturating_add(count as u64);
        Some(self)
    }
}

fn per_1000_seconds(count: u64, millis: i64) -> u64 {
    count.saturating_mul(1_000_000) / millis as u64
}
