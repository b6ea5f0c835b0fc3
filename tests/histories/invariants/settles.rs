//! `Settles`: without faults, and with operators who resolve what is held, all ends, and no submission
//! takes more than four steps a second meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_types::domain::submission::StepKind;

use crate::trace::{Event, Trace};

const STEPS: usize = 4;

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    for (number, last) in trace.last.iter().enumerate() {
        if let Some(last) = last.as_ref().filter(|last| !last.state.is_final() || last.is_due) {
            let due = if last.is_due { ", and a step is due" } else { "" };
            return Err(format!("submission {number} is `{}` at the end{due}", last.state));
        }
    }
    let mut steps: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    let calm = trace.entries.iter().skip_while(|entry| entry.event != Event::Calm);
    for entry in calm {
        // What operators make due is at their pace.
        if let Event::Operated(of, _) = &entry.event {
            steps.remove(of);
        }
        if let Event::Claimed { of, lease, .. } = &entry.event
            && lease.kind != StepKind::Deliver
        {
            let steps = steps.entry(*of).or_default();
            steps.retain(|at| entry.at < *at + Duration::from_secs(1));
            steps.push(entry.at);
            if steps.len() > STEPS {
                return Err(format!("{entry}: its {} steps within a second", steps.len()));
            }
        }
    }
    Ok(())
}
