//! `Signals`: after a pause, or a commit that says that the credentials were denied, no step of the account
//! is claimed until an operator resumes it.

use super::pauses::Pauses;
use crate::trace::{Event, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut pauses = Pauses::default();
    for entry in &trace.entries {
        if let Event::Claimed { of, lease, .. } = &entry.event
            && lease.kind.calls_platform()
            && pauses.is_paused(trace.facts[*of].account)
        {
            return Err(format!("{entry}: the account is paused"));
        }
        pauses.read(trace, entry);
    }
    Ok(())
}
