//! What others are told of: by the stream of events, and by webhooks.

use serde::{Deserialize, Serialize};

use crate::domain::submission::{ReasonCode, State};
use crate::domain::{SubmissionId, Timestamp};

/// Something that happened: `type` says what, and `data` to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EventEnvelope<T> {
    /// `submission.` and the state that it is in from then on.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub timestamp: Timestamp,
    /// The submission.
    pub data: T,
}

/// A change of a submission's state, as the stream of events tells it.
pub type StateEvent = EventEnvelope<StateChange>;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StateChange {
    /// The submission's id.
    pub id: SubmissionId,
    /// Its Name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Its state from then on.
    pub state: State,
    /// Why, where that needs saying.
    pub reason_code: Option<ReasonCode>,
}

impl<T> EventEnvelope<T> {
    /// That a submission came into `state`.
    pub fn of(state: State, timestamp: Timestamp, data: T) -> Self {
        Self { kind: format!("submission.{state}"), timestamp, data }
    }
}
