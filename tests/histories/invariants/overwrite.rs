//! `Overwrite`: a dataset is replaced only if that was asked for, or resolved so, or by policy after an
//! upload that was really sent; and never that of a later submission of the name.

use std::collections::BTreeSet;

use ferry_sim::Effect;
use ferry_types::domain::submission::Resolution;

use super::acceptance::Acceptance;
use super::uploads::Uploads;
use crate::trace::{Event, Operation, SubmissionNumber, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let (acceptance, mut uploads) = (Acceptance::of(trace), Uploads::default());
    let mut permitted: BTreeSet<SubmissionNumber> = BTreeSet::new();
    // Uploads that left, with the numbers of their claims.
    let mut sent: Vec<(SubmissionNumber, usize)> = Vec::new();
    for entry in &trace.entries {
        let Some(upload) = uploads.read(trace, &entry.event) else {
            if let Event::Operated(of, Operation::Resolve(Resolution::Overwrite)) = &entry.event {
                permitted.insert(*of);
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
                if let Some(later) = upload.found.filter(|found| acceptance.is_earlier(of, *found))
                {
                    return Err(format!("{entry}: {of} replaced the later submission {later}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
