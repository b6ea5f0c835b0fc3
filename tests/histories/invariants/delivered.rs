//! `Delivered`: a receiver learns of each outcome after the submission has it, or the log says why not; and of no
//! state that the submission was not in.

use std::collections::{BTreeMap, BTreeSet};

use ferry_types::domain::submission::State;

use crate::trace::{Event, SubmissionNumber, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut states: BTreeMap<SubmissionNumber, BTreeSet<State>> = BTreeMap::new();
    // By submission, the state that it was in last as far as the store knows, and if a receiver knows of it.
    let mut last: BTreeMap<SubmissionNumber, (State, bool)> = BTreeMap::new();
    for entry in &trace.entries {
        match &entry.event {
            Event::Changed { of, state, .. } => {
                states.entry(*of).or_default().insert(*state);
                let is_same = last.get(of).is_some_and(|(known, _)| known == state);
                if !(entry.is_undone || is_same) {
                    last.insert(*of, (*state, false));
                }
            }
            Event::Delivered { of, state } => {
                let was_in_it = states.get(of).is_some_and(|states| states.contains(state));
                if !(state.is_final() && was_in_it && trace.facts[*of].has_webhook) {
                    return Err(format!("{entry}: that is no outcome of it"));
                }
                if let Some((known, is_delivered)) = last.get_mut(of) {
                    *is_delivered |= known == state;
                }
            }
            _ => {}
        }
    }
    for (of, at_end) in trace.last.iter().enumerate() {
        let Some(at_end) = at_end.as_ref().filter(|at_end| at_end.state.is_final()) else {
            continue;
        };
        let is_delivered = last.get(&of) == Some(&(at_end.state, true));
        if trace.facts[of].has_webhook && !is_delivered && !at_end.says_undelivered {
            let state = at_end.state;
            return Err(format!("no receiver knows that submission {of} is `{state}`"));
        }
    }
    Ok(())
}
