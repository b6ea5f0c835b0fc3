//! `Completed`: the stored result is what the Platform computes from the bytes of this dataset.

use ferry_types::domain::submission::State;

use crate::trace::Trace;

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    for (number, last) in trace.last.iter().enumerate() {
        let completed = last.as_ref().filter(|last| last.state == State::Completed);
        if completed.is_some_and(|last| last.result.as_ref() != Some(&last.expected_result)) {
            return Err(format!("submission {number} is completed, and its result is another one"));
        }
    }
    Ok(())
}
