//! The invariants, one in each file. They read the recorded trace and nothing else.

mod acceptance;
mod completed;
mod delivered;
mod kept;
mod keys;
mod late;
mod lifecycle;
mod limits;
mod name_order;
mod one_commit;
mod one_upload;
mod overwrite;
mod pauses;
mod poison;
mod rejected;
mod retry_after;
mod says_why;
mod settles;
mod signals;
mod tests;
mod uploads;

use crate::trace::Trace;

/// An invariant: its name, and the check that describes how a trace breaks it.
pub(crate) type Invariant = (&'static str, fn(&Trace) -> Result<(), String>);

/// Every invariant.
pub(crate) const ALL: [Invariant; 16] = [
    ("Kept", kept::check),
    ("Keys", keys::check),
    ("OneCommit", one_commit::check),
    ("Poison", poison::check),
    ("OneUpload", one_upload::check),
    ("NameOrder", name_order::check),
    ("Overwrite", overwrite::check),
    ("Rejected", rejected::check),
    ("Completed", completed::check),
    ("RetryAfter", retry_after::check),
    ("Limits", limits::check),
    ("Signals", signals::check),
    ("SaysWhy", says_why::check),
    ("Lifecycle", lifecycle::check),
    ("Delivered", delivered::check),
    ("Settles", settles::check),
];
