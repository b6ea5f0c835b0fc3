//! `ferry cancel`: calls submissions off.

use clap::Args;

use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::selected::{Found, Selected};
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::submission::OperatorAction;

/// Cancel submissions. A running step finishes first.
///
/// What was uploaded stays with the Platform.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry cancel 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry cancel --state queued --label batch=7 --dry-run      how many")]
pub(super) struct Cancel {
    #[command(flatten)]
    selected: Selected,
}

impl Cancel {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let ids = match self.selected.find(app.store.as_ref()).await? {
            Found::Some(ids) => ids,
            Found::Matching(matching) => {
                return matching.act(OperatorAction::Cancel, "cancel", &app, ui).await;
            }
        };
        for_each_id("cancel", &ids, &app, ui, async |id| {
            let found = app.store.cancel(id).await?;
            if !found.submission.state.is_final() {
                ui.print_note(format!("{id} will be cancelled when its running step ends"));
            }
            Ok(found)
        })
        .await
    }
}
