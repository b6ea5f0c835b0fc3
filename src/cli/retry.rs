//! `ferry retry`: continues a failed submission where it stopped.

use clap::Args;

use super::error::{CliError, Exit};
use super::selected::Selected;
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::submission::OperatorAction;

/// Retry failed submissions from the step that failed, with a new deadline.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry retry 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry retry --state failed --account north --dry-run      how many, and which stay unchanged
  ferry retry --label team=north --created-after 2026-03-01T00:00:00Z")]
pub(super) struct Retry {
    #[command(flatten)]
    selected: Selected,
}

impl Retry {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        self.selected.act(OperatorAction::Retry, "retry", &app, ui).await
    }
}
