//! Operations on several submissions: one that is not allowed does not keep the others from theirs.

use super::audited::audited;
use super::error::{CliError, Exit};
use super::follow::view;
use super::show;
use super::ui::Ui;
use crate::app::App;
use ferry_store::{StoreError, SubmissionDetail};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{LifecycleError, State};

/// Applies `act`, which is called `verb`, to each of `ids`, and shows them afterwards. What is not allowed is
/// printed, and makes the exit code.
pub(super) async fn for_each_id(
    verb: &str,
    ids: &[SubmissionId],
    app: &App,
    ui: &Ui,
    act: impl AsyncFn(SubmissionId) -> Result<SubmissionDetail, StoreError>,
) -> Result<Exit, CliError> {
    let mut exit = Exit::Done;
    for id in ids {
        match audited(&app.audit, &format!("{verb} {id}"), None, act(*id)).await? {
            Ok(found) => show::view(&view(found), app.clock.now(), ui)?,
            Err(StoreError::NotAllowed(error)) => {
                let hint = alternative(&error);
                exit = CliError::from(StoreError::from(error)).hint(hint).print_error(ui);
            }
            Err(error @ StoreError::NotFound(_)) => exit = CliError::from(error).print_error(ui),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

/// Returns the command that helps after a lifecycle error: never the one that failed.
fn alternative(error: &LifecycleError) -> String {
    match error {
        LifecycleError::NewerUnfinished { newer, .. } => {
            format!("wait until {newer} is finished, or cancel it: `ferry cancel {newer}`")
        }
        LifecycleError::NewerUploaded { id, .. } => {
            format!("replace it with the older dataset: `ferry resubmit {id} FILE`")
        }
        LifecycleError::NothingToOverwrite { id } => {
            format!(
                "resume it: `ferry resolve {id} --retry`; or give it up: `ferry resolve {id} --fail`"
            )
        }
        LifecycleError::Delivering { id } | LifecycleError::Refetching { id } => {
            format!("try again when nothing is left to wait for: `ferry status {id}`")
        }
        LifecycleError::NoWebhook { .. } => {
            "set the account's `webhook_url` for later submissions".to_owned()
        }
        LifecycleError::AlreadyFinal { id, state }
        | LifecycleError::NotFailed { id, state }
        | LifecycleError::NotHeld { id, state }
        | LifecycleError::NotFinal { id, state }
        | LifecycleError::NoToken { id, state }
        | LifecycleError::NoOutcome { id, state } => next_command(*id, *state),
        LifecycleError::Illegal(illegal) => next_command(illegal.id, illegal.from),
    }
}

/// The command that continues from a state.
fn next_command(id: SubmissionId, state: State) -> String {
    match state {
        State::Held => format!("decide about it: `ferry resolve {id}`"),
        State::Rejected => format!("submit a corrected dataset: `ferry resubmit {id} FILE`"),
        State::Failed => format!("retry it: `ferry retry {id}`"),
        State::Completed => {
            "overwrite it with a new submission of its name: `ferry submit --overwrite`".to_owned()
        }
        State::Cancelled => {
            "submit its dataset again: `ferry submit FILE`, with `--overwrite` if an \
                             upload of it may have arrived"
                .to_owned()
        }
        State::Queued | State::Uploading | State::Processing | State::Collecting => {
            format!("see its progress: `ferry status {id}`")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use ferry_types::domain::submission::{
        Resolution, Ruled, SameName, StepKind, Submission, SubmissionParts,
    };
    use ferry_types::domain::timestamp;

    const DAY: Duration = Duration::from_hours(24);

    type Operation = (&'static str, fn(&mut Submission, &SameName) -> Ruled<LifecycleError>);

    /// Each command that a rule may not allow, with the rule.
    const OPERATIONS: [Operation; 7] = [
        ("ferry cancel", |submission, _| submission.cancel(timestamp(1))),
        ("ferry retry", |submission, same_name| submission.retry(same_name, DAY, timestamp(1))),
        ("--overwrite", |s, _| s.resolve(Resolution::Overwrite, DAY, timestamp(1))),
        ("--retry", |s, _| s.resolve(Resolution::Retry, DAY, timestamp(1))),
        ("--fail", |s, _| s.resolve(Resolution::Fail, DAY, timestamp(1))),
        ("ferry refetch", |submission, _| submission.refetch(DAY, timestamp(1))),
        ("ferry webhooks redeliver", |submission, _| submission.redeliver(timestamp(1))),
    ];

    fn submission(state: State, step: StepKind, overwrite: bool) -> Submission {
        let id = SubmissionId::new(timestamp(0), 1);
        let step = Some(step);
        let parts = SubmissionParts::accepted(id, "default", "march", timestamp(0));
        SubmissionParts { state, step, overwrite, ..parts }.into()
    }

    #[test]
    fn what_was_never_uploaded_is_uploaded_by_the_command_of_the_hint() {
        for (state, command) in [
            (State::Failed, "ferry retry"),
            (State::Rejected, "ferry resubmit"),
            (State::Cancelled, "ferry submit FILE"),
        ] {
            let mut submission = submission(state, StepKind::Upload, false);
            let error = submission.refetch(DAY, timestamp(1)).unwrap_err();
            assert!(alternative(&error).contains(command), "{state}: {}", alternative(&error));
        }
    }

    #[test]
    fn no_hint_recommends_the_command_that_just_failed() {
        let newer = Some(SubmissionId::new(timestamp(0), 2));
        let same_names = [
            SameName::default(),
            SameName { newer_unfinished: newer, ..SameName::default() },
            SameName { newer_uploaded: newer, ..SameName::default() },
        ];
        let mut failed = 0;
        for (state, step) in
            State::ALL.iter().flat_map(|state| StepKind::PLATFORM_KINDS.map(|step| (*state, step)))
        {
            for ((command, operation), same_name) in
                OPERATIONS.iter().flat_map(|operation| same_names.map(|names| (operation, names)))
            {
                let mut submission = submission(state, step, true);
                let Err(error) = operation(&mut submission, &same_name) else { continue };
                failed += 1;
                let hint = alternative(&error);
                let again = if command.starts_with("--") {
                    // Which of its flags is wrong is known; without one it decides nothing.
                    hint.contains("ferry resolve") && hint.contains(command)
                } else {
                    hint.contains(&format!("{command} {}", submission.id))
                };
                assert!(!again, "{command} of {state} at {step}: {error}; hint: {hint}");
                // And it does not recommend what would fail too.
                for (other, operation) in &OPERATIONS[..2] {
                    if hint.contains(&format!("{other} {}", submission.id)) {
                        let mut submission = submission.clone();
                        assert!(operation(&mut submission, &SameName::default()).is_ok(), "{hint}");
                    }
                }
            }
        }
        assert!(failed > 100, "only {failed} pairs of state and operation fail");
    }
}
