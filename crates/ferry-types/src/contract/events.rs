//! Events: of the stream, and of webhooks.

use serde::{Deserialize, Serialize};

use crate::domain::submission::{ReasonCode, State};
use crate::domain::{SubmissionId, Timestamp};

/// A state change of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EventEnvelope<T> {
    /// `submission.` and its new state.
    #[serde(rename = "type")]
    pub kind: String,
    /// Time of the event.
    pub timestamp: Timestamp,
    /// The submission.
    pub data: T,
}

/// A change of a submission's state, as the stream of events has it.
pub type StateEvent = EventEnvelope<StateChange>;

/// The submission that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StateChange {
    /// The submission's id.
    pub id: SubmissionId,
    /// Its dataset name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Its new state.
    pub state: State,
    /// Reason for the state, if it needs one.
    pub reason_code: Option<ReasonCode>,
}

impl<T> EventEnvelope<T> {
    /// The event of a submission that came into `state`.
    pub fn of(state: State, timestamp: Timestamp, data: T) -> Self {
        Self { kind: format!("submission.{state}"), timestamp, data }
    }
}
