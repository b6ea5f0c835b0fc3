//! The command line as a user meets it: the real binary, as a process, against the simulated
//! Platform.

pub(crate) mod harness;
mod processes;
mod proxies;
pub(crate) mod pty;
mod redact;
pub(crate) mod running;

mod answers;
mod audit;
mod audit_verify;
mod batches;
mod bulk;
mod clock;
mod config;
mod config_show;
mod data;
mod doctor;
mod exits;
mod hostile;
mod list;
mod log;
mod messages;
mod night;
mod operate;
mod others;
pub(crate) mod secrets;
mod stopping;
mod submit;
mod target;
mod terminal;
mod top;
mod validate;
mod waiting;
mod watch;
mod worker;
