//! `Settles`: without faults, and with operators who resolve what is held, all ends.

use crate::trace::Trace;

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    for (number, last) in trace.last.iter().enumerate() {
        if let Some(last) = last.as_ref().filter(|last| !last.state.is_final()) {
            return Err(format!("submission {number} is still `{}` at the end", last.state));
        }
    }
    Ok(())
}
