//! The dialect of a simulated Platform that a test does not ask for.

use std::hash::{DefaultHasher, Hash, Hasher};

use ferry_sim::{Dialect, SimConfig};

use crate::support::of_environment;

/// Gives a Platform without a dialect one that depends on its seed and on the test, and prints both.
///
/// `SIM_DIALECT=german cargo test --test it NAME` repeats a test in a dialect, and `SIM_SEED=1` draws
/// other ones for all tests.
pub(crate) fn drawn(config: SimConfig) -> SimConfig {
    if config.dialect.is_some() {
        return config;
    }
    let seed = config.seed + of_environment("SIM_SEED", 0);
    let mut hasher = DefaultHasher::new();
    (seed, std::thread::current().name()).hash(&mut hasher);
    let drawn = fastrand::Rng::with_seed(hasher.finish()).usize(..Dialect::ALL.len());
    let dialect = asked_for().unwrap_or(Dialect::ALL[drawn]);
    println!("simulated Platform: seed {seed}, repeat with `SIM_DIALECT={}`", dialect.name());
    SimConfig { dialect: Some(dialect), ..config }
}

fn asked_for() -> Option<Dialect> {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    let name = std::env::var("SIM_DIALECT").ok()?;
    Some(Dialect::named(&name).unwrap_or_else(|| panic!("no dialect is called `{name}`")))
}
