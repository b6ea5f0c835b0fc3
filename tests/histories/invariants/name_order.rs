//! `NameOrder`: of one account and name, nothing of a later submission is sent before the earlier one is
//! final, and no upload of an earlier one takes effect after that.

use std::collections::BTreeMap;

use ferry_types::domain::submission::State;

use super::acceptance::Acceptance;
use super::uploads::{Uploads, is_stored};
use crate::trace::{Event, SubmissionNumber, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let (acceptance, mut uploads) = (Acceptance::of(trace), Uploads::default());
    let mut states: BTreeMap<SubmissionNumber, State> = BTreeMap::new();
    // Submissions whose upload began, with the number of its claim.
    let mut begun: Vec<(SubmissionNumber, usize)> = Vec::new();
    for entry in &trace.entries {
        let upload = uploads.read(trace, &entry.event);
        match (&entry.event, upload) {
            (Event::Changed { of, state, .. }, _) if !entry.is_undone => {
                states.insert(*of, *state);
            }
            (Event::Sent { of: Some(of), .. }, upload) => {
                let is_final = |of: &usize| states.get(of).copied().is_some_and(State::is_final);
                let mut earlier = acceptance.earlier_of_name(trace, *of);
                // A final one is only fetched again.
                if !is_final(of)
                    && let Some(earlier) = earlier.find(|earlier| !is_final(earlier))
                {
                    return Err(format!("{entry}: submission {earlier} of its name is not final"));
                }
                begun.extend(upload.map(|upload| (*of, upload.claim)));
            }
            (Event::Arrived { effect, .. }, Some(upload)) if is_stored(*effect) => {
                let is_overtaken = |(other, claim): &&(usize, usize)| {
                    *claim > upload.claim
                        && trace.name(*other) == trace.name(upload.of)
                        && acceptance.is_earlier(upload.of, *other)
                };
                if let Some((later, _)) = begun.iter().find(is_overtaken) {
                    return Err(format!(
                        "{entry}: it is an upload of submission {}, and one of the later submission \
                         {later} has begun",
                        upload.of
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
