//! The queue as people see it: its size in the views of `contract`, and the findings about what is wrong.
//! The HTTP API, the console and the command line share it.

mod findings;
mod view;

pub(crate) use findings::{ALL_IS_FINE, Finding, IDLE_SECONDS, Remedy, findings, unfinished};
pub(crate) use view::{account, stats};
