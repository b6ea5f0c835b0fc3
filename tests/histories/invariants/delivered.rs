//! `Delivered`: each outcome that has a receiver is delivered, or its log says why not; and a receiver learns of
//! no state that the submission was not in.

use std::collections::{BTreeMap, BTreeSet};

use ferry_types::domain::submission::State;

use crate::trace::{Event, SubmissionNumber, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut states: BTreeMap<SubmissionNumber, BTreeSet<State>> = BTreeMap::new();
    for entry in &trace.entries {
        match &entry.event {
            Event::Changed { of, state, .. } => {
                states.entry(*of).or_default().insert(*state);
            }
            Event::Delivered { of, state } => {
                let was_in_it = states.get(of).is_some_and(|states| states.contains(state));
                if !(state.is_final() && was_in_it && trace.facts[*of].has_webhook) {
                    return Err(format!("{entry}: that is no outcome of it"));
                }
            }
            _ => {}
        }
    }
    for (number, last) in trace.last.iter().enumerate() {
        let has_webhook = trace.facts[number].has_webhook;
        if last
            .as_ref()
            .is_some_and(|last| has_webhook && last.state.is_final() && !last.has_delivery)
        {
            return Err(format!("the outcome of submission {number} is not delivered"));
        }
    }
    Ok(())
}
