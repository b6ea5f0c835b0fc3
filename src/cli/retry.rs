//! `ferry retry`: continues a failed submission where it stopped.

use clap::Args;

use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::target::Targets;
use super::ui::Ui;
use crate::app::App;

/// Retry failed submissions from the step that failed, with a new deadline.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry retry 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry list --state failed --all --json | jq -r .id | xargs ferry retry      all that failed")]
pub(super) struct Retry {
    #[command(flatten)]
    targets: Targets,
}

impl Retry {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let ids = self.targets.find(app.store.as_ref()).await?;
        let deadline = app.config.policy.deadline;
        for_each_id("retry", &ids, &app, ui, async |id| app.store.retry(id, deadline).await).await
    }
}
