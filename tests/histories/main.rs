//! Random histories of real workers on a store, with faults, each repeated by its seed or its tape. After
//! each, the invariants are checked.

#![expect(clippy::print_stdout, reason = "a history is repeated to be read")]

mod acts;
mod backing;
mod calls;
mod choices;
mod earlier;
mod faults;
mod history;
mod invariants;
mod known;
mod observing;
mod people;
mod planted;
mod receiver;
mod recorder;
mod runs;
mod sabotage;
mod scenario;
mod sentences;
mod shrink;
mod situations;
mod small;
mod store;
mod time;
mod trace;
mod wire;
mod worker;

use backing::StoreKind;
use choices::Choices;
use history::{History, Setting};
use runs::{run, text, variable};

/// Histories of a run on each store, unless `HISTORIES` says otherwise.
const IN_MEMORY: u64 = 10_000;
const ON_SQLITE: u64 = 1_000;
const ON_REDIS: u64 = 500;

/// The store of a run by hand.
fn chosen_store() -> StoreKind {
    match text("STORE").as_deref() {
        None | Some("memory") => StoreKind::Memory,
        Some("sqlite") => StoreKind::Sqlite,
        Some("redis") => StoreKind::Redis,
        Some(other) => panic!("`STORE` is memory, sqlite or redis, and not `{other}`"),
    }
}

/// Runs histories, of which none may break an invariant. So many reach every situation.
fn hold(store: StoreKind, first: u64, count: u64) {
    let setting = Setting { store, planted: None };
    let reached = run(first, count, setting).unwrap_or_else(|broken| panic!("{broken}"));
    println!("{store:?}: {reached:?}");
    if count >= 1000 {
        let missing = situations::missing(&reached);
        assert!(missing.is_empty(), "no history reached {missing:?}, only {reached:?}");
    }
}

#[test]
fn every_history_fulfills_the_invariants_and_all_situations_are_reached() {
    let count = variable("HISTORIES").unwrap_or(IN_MEMORY);
    hold(chosen_store(), variable("SEED").unwrap_or(0), count);
}

#[test]
fn histories_on_sqlite_fulfill_the_invariants_and_all_situations_are_reached() {
    hold(StoreKind::Sqlite, 0, ON_SQLITE);
}

#[test]
fn histories_on_redis_fulfill_the_invariants() {
    hold(StoreKind::Redis, 0, ON_REDIS);
}

/// `HISTORY=<tape>` repeats a history that a report names, and prints it.
#[test]
fn again() {
    let tape = choices::read(&text("HISTORY").unwrap_or_default());
    let setting = Setting { store: chosen_store(), planted: None };
    let mut choices = Choices::replayed(tape);
    let (scenario, trace) = History::run(&mut choices, setting);
    runs::print(&scenario, &trace);
    if let Err((name, what)) = runs::check(&trace) {
        panic!("the history breaks {name}: {what}");
    }
}

#[test]
fn the_same_seed_and_the_same_tape_give_the_same_trace() {
    for (store, seeds) in [(StoreKind::Memory, 50), (StoreKind::Sqlite, 3), (StoreKind::Redis, 3)] {
        let setting = Setting { store, planted: None };
        for seed in 0..seeds {
            let mut choices = Choices::seeded(seed);
            let (_, trace) = History::run(&mut choices, setting);
            let (_, again) = History::run(&mut Choices::seeded(seed), setting);
            assert_eq!(trace, again, "seed {seed} on {store:?}");
            let mut replayed = Choices::replayed(choices.tape().to_vec());
            let (_, replayed) = History::run(&mut replayed, setting);
            assert_eq!(trace, replayed, "the tape of seed {seed} on {store:?}");
        }
    }
}
