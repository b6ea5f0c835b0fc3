//! Applies the actions of operators. Each has one rule, which does it and says what it would do.

use std::time::Duration;

use super::{LifecycleError, OperatorAction, Resolution, Ruled, SameName, Submission};
use crate::domain::Timestamp;

impl OperatorAction {
    /// Applies the rule of the action at `now`; a submission that continues has another `deadline`.
    pub fn apply(
        self,
        submission: &mut Submission,
        same_name: &SameName,
        deadline: Duration,
        now: Timestamp,
    ) -> Ruled<LifecycleError> {
        match self {
            Self::Cancel => submission.cancel(now),
            Self::Retry => submission.retry(same_name, deadline, now),
            Self::Refetch => submission.refetch(deadline, now),
            Self::ResolveOverwrite => submission.resolve(Resolution::Overwrite, deadline, now),
            Self::ResolveRetry => submission.resolve(Resolution::Retry, deadline, now),
            Self::ResolveFail => submission.resolve(Resolution::Fail, deadline, now),
            Self::Redeliver => submission.redeliver(now),
        }
    }

    /// Returns the error that the action would get at `now`. The submission stays as it is.
    pub fn plan(
        self,
        submission: &Submission,
        same_name: &SameName,
        deadline: Duration,
        now: Timestamp,
    ) -> Result<(), LifecycleError> {
        self.apply(&mut submission.clone(), same_name, deadline, now).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::submission::{State, StepKind, SubmissionParts, Webhook};
    use crate::domain::{SubmissionId, timestamp};

    #[test]
    fn an_action_is_not_allowed_in_states_that_it_does_not_concern() {
        let parts = |state, step| SubmissionParts {
            state,
            step: Some(step),
            processing_token: Some("token".to_owned()),
            webhook: Some(Webhook::new("https://example.com")),
            ..SubmissionParts::accepted(SubmissionId::new(timestamp(0), 1), "a", "n", timestamp(0))
        };
        for action in OperatorAction::ALL {
            for state in State::ALL {
                let may = StepKind::PLATFORM_KINDS.map(|step| {
                    let (submission, day) = (parts(state, step).into(), Duration::from_hours(24));
                    action.plan(&submission, &SameName::default(), day, timestamp(1)).is_ok()
                });
                assert_eq!(may.contains(&true), action.concerns(state), "{action:?} {state}");
            }
        }
    }
}
