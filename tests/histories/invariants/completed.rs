//! `Completed`: the stored results are what the Platform computes from the bytes of this dataset, each
//! under its own key.

use ferry_types::domain::submission::State;

use crate::trace::Trace;

pub(super) fn check(trace: &Trace) -> Result<(), String> {
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
