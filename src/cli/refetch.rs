//! `ferry refetch`: fetches results or feedback again.

use clap::Args;

use super::error::{CliError, Exit};
use super::selected::Selected;
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::submission::OperatorAction;

/// Fetch the results or the feedback of final submissions again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry refetch 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry refetch --state completed --account north      all results of an account

What is stored is replaced only by what arrives, and nothing is uploaded. Of a failed or cancelled
submission the Platform is polled first: it becomes completed or rejected if the Platform has
decided.")]
pub(super) struct Refetch {
    #[command(flatten)]
    selected: Selected,
}

impl Refetch {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        self.selected.act(OperatorAction::Refetch, "refetch", &app, ui).await
    }
}
