//! `Kept`: what was accepted is there at the end.

use crate::trace::{Event, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    for entry in &trace.entries {
        if let Event::Accepted(of) = &entry.event
            && trace.last[*of].is_none()
        {
            return Err(format!("{entry}: it is gone at the end"));
        }
    }
    Ok(())
}
