//! The invariants, one in each file. They read the recorded trace and nothing else.

mod completed;
mod kept;
mod one_commit;
mod one_upload;
mod rejected;
mod retry_after;
mod settles;
mod tests;
mod uploads;

use crate::trace::Trace;

/// An invariant: its name, and the check that describes how a trace breaks it.
pub(crate) type Invariant = (&'static str, fn(&Trace) -> Result<(), String>);

/// Every invariant.
pub(crate) const ALL: [Invariant; 7] = [
    ("Kept", kept::check),
    ("OneCommit", one_commit::check),
    ("OneUpload", one_upload::check),
    ("Rejected", rejected::check),
    ("Completed", completed::check),
    ("RetryAfter", retry_after::check),
    ("Settles", settles::check),
];
