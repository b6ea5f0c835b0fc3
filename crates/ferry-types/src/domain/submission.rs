//! A submission, and the rules of its life: each is one method, and all of them consult the one table of
//! legal transitions. Stores persist what the rules decide.

mod closed_set;
mod delivery;
mod lifecycle;
mod name;
mod operator;
mod parts;
mod reason;
mod refetch;
mod restored;
mod state;
mod step;
mod transition;
mod waiting;
mod webhook;

pub use closed_set::UnknownValueError;
pub use lifecycle::MAX_UNCOMMITTED_CLAIMS;
pub use name::NameEffect;
pub use operator::{LifecycleError, Resolution, SameName};
pub use parts::{FEEDBACK_KEY, StoredContent, Submission, SubmissionParts};
pub use reason::{Reason, ReasonCode};
pub use state::State;
pub use step::{Priority, StepKind};
pub use transition::{
    IllegalTransitionError, Next, NextStep, Outcome, Ruled, TimelineEntry, Transition,
};
pub use waiting::{Surroundings, WaitingFor};
pub use webhook::{Delivery, DeliveryResult, Webhook, shown_url};

use closed_set::closed_set;

closed_set!(State, "state");
closed_set!(StepKind, "step");
closed_set!(Priority, "priority");
closed_set!(ReasonCode, "reason");

#[cfg(test)]
mod tests;
