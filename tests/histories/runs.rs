//! Runs histories on all cores, and reports the first that breaks an invariant.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, panic, thread};

use crate::backing::StoreKind;
use crate::choices::{Choices, written};
use crate::history::{History, Setting};
use crate::invariants::Invariant;
use crate::scenario::Scenario;
use crate::shrink::shrink;
use crate::trace::Trace;
use crate::{invariants, situations};

/// A history that breaks an invariant.
#[derive(Debug)]
pub(crate) struct Broken {
    seed: u64,
    name: &'static str,
    setting: Setting,
    tape: Vec<u32>,
}

pub(crate) fn text(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the history that a person wants to repeat")]
    std::env::var(name).ok()
}

pub(crate) fn variable(name: &str) -> Option<u64> {
    let value = text(name)?;
    Some(value.parse().unwrap_or_else(|_| panic!("`{name}` is no number: `{value}`")))
}

/// Checks a trace; an error is the name of the first invariant that it breaks, and how.
pub(crate) fn check(trace: &Trace) -> Result<(), (&'static str, String)> {
    let checked = |(name, check): Invariant| check(trace).map_err(|what| (name, what));
    invariants::ALL.into_iter().try_for_each(checked)
}

/// Runs the history of a seed.
fn history(seed: u64, setting: Setting) -> Result<Trace, Broken> {
    let mut choices = Choices::seeded(seed);
    let (_, trace) = History::run(&mut choices, setting);
    let broken = |(name, _)| Broken { seed, name, setting, tape: choices.tape().to_vec() };
    check(&trace).map_err(broken)?;
    Ok(trace)
}

/// Runs seeds on all cores until one breaks an invariant; returns the situations that were reached.
pub(crate) fn run(
    first: u64,
    count: u64,
    setting: Setting,
) -> Result<BTreeMap<&'static str, u64>, Broken> {
    let (next, end) = (AtomicU64::new(first), first.saturating_add(count));
    let reached = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(());
            }
            let trace =
                history(seed, setting).inspect_err(|_| next.store(end, Ordering::Relaxed))?;
            situations::reached(&trace, &mut reached.lock().expect("no test has panicked"));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // A real store has threads, or a server, that a history waits for.
    let threads = if setting.store == StoreKind::Memory { cores } else { 2 * cores };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut ends = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ends.try_for_each(|end| end.unwrap_or_else(|cause| panic::resume_unwind(cause)))
    })
    .map(|()| reached.into_inner().expect("no test has panicked"))
}

pub(crate) fn print(scenario: &Scenario, trace: &Trace) {
    print!("{}", shown(scenario, trace));
}

fn shown(scenario: &Scenario, trace: &Trace) -> String {
    let mut shown = format!("{scenario:#?}\n\n");
    for entry in &trace.entries {
        let _ = writeln!(shown, "{entry}");
    }
    shown
}

/// The report: the shortest history found that breaks the same invariant.
impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, name, setting, tape } = self;
        let outcome = |tape: &[u32]| {
            let mut choices = Choices::replayed(tape.to_vec());
            let (scenario, trace) = History::run(&mut choices, *setting);
            (scenario, check(&trace), trace)
        };
        let is_same = |tape: &[u32]| outcome(tape).1.is_err_and(|(broken, _)| broken == *name);
        // On a real store each run takes long.
        let is_short = setting.store == StoreKind::Memory && is_same(tape);
        let tape = if is_short { shrink(tape.clone(), is_same) } else { tape.clone() };
        let (scenario, checked, trace) = outcome(&tape);
        let what = checked.err().map_or("not when it is repeated".to_owned(), |(_, what)| what);
        let store = match setting.store {
            StoreKind::Memory => "memory",
            StoreKind::Sqlite => "sqlite",
            StoreKind::Redis => "redis",
        };
        write!(f, "{}", shown(&scenario, &trace))?;
        writeln!(f, "\nhistory {seed} breaks {name}: {what}")?;
        writeln!(
            f,
            "a drill with this Platform: ferry rehearse --seed {}",
            scenario.platform.seed
        )?;
        write!(
            f,
            "repeat it: STORE={store} HISTORY={} cargo test --test histories again -- --nocapture",
            written(&tape)
        )
    }
}
