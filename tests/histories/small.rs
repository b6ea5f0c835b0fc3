//! Every history of a small scope: each call of the workers meets each fault, alone and in pairs. It runs
//! the workers themselves, where a model of the lifecycle alone would have to repeat what they decide.

use std::time::Duration;

use ferry_sim::{Fault, FaultKind};

use crate::backing::StoreKind;
use crate::calls::Destination;
use crate::choices::Choices;
use crate::faults::PlatformFault;
use crate::history::{History, Setting};
use crate::runs::{self, variable};
use crate::scenario::Scenario;
use crate::trace::Trace;

/// A fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallFault {
    LoseCall,
    LoseResponse,
    /// The response arrives after the lease.
    Late,
    /// The worker crashes before the call is carried out, or after that.
    CrashBefore,
    CrashAfter,
    Platform(FaultKind),
    /// It is not carried out before a script does so.
    Wait,
}

const OF_ANY_CALL: [CallFault; 5] = [
    CallFault::LoseCall,
    CallFault::LoseResponse,
    CallFault::Late,
    CallFault::CrashBefore,
    CallFault::CrashAfter,
];

const OF_THE_PLATFORM: [FaultKind; 5] = [
    FaultKind::Error,
    FaultKind::StoredAndError,
    FaultKind::Throttled,
    FaultKind::TokenDenied,
    FaultKind::NameRejected,
];

/// Calls that meet faults, by their numbers, and the calls that could meet one.
#[derive(Debug, Default)]
pub(crate) struct CallFaults {
    planned: Vec<(u64, CallFault)>,
    /// Faults of the next calls to a destination.
    pub(crate) next: Vec<(Destination, CallFault)>,
    pub(crate) possible: Vec<(u64, Destination)>,
}

impl CallFaults {
    /// The fault of a call.
    pub(crate) fn of(&self, number: u64) -> Option<CallFault> {
        self.planned.iter().find(|(planned, _)| *planned == number).map(|(_, fault)| *fault)
    }

    /// Gives a call a fault, instead of what it had.
    pub(crate) fn plan(&mut self, number: u64, fault: CallFault) {
        self.planned.retain(|(planned, _)| *planned != number);
        self.planned.push((number, fault));
    }

    /// The fault of a new call.
    pub(crate) fn of_new(&mut self, number: u64, to: Destination) -> Option<CallFault> {
        if let Some(at) = self.next.iter().position(|(next, _)| *next == to) {
            let (_, fault) = self.next.remove(at);
            self.plan(number, fault);
        }
        self.of(number)
    }
}

impl CallFault {
    /// The fault at the Platform, for a call to `to`.
    pub(crate) fn at_platform(self, to: Destination, retry_after: Duration) -> Option<Fault> {
        match (self, to) {
            (Self::Platform(kind), Destination::Platform(endpoint)) => {
                PlatformFault::Of(kind).of(endpoint, retry_after)
            }
            _ => None,
        }
    }
}

/// The size of a scope.
#[derive(Debug, Clone, Copy)]
struct Scope {
    submissions: usize,
    overwrite: bool,
    faults: usize,
}

/// Runs one history; returns its trace and the calls that could meet a fault.
fn history(scope: Scope, planned: &[(u64, CallFault)]) -> (Trace, Vec<(u64, Destination)>) {
    // After the end of the tape all is as intended.
    let mut choices = Choices::replayed(Vec::new());
    let mut scenario = Scenario { workers: 2, resolutions: 1, ..Scenario::draw(&mut choices) };
    let first = scenario.submissions[0].clone();
    scenario.submissions = (0..scope.submissions).map(|number| first.numbered(number)).collect();
    for planned in &mut scenario.submissions {
        planned.fact.overwrite = scope.overwrite;
    }
    let setting = Setting { store: StoreKind::Memory, planted: None };
    let mut history = History::new(&mut choices, scenario, setting);
    history.call_faults.planned = planned.to_vec();
    for slot in 0..2 {
        history.start(slot);
    }
    history.calm();
    let possible = std::mem::take(&mut history.call_faults.possible);
    (history.trace(), possible)
}

/// Runs all histories of a scope that begin with the faults in `planned`; returns their number. One that is
/// among the `earlier` ones is not continued: the last fault had no effect, or the same as another one.
fn search(scope: Scope, planned: &mut Vec<(u64, CallFault)>, earlier: &mut Vec<Trace>) -> u64 {
    let (trace, possible) = history(scope, planned);
    if earlier.contains(&trace) {
        return 0;
    }
    if let Err((name, what)) = runs::check(&trace) {
        let entries: Vec<String> = trace.entries.iter().map(ToString::to_string).collect();
        panic!("{}\n\n{scope:?} with {planned:?} breaks {name}: {what}", entries.join("\n"));
    }
    earlier.push(trace.clone());
    if planned.len() == scope.faults {
        return 1;
    }
    let after = planned.last().map_or(0, |(number, _)| number + 1);
    let (mut count, mut continued) = (1, vec![trace]);
    for (number, to) in possible.into_iter().filter(|(number, _)| *number >= after) {
        let of_platform: &[_] =
            if matches!(to, Destination::Platform(_)) { &OF_THE_PLATFORM } else { &[] };
        let of_platform = of_platform.iter().copied().map(CallFault::Platform);
        for fault in OF_ANY_CALL.into_iter().chain(of_platform) {
            planned.push((number, fault));
            count += search(scope, planned, &mut continued);
            planned.pop();
        }
    }
    count
}

/// `FAULTS=2` searches pairs of faults, also of two workers at once.
fn no_fault_breaks_an_invariant(overwrite: bool) {
    let faults = variable("FAULTS").unwrap_or(1) as usize;
    for submissions in [1, 2] {
        let scope = Scope { submissions, overwrite, faults };
        println!("{scope:?}: {} histories", search(scope, &mut Vec::new(), &mut Vec::new()));
    }
}

#[test]
fn no_fault_of_any_call_breaks_an_invariant() {
    no_fault_breaks_an_invariant(false);
}

#[test]
fn no_fault_of_any_call_breaks_an_invariant_of_what_may_overwrite() {
    no_fault_breaks_an_invariant(true);
}
