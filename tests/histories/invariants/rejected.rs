//! `Rejected`: by the Platform's own verdict on an invalid dataset, or by a rejection of its upload while the
//! Platform had nothing of this name whose outcome was unknown.

use std::collections::{BTreeMap, BTreeSet};

use ferry_types::domain::submission::State;

use super::uploads::Uploads;
use crate::trace::{Event, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut uploads = Uploads::default();
    // Submissions whose upload is known to be accepted.
    let mut accepted = BTreeSet::new();
    // By submission, if its last rejection that a worker read was about a dataset of unknown outcome.
    let mut rejected: BTreeMap<usize, Option<usize>> = BTreeMap::new();
    for entry in &trace.entries {
        let upload = uploads.read(trace, &entry.event);
        match &entry.event {
            _ if entry.is_undone => {}
            Event::Changed { of, state, token: Some(_), .. } => {
                accepted.insert(*of);
                if *state == State::Rejected && trace.facts[*of].is_valid {
                    return Err(format!("{entry}: the Platform finds nothing wrong with it"));
                }
            }
            Event::Changed { of, token: None, state: State::Rejected, .. } => {
                match rejected.get(of) {
                    None => return Err(format!("{entry}: no upload of it was rejected")),
                    Some(Some(unseen)) => {
                        return Err(format!(
                            "{entry}: the Platform had the dataset of submission {unseen}, whose outcome \
                         was unknown"
                        ));
                    }
                    Some(None) => {}
                }
            }
            Event::Read { status: Some(400..500), .. } => {
                if let Some(upload) = upload {
                    let unseen = upload.found.filter(|found| !accepted.contains(found));
                    rejected.insert(upload.of, unseen);
                }
            }
            _ => {}
        }
    }
    Ok(())
}
