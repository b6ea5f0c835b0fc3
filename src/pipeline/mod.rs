//! Accepts submissions, and runs the steps that are due.

mod backend;
mod claimer;
mod collect;
mod committer;
mod contact;
mod decide;
mod decode;
mod delivery;
mod executor;
mod fetch;
mod guard;
mod housekeeping;
mod intake;
mod leases;
mod metrics;
mod observer;
mod pacing;
mod parts;
mod payload;
mod policy;
mod pushed;
mod schedule;
mod throttle;
mod upload_memory;
mod workers;

pub use claimer::LeasedStep;
pub(crate) use collect::data_rejected;
pub use committer::CommitError;
pub(crate) use decide::paused_for;
pub use decode::{decode, revision};
pub use executor::Executor;
pub use intake::{
    DEFAULT_ACCOUNT, DEFAULT_RESULT_KEY, Intake, IntakeError, IntakeParts, MAX_ITEMS, Prepared,
    REQUEST_OVERHEAD, SourceLabels, largest_json,
};
pub use metrics::{IntakeMetrics, Source, WorkerMetrics};
pub use parts::{StepQueue, WorkerParts, Workers};
pub use policy::{AmbiguousUpload, Policy, PollScheduling};
pub use pushed::PushedIntake;
pub use workers::WorkersError;
