//! Random histories of real workers on a store in memory, with faults, each repeated by its seed. After
//! each, the invariants are checked.

mod calls;
mod choices;
mod history;
mod invariants;
mod planted;
mod scenario;
mod situations;
mod store;
mod time;
mod trace;
mod wire;
mod worker;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use choices::Choices;
use history::History;
use planted::Planted;
use trace::Trace;

/// Histories of a run, unless `HISTORIES` says otherwise.
const HISTORIES: u64 = 1000;

/// The name of the invariant that a history breaks, and the report about it.
type Broken = (&'static str, String);

fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the seed that a person wants to repeat")]
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("`{name}` is no number: `{value}`")))
}

/// Runs the history of a seed.
fn history(seed: u64, planted: Option<Planted>) -> Result<Trace, Broken> {
    let (scenario, trace) = History::run(&mut Choices::seeded(seed), planted);
    for (name, check) in invariants::ALL {
        let Err(what) = check(&trace) else { continue };
        let mut report = format!("history {seed} breaks {name}: {what}\n\n{scenario:#?}\n\n");
        for entry in &trace.entries {
            let _ = writeln!(report, "{entry}");
        }
        let _ = write!(
            report,
            "\nhistory {seed} breaks {name}: {what}\nrepeat it: SEED={seed} HISTORIES=1 cargo test \
             --test histories every_history"
        );
        return Err((name, report));
    }
    Ok(trace)
}

/// Runs seeds on all cores until one breaks an invariant; returns the situations that were reached.
fn run(first: u64, count: u64) -> Result<BTreeMap<&'static str, u64>, Broken> {
    let next = AtomicU64::new(first);
    let work = || {
        let mut reached = BTreeMap::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first.saturating_add(count) {
                return Ok(reached);
            }
            match history(seed, None) {
                Ok(trace) => situations::reached(&trace, &mut reached),
                Err(broken) => {
                    next.store(first.saturating_add(count), Ordering::Relaxed);
                    return Err(broken);
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut all = BTreeMap::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let reached = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            for (situation, count) in reached {
                *all.entry(situation).or_default() += count;
            }
        }
        Ok(all)
    })
}

#[test]
fn every_history_fulfills_the_invariants_and_all_situations_are_reached() {
    let (first, count) = (variable("SEED").unwrap_or(0), variable("HISTORIES"));
    let count = count.unwrap_or(HISTORIES);
    let reached = run(first, count).unwrap_or_else(|(_, report)| panic!("{report}"));
    if count >= HISTORIES {
        let missing: Vec<_> =
            situations::ALL.iter().filter(|situation| !reached.contains_key(*situation)).collect();
        assert!(missing.is_empty(), "no history reached {missing:?}, only {reached:?}");
    }
}

#[test]
fn the_same_seed_and_the_same_tape_give_the_same_trace() {
    for seed in 0..50 {
        let mut choices = Choices::seeded(seed);
        let (_, trace) = History::run(&mut choices, None);
        let (_, again) = History::run(&mut Choices::seeded(seed), None);
        assert_eq!(trace, again, "seed {seed}");
        let mut replayed = Choices::replayed(choices.tape().to_vec());
        assert_eq!(trace, History::run(&mut replayed, None).1, "the tape of seed {seed}");
    }
}

/// Panics unless one of `histories` breaks one of `invariants`, and none breaks another.
fn is_found(planted: Planted, invariants: &[&str], histories: u64) {
    let broken = (0..histories).find_map(|seed| history(seed, Some(planted)).err());
    let (name, report) = broken.unwrap_or_else(|| panic!("{planted:?} breaks no invariant"));
    assert!(invariants.contains(&name), "{report}");
}

#[test]
fn a_lease_that_is_not_compared_is_found() {
    is_found(Planted::LeaseNotCompared, &["OneCommit"], 100);
}

#[test]
fn a_rescue_that_forgets_ambiguity_is_found() {
    is_found(Planted::AmbiguityForgotten, &["OneUpload", "Rejected"], 100);
}

#[test]
fn a_rejection_after_an_ambiguous_refusal_is_found() {
    is_found(Planted::RefusalRejects, &["Rejected"], 2000);
}
