//! What is asked for several submissions: one that cannot do it does not keep the others from it.

use super::audit::audited;
use super::error::{CliError, Exit};
use super::follow::{fetch, view};
use super::show;
use super::ui::Ui;
use crate::app::App;
use ferry_store::{StoreError, SubmissionDetail};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{LifecycleError, State};

/// Does `act`, which is called `verb`, to each of `ids`, and shows what they are then. What could not be done is said, and
/// makes the exit code.
pub(super) async fn for_each_id(
    verb: &str,
    ids: &[SubmissionId],
    app: &App,
    ui: &Ui,
    act: impl AsyncFn(SubmissionId) -> Result<SubmissionDetail, StoreError>,
) -> Result<Exit, CliError> {
    app.audit.check()?;
    let mut exit = Exit::Done;
    for id in ids {
        match audited(&app.audit, &format!("{verb} {id}"), act(*id).await) {
            Ok(found) => show::view(&view(found), app.clock.now(), ui)?,
            Err(error @ StoreError::NotAllowed(_)) => {
                exit = not_allowed(error, *id, app).await?.print_error(ui);
            }
            Err(error @ StoreError::NotFound(_)) => exit = CliError::from(error).print_error(ui),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

/// With what can be done instead: never what was just refused.
async fn not_allowed(
    error: StoreError,
    id: SubmissionId,
    app: &App,
) -> Result<CliError, StoreError> {
    let hint = match &error {
        StoreError::NotAllowed(LifecycleError::NewerUnfinished { newer, .. }) => {
            format!("wait until {newer} has ended, or cancel it: `ferry cancel {newer}`")
        }
        StoreError::NotAllowed(LifecycleError::NewerCompleted { .. }) => {
            format!("if the older dataset is to replace it: `ferry resubmit {id} FILE`")
        }
        StoreError::NotAllowed(LifecycleError::NothingToOverwrite { .. }) => {
            format!("`ferry resolve {id} --retry` resumes it, `--fail` gives it up")
        }
        StoreError::NotAllowed(LifecycleError::NoToken { .. }) => {
            format!("submit it again: `ferry resubmit {id} FILE`")
        }
        StoreError::NotAllowed(
            LifecycleError::Delivering { .. } | LifecycleError::Refetching { .. },
        ) => format!("try again when `ferry status {id}` shows nothing to wait for"),
        StoreError::NotAllowed(LifecycleError::NoWebhook { .. }) => {
            "set the account's `webhook_url` for later submissions".to_owned()
        }
        _ => match fetch(app.store.as_ref(), id).await?.state {
            State::Held => format!("`ferry resolve {id}` decides about it"),
            State::Rejected => {
                format!("submit a corrected dataset: `ferry resubmit {id} FILE`")
            }
            State::Failed => format!("retry it: `ferry retry {id}`"),
            State::Completed | State::Cancelled => {
                "a new submission of its Name can overwrite it: `ferry submit --overwrite`"
                    .to_owned()
            }
            _ => format!("it is unfinished; `ferry status {id}` says where"),
        },
    };
    Ok(CliError::from(error).hint(hint))
}
