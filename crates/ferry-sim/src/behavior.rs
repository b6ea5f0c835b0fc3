//! Behavior of a Platform on a bad day, drawn from a seed: for simulations, and for drills that repeat
//! them.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use super::config::SimConfig;
use super::faults::FaultRates;
use super::processing::Processing;

/// A kind of fault that a bad day may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 5xx, and nothing is done.
    Error,
    /// All is done, and the response is another one.
    StoredAndError,
    /// 429 with `Retry-After`.
    Throttled,
    /// All is done, and the response is 503 with `Retry-After`.
    StoredAndThrottled,
    /// The connection breaks, and nothing is done.
    Reset,
    /// All is done, and the connection breaks.
    StoredAndReset,
    /// The access token is revoked.
    TokenDenied,
    /// An upload is rejected as if its name existed.
    NameRejected,
    /// The processing token of an upload is unknown for a while.
    UnknownToken,
    /// A status that no document names.
    OddWord,
    /// 202 or 204 instead of a result.
    NotYet,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Error,
        Self::StoredAndError,
        Self::Throttled,
        Self::StoredAndThrottled,
        Self::Reset,
        Self::StoredAndReset,
        Self::TokenDenied,
        Self::NameRejected,
        Self::UnknownToken,
        Self::OddWord,
        Self::NotYet,
    ];

    /// Words for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "5xx",
            Self::StoredAndError => "5xx after an upload was stored",
            Self::Throttled => "429",
            Self::StoredAndThrottled => "503 with Retry-After after an upload was stored",
            Self::Reset => "broken connections",
            Self::StoredAndReset => "lost responses",
            Self::TokenDenied => "revoked tokens",
            Self::NameRejected => "names rejected as existing",
            Self::UnknownToken => "unknown processing tokens",
            Self::OddWord => "unknown status words",
            Self::NotYet => "202 and 204 instead of results",
        }
    }

    fn rate(self, rates: &mut FaultRates) -> &mut f64 {
        match self {
            Self::Error => &mut rates.server_error,
            Self::StoredAndError => &mut rates.done_otherwise,
            Self::Throttled => &mut rates.throttled,
            Self::StoredAndThrottled => &mut rates.done_throttled,
            Self::Reset => &mut rates.reset,
            Self::StoredAndReset => &mut rates.lost_response,
            Self::TokenDenied => &mut rates.token_revoked,
            Self::NameRejected => &mut rates.name_rejected,
            Self::UnknownToken => &mut rates.unknown_token,
            Self::OddWord => &mut rates.odd_word,
            Self::NotYet => &mut rates.not_yet,
        }
    }
}

/// The behavior of a Platform on a bad day. Half of the kinds of faults are absent, so that each is seen
/// without each other one.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// Faults that happen.
    pub kinds: Vec<FaultKind>,
    /// Requests of 1000 that a fault happens to.
    pub faulty: u32,
    /// Longest time from an upload to its verdict.
    pub processing: Duration,
    /// `Retry-After` of a 429 or 503.
    pub retry_after: Duration,
}

impl Behavior {
    /// Draws the behavior of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let kinds = FaultKind::ALL.into_iter().filter(|_| rng.bool()).collect();
        let seconds =
            |choices: [u64; 3], rng: &mut Rng| Duration::from_secs(choices[rng.usize(..3)]);
        Self {
            seed,
            kinds,
            faulty: [0, 100, 300][rng.usize(..3)],
            processing: seconds([1, 8, 20], &mut rng),
            retry_after: seconds([2, 20, 60], &mut rng),
        }
    }

    /// A simulator that behaves so.
    pub fn config(&self) -> SimConfig {
        let mut faults = FaultRates::default();
        for kind in &self.kinds {
            *kind.rate(&mut faults) = f64::from(self.faulty) / 1000.0 / self.kinds.len() as f64;
        }
        SimConfig {
            seed: self.seed,
            processing: Processing::Uniform(Duration::ZERO, self.processing),
            retry_after: self.retry_after,
            faults,
            ..SimConfig::default()
        }
    }
}

impl fmt::Display for Behavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, kinds, faulty, processing, retry_after } = self;
        write!(f, "seed {seed}: verdicts within {processing:?}; ")?;
        if *faulty == 0 || kinds.is_empty() {
            return write!(f, "nothing fails");
        }
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let share = faulty / 10;
        write!(f, "{share} % of the requests fail, Retry-After {retry_after:?}: ")?;
        write!(f, "{}", kinds.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_behavior_and_each_fault_has_a_seed() {
        assert_eq!(Behavior::of_seed(7), Behavior::of_seed(7));
        for kind in FaultKind::ALL {
            let has_it = |seed| {
                let behavior = Behavior::of_seed(seed);
                let mut faults = behavior.config().faults;
                behavior.kinds.contains(&kind) && *kind.rate(&mut faults) > 0.0
            };
            assert!((0..50).any(has_it), "{kind:?}");
        }
        let quiet = (0..50).map(Behavior::of_seed).find(|behavior| behavior.faulty == 0);
        let quiet = quiet.expect("a third of them");
        assert_eq!(quiet.config().faults, FaultRates::default());
        assert!(quiet.to_string().ends_with("nothing fails"));
    }
}
