//! The queue as people see it: its size in the views of `contract`, and the findings about what is wrong.
//! The HTTP API, the console and the command line share it.

mod abandoned;
mod findings;
mod processes;
mod view;

pub(crate) use abandoned::{AbandonedWebhooks, Counts};
pub(crate) use findings::{ALL_IS_FINE, IDLE, Work, not_ready, of_account, unfinished};
pub(crate) use processes::processes;
pub(crate) use view::{Now, Reading, account, of_server};
