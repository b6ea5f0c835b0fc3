//! Simulates workers of an account at a Platform that allows a rate, which is configured nowhere.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;

use ferry_types::domain::account::{Admission, Health, HealthPolicy, Signal};
use ferry_types::domain::limits::{AccountLimits, LimitUsage};
use ferry_types::domain::submission::StepKind;
use ferry_types::domain::{Timestamp, timestamp};

/// Slots of three workers with the default number of uploads.
const SLOTS: usize = 150;

/// A request arrives within so many milliseconds, and its response takes so many.
const WAY: Range = Range { least: 5, most: 13 };
const RESPONSE: i64 = 30;

/// The account is known after so many milliseconds, and observed for so many more.
const LEARNING: i64 = 60_000;
const OBSERVED: i64 = 600_000;

struct Range {
    least: i64,
    most: i64,
}

/// The way in which a Platform counts requests.
#[derive(Debug, Clone, Copy)]
enum Counting {
    /// A bucket with the tokens of a second.
    Bucket,
    /// Each second by the clock.
    Fixed,
    /// The last second.
    Sliding,
    /// Not at all: by chance it throttles one of so many.
    Chance(u32),
}

struct Platform {
    counting: Counting,
    rate: f64,
    tokens: f64,
    seen: i64,
    accepted: VecDeque<i64>,
    rng: Rng,
}

impl Platform {
    fn accepts(&mut self, now: i64) -> bool {
        let from = match self.counting {
            Counting::Bucket => {
                let more = (now - self.seen) as f64 / 1000.0 * self.rate;
                (self.tokens, self.seen) = ((self.tokens + more).min(self.rate), now);
                let accepts = self.tokens >= 1.0;
                self.tokens -= f64::from(u8::from(accepts));
                return accepts;
            }
            Counting::Chance(one_of) => return self.rng.u32(0..one_of) != 0,
            Counting::Fixed => now / 1000 * 1000,
            Counting::Sliding => now - 999,
        };
        self.accepted.retain(|at| *at >= from);
        let accepts = (self.accepted.len() as f64) < self.rate;
        if accepts {
            self.accepted.push_back(now);
        }
        accepts
    }
}

#[derive(Debug, Default)]
struct Observed {
    accepted: u64,
    throttled: u64,
}

struct World {
    platform: Platform,
    retry_after: Duration,
    learns: bool,
    health: Health,
    limit_usage: LimitUsage,
    /// Requests on their way, by the time at which they arrive.
    sent: Vec<i64>,
    /// Responses on their way, in the order of their time, and whether the request was accepted.
    responses: VecDeque<(i64, bool)>,
    rng: Rng,
    observed: Observed,
}

fn at(millis: i64) -> Timestamp {
    timestamp(1_700_000_000_000 + millis)
}

impl World {
    fn new(counting: Counting, rate: f64, retry_after: Duration) -> Self {
        let (accepted, rng) = (VecDeque::new(), Rng::with_seed(8));
        Self {
            platform: Platform { counting, rate, tokens: rate, seen: 0, accepted, rng },
            learns: true,
            retry_after,
            health: Health::default(),
            limit_usage: LimitUsage::default(),
            sent: Vec::new(),
            responses: VecDeque::new(),
            rng: Rng::with_seed(7),
            observed: Observed::default(),
        }
    }

    /// Lets the time run.
    fn pass(&mut self, time: std::ops::Range<i64>) {
        for now in time {
            self.arrive(now);
            self.respond(now);
            self.claim(now);
        }
    }

    /// Shares of the rate that was used, and of the requests that were throttled, once it is known.
    fn run(&mut self) -> (f64, f64) {
        self.pass(0..LEARNING);
        self.observe(LEARNING)
    }

    fn observe(&mut self, from: i64) -> (f64, f64) {
        self.observed = Observed::default();
        self.pass(from..from + OBSERVED);
        let Observed { accepted, throttled } = std::mem::take(&mut self.observed);
        let allowed = self.platform.rate * OBSERVED as f64 / 1000.0;
        (accepted as f64 / allowed, throttled as f64 / (accepted + throttled) as f64)
    }

    fn arrive(&mut self, now: i64) {
        let arrived = self.sent.extract_if(.., |at| *at <= now).count();
        for _ in 0..arrived {
            let accepted = self.platform.accepts(now);
            self.observed.accepted += u64::from(accepted);
            self.observed.throttled += u64::from(!accepted);
            self.responses.push_back((now + RESPONSE, accepted));
        }
    }

    fn respond(&mut self, now: i64) {
        while let Some((_, accepted)) = self.responses.pop_front_if(|(at, _)| *at <= now) {
            let throttled = Signal::Throttled {
                delay: self.retry_after,
                is_capped: false,
                is_rate: self.learns,
                response: String::new(),
            };
            let signal = if accepted { Signal::Healthy } else { throttled };
            self.health.record(&signal, StepKind::Upload, at(now), &HealthPolicy::default());
        }
    }

    fn claim(&mut self, now: i64) {
        let in_flight = self.sent.len() + self.responses.len();
        let room = match self.health.admit(at(now), &HealthPolicy::default()) {
            Admission::Open => SLOTS,
            Admission::UpTo(most) => most as usize,
            Admission::Blocked(_) => 0,
        };
        let limits = AccountLimits::default().within(self.health.requests_per_second(at(now)));
        let (rated, _) = self.limit_usage.available(StepKind::Upload, &limits, at(now));
        let count = room.min(SLOTS).saturating_sub(in_flight).min(rated);
        if count > 0 {
            self.limit_usage.record(StepKind::Upload, count, &limits, at(now));
            self.health.count_requests(count, at(now));
        }
        for _ in 0..count {
            self.sent.push(now + self.rng.i64(WAY.least..WAY.most));
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a table for the documentation")]
fn a_rate_that_is_configured_nowhere_is_used_and_seldom_exceeded() {
    println!(
        "| requests a second | counted by | `Retry-After` | used | throttled |\n|---|---|---|---|---|"
    );
    for rate in [5.0, 20.0, 50.0, 200.0] {
        for counting in [Counting::Bucket, Counting::Fixed, Counting::Sliding] {
            for retry_after in [1, 5] {
                let mut world = World::new(counting, rate, Duration::from_secs(retry_after));
                let (used, throttled) = world.run();
                println!(
                    "| {rate} | {counting:?} | {retry_after} s | {used:.3} | {throttled:.4} |"
                );
                // A 429 costs the time after it.
                let least = if retry_after == 1 { 0.95 } else { 0.9 };
                assert!(used >= least, "{rate} {counting:?} {retry_after}: {used:.3} is used");
                assert!(
                    throttled <= 0.01,
                    "{rate} {counting:?} {retry_after}: {throttled:.4} throttled"
                );
            }
        }
    }
}

#[test]
fn a_rate_that_changes_is_learned_again() {
    for rate in [10.0, 150.0] {
        let mut world = World::new(Counting::Bucket, 50.0, Duration::from_secs(1));
        world.run();
        world.platform.rate = rate;
        let changed = LEARNING + OBSERVED;
        world.pass(changed..changed + 4 * LEARNING);
        let (used, throttled) = world.observe(changed + 4 * LEARNING);
        assert!(
            used > 0.95 && throttled < 0.01,
            "{rate}: {used:.3} used, {throttled:.4} throttled"
        );
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "figures for a change of the rule")]
fn a_platform_that_throttles_by_chance_is_used_nearly_as_if_nothing_were_learned() {
    for (one_of, millis) in [(25, 50), (25, 1000), (50, 1000), (200, 1000), (50, 5000)] {
        let used = |learns| {
            let world = World::new(Counting::Chance(one_of), 1000.0, Duration::from_millis(millis));
            World { learns, ..world }.run().0
        };
        let (learning, other) = (used(true), used(false));
        println!("one of {one_of}, {millis} ms: {learning:.4} instead of {other:.4}");
        assert!(learning > other * 0.75, "{one_of} {millis}: {learning:.4} instead of {other:.4}");
    }
}
