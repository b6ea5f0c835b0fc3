//! The part that `ferry submit` and `ferry resubmit` share: from a dataset that was read to its outcome.

use std::path::Path;

use super::error::{CliError, Exit};
use super::files::title;
use super::show;
use super::ui::Ui;
use super::wait::{WaitArgs, run_until_settled};
use crate::app::App;
use crate::pipeline::{Intake, IntakeError};
use ferry_store::{Accepted, NewSubmission};
use ferry_types::domain::SubmissionId;

/// The result of a batch.
#[derive(Debug, Default)]
pub(super) struct AcceptedBatch {
    /// The submissions that the store has now, or had before.
    pub(super) ids: Vec<SubmissionId>,
    /// The number that it did not accept, which was reported then.
    pub(super) conflicts: u64,
    /// True if each was printed already.
    pub(super) is_printed: bool,
}

/// A submission that the store has now: its name, unless it was accepted before.
pub(super) type Stored = (SubmissionId, Option<String>);

/// Stores what was prepared, and reports duplicates.
pub(super) async fn accept(
    intake: &Intake,
    batch: Vec<NewSubmission>,
    ui: &Ui,
) -> Result<AcceptedBatch, CliError> {
    let (stored, conflicts) = accept_each(intake, batch, ui).await?;
    let ids = stored.into_iter().map(|(id, _)| id).collect();
    Ok(AcceptedBatch { ids, conflicts, is_printed: false })
}

/// Stores what was prepared, reports duplicates, and returns what is stored and the number of conflicts.
pub(super) async fn accept_each(
    intake: &Intake,
    batch: Vec<NewSubmission>,
    ui: &Ui,
) -> Result<(Vec<Stored>, u64), CliError> {
    let of_new = |new: &NewSubmission| (new.name.clone(), new.idempotency_key.clone());
    let batch_names: Vec<(String, Option<String>)> = batch.iter().map(of_new).collect();
    let (mut stored, mut conflicts) = (Vec::with_capacity(batch.len()), 0);
    for (accepted, (name, key)) in intake.accept(batch).await?.into_iter().zip(batch_names) {
        let key = key.unwrap_or_default();
        match accepted {
            Accepted::New(id) => stored.push((id, Some(name))),
            Accepted::Duplicate(id) => {
                ui.print_note(format!(
                    "idempotency key `{key}`: the same was accepted before, as {id}"
                ));
                stored.push((id, None));
            }
            Accepted::Conflict(id) => {
                conflicts += 1;
                CliError::usage(format!(
                    "`{name}` was not submitted: its idempotency key `{key}` belongs to {id}, \
                     which has other content"
                ))
                .hint("use another key for other content")
                .print_error(ui);
            }
        }
    }
    Ok((stored, conflicts))
}

/// Runs the steps of what was stored, if that is wanted, or shows it.
pub(super) async fn wait_or_show(
    app: App,
    stored: AcceptedBatch,
    wait: &WaitArgs,
    ui: &Ui,
) -> Result<Exit, CliError> {
    if app.config.accounts.is_empty() && !stored.ids.is_empty() {
        // A worker that knows the account may run elsewhere; a newcomer should learn that one is
        // needed.
        ui.warning(
            "no account is configured here: stored until a worker with credentials uploads it",
        );
    }
    let exit = if stored.ids.is_empty() {
        Exit::Done
    } else if wait.is_wanted() {
        run_until_settled(app, &stored.ids, wait, ui).await?
    } else {
        let exit =
            if stored.is_printed { Exit::Done } else { show::all(&stored.ids, &app, ui).await? };
        if ui.terminal {
            ui.print_note("next: `ferry worker` runs the steps, `ferry watch` follows them");
        }
        exit
    };
    Ok(if stored.conflicts > 0 { Exit::Usage } else { exit })
}

/// A request that is wrong for another reason than its texts.
pub(super) fn intake_error(error: IntakeError, file: &Path) -> CliError {
    let exit = match &error {
        IntakeError::Dataset(_) | IntakeError::TooLarge { .. } => Exit::Invalid,
        IntakeError::Field { .. }
        | IntakeError::UnknownAccount { .. }
        | IntakeError::AccountNeeded(_) => Exit::Usage,
    };
    let hint = match &error {
        IntakeError::TooLarge { .. } => Some("split it, or raise the setting `max_dataset_bytes`"),
        IntakeError::UnknownAccount { .. } | IntakeError::AccountNeeded(_) => {
            Some("name one with --account (in NDJSON: `account`)")
        }
        IntakeError::Dataset(_) | IntakeError::Field { .. } => None,
    };
    let error = match error {
        IntakeError::TooLarge { .. } => anyhow::anyhow!("{}: {error}", title(file)),
        error => error.into(),
    };
    let failure = CliError::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
