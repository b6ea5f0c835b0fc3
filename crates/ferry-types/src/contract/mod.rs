//! The bodies of Ferry's own interfaces: NDJSON, the `--json` of the command line, the HTTP API, and
//! every other source of submissions have the same.

mod administration;
mod bulk_action;
mod correcting;
mod event_id;
mod events;
mod findings;
mod problem;
mod processes;
mod reading;
mod rehearsal;
mod responses;
mod submission;

pub use administration::{
    AuditRecordView, AuditView, CheckView, ChecksView, CreatedKeyView, KeyRequest, KeyView,
    KeysView, RevokedKeyView, SettingView, SettingsView,
};
pub use bulk_action::{BulkActionRequest, BulkActionView, BulkUnchanged};
pub use correcting::{
    CellFeedback, CorrectRequest, CorrectView, FeedbackForm, RowView, RowsOnly, RowsView,
    ValidateRequest, ValidateView,
};
pub use event_id::{EventId, InvalidEventIdError};
pub use events::{EventEnvelope, StateChange, StateEvent};
pub use findings::{FindingKind, FindingView, Severity};
pub use problem::{Problem, ProblemKind, RowProblem};
pub use processes::{DamagedProcess, ProcessState, ProcessView, ProcessesView};
pub use rehearsal::{Drill, DrillView, ExpectedView, RehearsalRequest, RehearsalView};
pub use responses::{
    AccountView, AccountsView, BulkResponse, CountView, DamagedSubmission, FailingView, OutageView,
    PauseRequest, PauseView, ResolveRequest, ResubmitRequest, StatsView, StepView, SubmissionPage,
    SubmissionResponse, ThrottlingView, UndeliveredView, WebhookView, WhoamiView,
};
pub use submission::{SubmissionRequest, SubmissionView};

pub use crate::domain::submission::{OperatorAction, Resolution, WaitingFor};
