//! Carries submissions: takes them in, and runs the steps that are due.

mod backend;
mod collect;
mod committer;
mod decide;
mod decode;
mod executor;
mod intake;
mod leases;
mod policy;
mod pushed;
mod schedule;
mod workers;

pub use decode::{decode, revision};
pub use intake::{
    DEFAULT_ACCOUNT, DEFAULT_RESULT_KEY, Intake, IntakeError, Prepared, SourceLabels,
};
pub use policy::{AmbiguousUpload, Policy};
pub use pushed::PushedIntake;
pub use workers::{Workers, WorkersError};
