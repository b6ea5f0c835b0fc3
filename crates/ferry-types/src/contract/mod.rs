//! The bodies of Ferry's own interfaces: NDJSON, the `--json` of the command line, the HTTP API, and
//! every other source of submissions have the same.

mod event_id;
mod events;
mod problem;
mod reading;
mod responses;
mod submission;

pub use event_id::{EventId, InvalidEventIdError};
pub use events::{EventEnvelope, StateChange, StateEvent};
pub use problem::{Problem, ProblemKind, RowProblem};
pub use responses::{
    AccountView, BulkResponse, DamagedSubmission, PauseRequest, PauseView, ResolveRequest,
    ResubmitRequest, StatsView, StepView, SubmissionPage, SubmissionResponse, WebhookView,
};
pub use submission::{SubmissionRequest, SubmissionView};

pub use crate::domain::submission::{Resolution, WaitingFor};
