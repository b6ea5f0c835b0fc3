//! Carries submissions: takes them in, and runs the steps that are due.

mod backend;
mod collect;
mod committer;
mod decide;
mod intake;
mod leases;
mod policy;
mod pushed;
mod schedule;
mod steps;
mod texts;
mod workers;

pub use intake::{DEFAULT_ACCOUNT, DEFAULT_RESULT_KEY, Intake, IntakeError, Names, Prepared};
pub use policy::{AmbiguousUpload, Policy};
pub use pushed::PushedIntake;
pub use texts::{correction, texts};
pub use workers::{Workers, WorkersError};
