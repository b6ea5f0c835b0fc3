//! `ferry refetch`: fetches results or feedback again.

use clap::Args;

use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::target::Targets;
use super::ui::Ui;
use crate::app::App;

/// Fetch the results or the feedback of final submissions again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry refetch 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry list --state completed --all --json | jq -r .id | xargs ferry refetch      all results

What is stored is replaced only by what arrives, and nothing is uploaded. Of a failed or cancelled
submission the Platform is polled first: it becomes completed or rejected if the Platform has
decided.")]
pub(super) struct Refetch {
    #[command(flatten)]
    targets: Targets,
}

impl Refetch {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let ids = self.targets.find(app.store.as_ref()).await?;
        let deadline = app.config.policy.deadline;
        for_each_id("refetch", &ids, &app, ui, async |id| app.store.refetch(id, deadline).await)
            .await
    }
}
