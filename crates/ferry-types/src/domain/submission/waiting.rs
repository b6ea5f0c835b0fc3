//! Reasons why a submission does not progress.

use serde::{Deserialize, Serialize};

use super::{LateUpload, State, StepKind, Submission};
use crate::closed_set;
use crate::domain::account::{Admission, BlockReason, Health, HealthPolicy};
use crate::domain::limits::LimitUsage;
use crate::domain::{SubmissionId, Timestamp};

/// Reason why a submission that is not final does not progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum WaitingFor {
    /// Its step is due later.
    DueTime {
        /// The due time.
        at: Timestamp,
        /// The step.
        step: StepKind,
    },
    /// Its step is due and waits for a free worker.
    Worker {
        /// The step.
        step: StepKind,
    },
    /// Its account runs nothing.
    Account(BlockReason),
    /// Its predecessor, an earlier submission of its name, must finish first.
    Predecessor {
        /// That submission.
        submission: SubmissionId,
    },
    /// An operator must decide.
    Resolution,
}

closed_set! {
    /// Kind of a reason why a submission does not progress.
    pub enum WaitReason: "reason to wait" in json {
        /// Its step is due later.
        DueTime = "due_time",
        /// Its step is due and waits for a free worker.
        Worker = "worker",
        /// Its account is paused.
        Paused = "paused",
        /// The Platform throttles its account.
        Throttled = "throttled",
        /// Its account is at a limit.
        LimitReached = "limit_reached",
        /// The circuit breaker of its account is open.
        BreakerOpen = "breaker_open",
        /// Its predecessor must finish first.
        Predecessor = "predecessor",
        /// An operator must decide.
        Resolution = "resolution",
    }
}

impl WaitingFor {
    /// Its kind.
    pub const fn reason(&self) -> WaitReason {
        match self {
            Self::DueTime { .. } => WaitReason::DueTime,
            Self::Worker { .. } => WaitReason::Worker,
            Self::Account(BlockReason::Paused { .. }) => WaitReason::Paused,
            Self::Account(BlockReason::Throttled { .. }) => WaitReason::Throttled,
            Self::Account(BlockReason::LimitReached { .. }) => WaitReason::LimitReached,
            Self::Account(BlockReason::BreakerOpen { .. }) => WaitReason::BreakerOpen,
            Self::Predecessor { .. } => WaitReason::Predecessor,
            Self::Resolution => WaitReason::Resolution,
        }
    }
}

/// Facts that may keep a submission from progressing.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The earliest submission of its account and name that is not final.
    pub first_of_name: Option<SubmissionId>,
    /// The upload of its account and name that may still arrive.
    pub late: Option<LateUpload>,
    /// The health of its account.
    pub health: &'a Health,
    /// Usage of the limits of the account.
    pub limit_usage: &'a LimitUsage,
    /// Limits after which an account counts as in an outage.
    pub policy: &'a HealthPolicy,
    /// The store's time.
    pub now: Timestamp,
}

impl Submission {
    /// Reason why it does not progress; none if a worker owns its step, or nothing is due.
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
        let due = self.waits_for_late(around.late, around.now).map_or(due, |until| due.max(until));
        if due > around.now {
            return Some(WaitingFor::DueTime { at: due, step });
        }
        if let Some(until) = around.limit_usage.limited_until(step, around.now) {
            return Some(WaitingFor::Account(BlockReason::LimitReached { until }));
        }
        Some(WaitingFor::Worker { step })
    }
}
