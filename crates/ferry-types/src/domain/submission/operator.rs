//! Operations of operators, and the rules that allow them.

use std::time::Duration;

use super::{
    IllegalTransitionError, Lasting, Reason, ReasonCode, Ruled, State, StepKind, Submission,
    TimelineEntry,
};
use crate::closed_set;
use crate::domain::{SubmissionId, Timestamp, later};

closed_set! {
    /// An operator's decision about a held submission.
    pub enum Resolution: "resolution" in json {
        /// Upload again and overwrite what is there.
        Overwrite = "overwrite",
        /// Try the same step again, unchanged.
        Retry = "retry",
        /// Give up: the submission is failed.
        Fail = "fail",
    }
}

closed_set! {
    /// An action of an operator on a submission, or on many.
    pub enum OperatorAction: "action" in json {
        /// Cancels it.
        Cancel = "cancel",
        /// Resumes a failed one.
        Retry = "retry",
        /// Fetches results or feedback of a final one again.
        Refetch = "refetch",
        /// Uploads a held one again, and overwrites what is there.
        ResolveOverwrite = "resolve_overwrite",
        /// Runs the step of a held one again, unchanged.
        ResolveRetry = "resolve_retry",
        /// Gives a held one up.
        ResolveFail = "resolve_fail",
        /// Delivers the webhook of a final one, again if it was delivered.
        Redeliver = "redeliver",
    }
}

impl OperatorAction {
    /// The action that decides so about a held submission.
    pub const fn resolve(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Overwrite => Self::ResolveOverwrite,
            Resolution::Retry => Self::ResolveRetry,
            Resolution::Fail => Self::ResolveFail,
        }
    }

    /// The decision about a held submission; none of other actions.
    pub const fn resolution(self) -> Option<Resolution> {
        match self {
            Self::ResolveOverwrite => Some(Resolution::Overwrite),
            Self::ResolveRetry => Some(Resolution::Retry),
            Self::ResolveFail => Some(Resolution::Fail),
            Self::Cancel | Self::Retry | Self::Refetch | Self::Redeliver => None,
        }
    }

    /// Returns the name of the route and of the command.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Refetch => "refetch",
            Self::ResolveOverwrite | Self::ResolveRetry | Self::ResolveFail => "resolve",
            Self::Redeliver => "redeliver",
        }
    }

    /// Returns true if the rule may change submissions in this state.
    pub const fn concerns(self, state: State) -> bool {
        match self {
            Self::Cancel => !state.is_final(),
            Self::Retry => matches!(state, State::Failed),
            Self::ResolveOverwrite | Self::ResolveRetry | Self::ResolveFail => {
                matches!(state, State::Held)
            }
            Self::Refetch | Self::Redeliver => state.is_final(),
        }
    }
}

/// Other submissions of the same account and name that a retry depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SameName {
    /// An earlier one that is not final.
    pub predecessor: Option<SubmissionId>,
    /// A newer one that is not final.
    pub newer_unfinished: Option<SubmissionId>,
    /// A newer one that is final, and whose dataset may be at the Platform.
    pub newer_uploaded: Option<SubmissionId>,
}

/// Reason why a rule does not allow an operation. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleError {
    /// It is final, and cannot be cancelled.
    #[error("submission {id} is {state} and cannot be cancelled")]
    AlreadyFinal {
        /// The submission.
        id: SubmissionId,
        /// Its state.
        state: State,
    },
    /// It is not failed, and cannot be retried.
    #[error("submission {id} is {state}: only a failed one can be retried")]
    NotFailed {
        /// The submission.
        id: SubmissionId,
        /// Its state.
        state: State,
    },
    /// Submissions of one name run in their order: it cannot be retried before the newer one has ended.
    #[error(
        "submission {id} cannot be retried: the newer submission {newer} of its name is unfinished"
    )]
    NewerUnfinished {
        /// The submission.
        id: SubmissionId,
        /// The newer one.
        newer: SubmissionId,
    },
    /// A further upload of it could overwrite a newer dataset with an older one.
    #[error(
        "submission {id} cannot be retried: the newer submission {newer} of its name may be at the Platform"
    )]
    NewerUploaded {
        /// The submission.
        id: SubmissionId,
        /// The newer one.
        newer: SubmissionId,
    },
    /// It is not held, and cannot be resolved.
    #[error("submission {id} is {state}: only a held one can be resolved")]
    NotHeld {
        /// The submission.
        id: SubmissionId,
        /// Its state.
        state: State,
    },
    /// It is held after its upload.
    #[error("submission {id} is held after its upload: there is nothing to overwrite")]
    NothingToOverwrite {
        /// The submission.
        id: SubmissionId,
    },
    /// It is not final, and has no outcome to deliver.
    #[error("submission {id} is {state}: it has no outcome yet")]
    NoOutcome {
        /// The submission.
        id: SubmissionId,
        /// Its state.
        state: State,
    },
    /// It is not final: its results are fetched, or its upload is resolved, in another way.
    #[error("submission {id} is {state}: only a final one can be refetched")]
    NotFinal {
        /// The submission.
        id: SubmissionId,
        /// Its state.
        state: State,
    },
    /// The Platform gave it no processing token, so that there is nothing to fetch.
    #[error("submission {id} has no processing token: the Platform has nothing to fetch for it")]
    NoToken {
        /// The submission.
        id: SubmissionId,
        /// Its state.
        state: State,
    },
    /// Its webhook is being delivered at this moment.
    #[error("the webhook of submission {id} is being delivered")]
    Delivering {
        /// The submission.
        id: SubmissionId,
    },
    /// Its results are being fetched again, and the outcome is delivered after that.
    #[error("submission {id} is being refetched")]
    Refetching {
        /// The submission.
        id: SubmissionId,
    },
    /// It has no webhook to deliver the outcome to.
    #[error("submission {id} has no `webhook_url`")]
    NoWebhook {
        /// The submission.
        id: SubmissionId,
    },
    /// The table of transitions says otherwise than the rule.
    #[error(transparent)]
    Illegal(#[from] IllegalTransitionError),
}

impl LifecycleError {
    /// Returns the word for its kind.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyFinal { .. } => "already_final",
            Self::NotFailed { .. } => "not_failed",
            Self::NewerUnfinished { .. } => "newer_unfinished",
            Self::NewerUploaded { .. } => "newer_uploaded",
            Self::NotHeld { .. } => "not_held",
            Self::NothingToOverwrite { .. } => "nothing_to_overwrite",
            Self::NoOutcome { .. } => "no_outcome",
            Self::NotFinal { .. } => "not_final",
            Self::NoToken { .. } => "no_token",
            Self::Delivering { .. } => "delivering",
            Self::Refetching { .. } => "refetching",
            Self::NoWebhook { .. } => "no_webhook",
            Self::Illegal(_) => "illegal",
        }
    }
}

impl Submission {
    /// Cancels it: at once, or, if a step of it is running, as soon as that ends.
    pub fn cancel(&mut self, now: Timestamp) -> Ruled<LifecycleError> {
        let (id, state) = (self.id, self.state);
        if !OperatorAction::Cancel.concerns(state) {
            return Err(LifecycleError::AlreadyFinal { id, state });
        }
        if self.leased_until.is_none() {
            return Ok(self.end(State::Cancelled, "cancelled", now)?);
        }
        if self.cancel_requested {
            return Ok(None);
        }
        self.0.cancel_requested = true;
        Ok(Some(self.entry(now, "to be cancelled as soon as the running step ends")))
    }

    /// Resumes a failed submission at the step that it stopped at, for another `deadline`. It queues
    /// behind an earlier one of its name, and never passes a newer one.
    pub fn retry(
        &mut self,
        same_name: &SameName,
        deadline: Duration,
        now: Timestamp,
    ) -> Ruled<LifecycleError> {
        let (id, state) = (self.id, self.state);
        if !OperatorAction::Retry.concerns(state) {
            return Err(LifecycleError::NotFailed { id, state });
        }
        if let Some(newer) = same_name.newer_unfinished {
            return Err(LifecycleError::NewerUnfinished { id, newer });
        }
        // Also without its own permission: once it is ambiguous, it may get that from an operator or from
        // the policy. Who retries all that has failed does not look at each name.
        let uploads = self.resume_step() == StepKind::Upload;
        if let Some(newer) = same_name.newer_uploaded.filter(|_| uploads) {
            return Err(LifecycleError::NewerUploaded { id, newer });
        }
        let entry = self.resume("retried", deadline, now)?;
        self.0.has_predecessor = same_name.predecessor.is_some();
        Ok(entry)
    }

    /// Decides about a held submission, for another `deadline` if it is resumed.
    pub fn resolve(
        &mut self,
        resolution: Resolution,
        deadline: Duration,
        now: Timestamp,
    ) -> Ruled<LifecycleError> {
        let (id, state) = (self.id, self.state);
        if !OperatorAction::resolve(resolution).concerns(state) {
            return Err(LifecycleError::NotHeld { id, state });
        }
        match resolution {
            Resolution::Retry => Ok(self.resume("resolved: to be retried", deadline, now)?),
            Resolution::Overwrite if self.step == Some(StepKind::Upload) => {
                let message = "resolved: to overwrite what is there";
                let entry = self.resume(message, deadline, now)?;
                self.0.overwrite = true;
                Ok(entry)
            }
            Resolution::Overwrite => Err(LifecycleError::NothingToOverwrite { id }),
            Resolution::Fail => Ok(self.end(State::Failed, "resolved: given up", now)?),
        }
    }

    /// Delivers the outcome of a final submission, again if it was delivered.
    pub fn redeliver(&mut self, now: Timestamp) -> Ruled<LifecycleError> {
        let (id, state) = (self.id, self.state);
        if !OperatorAction::Redeliver.concerns(state) {
            return Err(LifecycleError::NoOutcome { id, state });
        }
        if self.webhook.is_none() {
            return Err(LifecycleError::NoWebhook { id });
        }
        if self.is_refetching() {
            return Err(LifecycleError::Refetching { id });
        }
        if self.leased_until.is_some() {
            return Ok(None);
        }
        let parts = &mut self.0;
        if parts.step != Some(StepKind::Deliver) {
            parts.resume_step = parts.step.replace(StepKind::Deliver);
        }
        parts.due_at = Some(now);
        parts.updated_at = now;
        parts.failures = 0;
        Ok(Some(self.entry(now, "redelivery requested")))
    }

    /// The step to resume at.
    pub(super) fn resume_step(&self) -> StepKind {
        let step = if self.step == Some(StepKind::Deliver) { self.resume_step } else { self.step };
        step.unwrap_or(StepKind::Upload)
    }

    /// Makes the step that it stopped at due, with a clean slate.
    fn resume(
        &mut self,
        message: &str,
        deadline: Duration,
        now: Timestamp,
    ) -> Result<Option<TimelineEntry>, IllegalTransitionError> {
        let step = self.resume_step();
        let to = step.waiting_state().ok_or_else(|| self.illegal(self.state))?;
        self.enter(to, Some(Reason::new(ReasonCode::Operator, message)), now)?;
        let parts = &mut self.0;
        parts.step = Some(step);
        parts.resume_step = None;
        parts.leased_until = None;
        parts.due_at = Some(now);
        parts.deadline = later(now, deadline);
        parts.failures = 0;
        parts.lasting = Lasting::default();
        parts.uncommitted_claims = 0;
        parts.cancel_requested = false;
        Ok(Some(self.entry(now, message)))
    }
}
