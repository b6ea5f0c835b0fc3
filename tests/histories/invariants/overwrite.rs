//! `Overwrite`: a dataset is replaced only if that was asked for, or resolved so, or by policy after an
//! upload that was really sent; and never that of a later submission of the name, unless the Platform rejected
//! that.

use std::collections::{BTreeMap, BTreeSet};

use ferry_sim::Effect;
use ferry_types::domain::submission::{OperatorAction, State};

use super::acceptance::Acceptance;
use super::uploads::Uploads;
use crate::trace::{Event, SubmissionNumber, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let (acceptance, mut uploads) = (Acceptance::of(trace), Uploads::default());
    let mut permitted: BTreeSet<SubmissionNumber> = BTreeSet::new();
    let mut states: BTreeMap<SubmissionNumber, State> = BTreeMap::new();
    // Uploads that left, with the numbers of their claims.
    let mut sent: Vec<(SubmissionNumber, usize)> = Vec::new();
    for entry in &trace.entries {
        let Some(upload) = uploads.read(trace, &entry.event) else {
            match &entry.event {
                Event::Operated(of, OperatorAction::ResolveOverwrite) => {
                    permitted.insert(*of);
                }
                Event::Changed { of, state, .. } if !entry.is_undone => {
                    states.insert(*of, *state);
                }
                _ => {}
            }
            continue;
        };
        let (of, claim) = (upload.of, upload.claim);
        match &entry.event {
            Event::Sent { .. } => sent.push((of, claim)),
            Event::Arrived { effect: Effect::Replaced | Effect::ReplacedForeign, .. } => {
                let was_sent = |(other, earlier): &(usize, usize)| {
                    *earlier < claim && trace.name(*other) == trace.name(of)
                };
                let by_policy = trace.policy_overwrites && sent.iter().any(was_sent);
                if !(trace.facts[of].overwrite || permitted.contains(&of) || by_policy) {
                    return Err(format!("{entry}: {of} may not overwrite"));
                }
                let is_later = |found: &usize| {
                    acceptance.is_earlier(of, *found) && states.get(found) != Some(&State::Rejected)
                };
                if let Some(later) = upload.found.filter(is_later) {
                    return Err(format!("{entry}: {of} replaced the later submission {later}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
