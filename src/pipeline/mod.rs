//! Carries submissions: takes them in, and runs the steps that are due.

mod backend;
mod committer;
mod decide;
mod intake;
mod leases;
mod policy;
mod schedule;
mod steps;
mod workers;

pub use intake::{Intake, IntakeError, Refusal};
pub use policy::{AmbiguousUpload, Policy};
pub use workers::{Workers, WorkersEnded};
