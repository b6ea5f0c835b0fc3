//! `Kept`: what was accepted is there at the end.

use crate::trace::Trace;

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    match trace.last.iter().position(Option::is_none) {
        Some(number) => Err(format!("submission {number} was accepted and is gone")),
        None => Ok(()),
    }
}
