//! `ferry retry`: continues a failed submission where it stopped.

use clap::Args;

use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::SubmissionId;

/// Retry failed submissions from the step that failed, with a new deadline.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry retry 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry list --state failed --all --json | jq -r .id | xargs ferry retry      all that failed")]
pub(super) struct Retry {
    /// The submissions.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<SubmissionId>,
}

impl Retry {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let deadline = app.config.policy.deadline;
        for_each_id("retry", &self.ids, &app, ui, async |id| app.store.retry(id, deadline).await)
            .await
    }
}
