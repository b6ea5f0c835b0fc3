//! The domain, without I/O, async or a clock: datasets, submissions and their states, responses of the
//! Platform, and the health of an account. Every other module builds on this one.

pub mod account;
pub mod bounded_json;
mod closed_set;
pub mod dataset;
pub mod feedback;
mod id;
pub mod lenient_json;
pub mod limits;
pub mod outcome;
pub mod pacing;
mod process;
mod sanitize;
pub mod submission;
mod time;
mod trace;

pub use closed_set::UnknownValueError;
pub use id::{InvalidIdError, SubmissionId};
pub use process::{Heartbeat, MAX_NAMED_ACCOUNTS, ProcessRole, Slots};
pub use sanitize::{escape, escape_json, is_invisible};
pub use time::{Timestamp, earlier, later, timestamp, until};
pub use trace::{InvalidTraceParentError, TraceParent};
