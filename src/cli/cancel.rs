//! `ferry cancel`: calls submissions off.

use clap::Args;

use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::target::Targets;
use super::ui::Ui;
use crate::app::App;

/// Cancel submissions. A running step finishes first.
///
/// What was uploaded stays with the Platform.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    targets: Targets,
}

impl Cancel {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let ids = self.targets.find(app.store.as_ref()).await?;
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
