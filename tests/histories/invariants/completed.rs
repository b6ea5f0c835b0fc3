//! `Completed`: the Platform has the dataset, under the processing token that the submission has, and finds
//! nothing wrong with it; the stored results are what it computes from these bytes, each under its own key.

use std::collections::BTreeMap;

use ferry_types::domain::submission::State;

use super::uploads::{Uploads, is_stored};
use crate::trace::{Event, SubmissionNumber, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut uploads = Uploads::default();
    // The submission whose dataset the Platform stored under a processing token.
    let mut stored: BTreeMap<&str, SubmissionNumber> = BTreeMap::new();
    for entry in &trace.entries {
        let upload = uploads.read(trace, &entry.event);
        match (&entry.event, upload) {
            (Event::Arrived { effect, token: Some(token), .. }, Some(upload))
                if is_stored(*effect) =>
            {
                stored.insert(token, upload.of);
            }
            (Event::Changed { of, state: State::Completed, token, .. }, _) => {
                let token = token.as_deref().unwrap_or_default();
                if stored.get(token) != Some(of) {
                    return Err(format!("{entry}: the Platform has no such dataset"));
                }
                if !trace.facts[*of].is_valid {
                    return Err(format!("{entry}: its dataset is invalid"));
                }
            }
            _ => {}
        }
    }
    results(trace)
}

fn results(trace: &Trace) -> Result<(), String> {
    for (number, last) in trace.last.iter().enumerate() {
        let completed = last.iter().filter(|last| last.state == State::Completed);
        let mut results = completed.flat_map(|last| &last.results);
        if let Some((key, _)) = results.find(|(_, (stored, expected))| {
            // A result that the Platform does not have is missing, and that is on record.
            stored.as_ref().is_some_and(|stored| stored != expected)
        }) {
            return Err(format!("result `{key}` of submission {number} is another one"));
        }
        let mut results = last.iter().filter(|last| last.state == State::Completed);
        if results.any(|last| last.results.values().all(|(stored, _)| stored.is_none())) {
            return Err(format!("submission {number} is completed without any result"));
        }
    }
    Ok(())
}
