//! A submission, and the rules of its life: each is one method, and all of them consult the one table of
//! legal transitions. Stores persist what the rules decide.

mod action;
mod delivery;
mod lifecycle;
mod name;
mod operator;
mod parts;
mod processing;
mod reason;
mod refetch;
mod restored;
mod state;
mod step;
mod transition;
mod waiting;
mod webhook;

pub use lifecycle::MAX_UNCOMMITTED_CLAIMS;
pub use name::{LATE_UPLOAD, LateUpload, NameEffect};
pub use operator::{LifecycleError, OperatorAction, Resolution, SameName};
pub use parts::{
    FEEDBACK_KEY, LastRequest, Lasting, Processing, StoredContent, Submission, SubmissionParts,
};
pub use reason::{Reason, ReasonCode};
pub use state::State;
pub use step::{Priority, StepKind};
pub use transition::{
    IllegalTransitionError, Next, NextStep, Outcome, Ruled, TimelineEntry, Transition,
};
pub use waiting::{Surroundings, WaitReason, WaitingFor};
pub use webhook::{Delivery, DeliveryResult, Webhook, WebhookState, shown_origin, shown_url};

#[cfg(test)]
mod tests;
