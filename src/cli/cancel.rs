//! `ferry cancel`: calls submissions off.

use clap::Args;

use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::SubmissionId;

/// Cancel submissions. A running step finishes first.
///
/// What was uploaded stays with the Platform.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The submissions.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<SubmissionId>,
}

impl Cancel {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        for_each_id("cancel", &self.ids, &app, ui, async |id| {
            let found = app.store.cancel(id).await?;
            if !found.submission.state.is_final() {
                ui.print_note(format!("{id} will be cancelled when its running step ends"));
            }
            Ok(found)
        })
        .await
    }
}
