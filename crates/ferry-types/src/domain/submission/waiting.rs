//! Why a submission does not move right now.

use serde::{Deserialize, Serialize};

use super::{State, StepKind, Submission};
use crate::domain::account::{Admission, BlockReason, Health, HealthPolicy};
use crate::domain::limits::LimitUsage;
use crate::domain::{SubmissionId, Timestamp};

/// Why a submission that is not final does not move right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum WaitingFor {
    /// Its step is due later.
    DueTime {
        /// When.
        at: Timestamp,
        /// Which step.
        step: StepKind,
    },
    /// Its step is due and waits for a free worker.
    Worker {
        /// Which step.
        step: StepKind,
    },
    /// Its account yields nothing.
    Account(BlockReason),
    /// An earlier submission of its Name has to end first.
    Predecessor {
        /// That submission.
        submission: SubmissionId,
    },
    /// A person must decide.
    Resolution,
}

/// All that may keep a submission from moving.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The earliest submission of its account and Name that is not final.
    pub first_of_name: Option<SubmissionId>,
    /// The health of its account.
    pub health: &'a Health,
    /// How much of its limits the account has used.
    pub limit_usage: &'a LimitUsage,
    /// When an account counts as in an outage.
    pub policy: &'a HealthPolicy,
    /// The store's time.
    pub now: Timestamp,
}

impl Submission {
    /// Why it does not move; none if a worker has its step, or nothing is due.
    pub fn waiting_for(&self, around: &Surroundings<'_>) -> Option<WaitingFor> {
        if self.state == State::Held {
            return Some(WaitingFor::Resolution);
        }
        let (step, due) = self.step.zip(self.due_at)?;
        if self.leased_until.is_some() {
            return None;
        }
        if self.has_predecessor {
            return around.first_of_name.map(|submission| WaitingFor::Predecessor { submission });
        }
        if step.calls_platform()
            && let Admission::Blocked(message) = around.health.admit(around.now, around.policy)
        {
            return Some(WaitingFor::Account(message));
        }
        if due > around.now {
            return Some(WaitingFor::DueTime { at: due, step });
        }
        if let Some(until) = around.limit_usage.limited_until(step, around.now) {
            return Some(WaitingFor::Account(BlockReason::LimitReached { until }));
        }
        Some(WaitingFor::Worker { step })
    }
}
