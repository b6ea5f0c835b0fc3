//! `ferry resolve`: a person decides about held submissions.

use clap::Args;

use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::target::Targets;
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::submission::Resolution;

/// Decide about held submissions; `ferry status ID` says why they are held.
#[derive(Debug, Args)]
#[command(after_help = "\
A submission is held if its upload may have arrived, and the Platform has a dataset of this name
that may be this one or another. Look at the Platform, then:
  ferry resolve ID --overwrite    the dataset there is ours, or may be replaced
  ferry resolve ID --fail         it belongs to someone else: give up
  ferry resolve ID --retry        it is gone: try again, without overwriting
A submission is also held if a step of it crashed its worker five times: --retry runs it again.")]
pub(super) struct Resolve {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    resolution: Flags,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Flags {
    /// Upload again and overwrite what is there.
    #[arg(long)]
    overwrite: bool,
    /// Try the same step again, unchanged.
    #[arg(long)]
    retry: bool,
    /// Give up.
    #[arg(long)]
    fail: bool,
}

impl Resolve {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let ids = self.targets.find(app.store.as_ref()).await?;
        let (resolution, verb) = match &self.resolution {
            Flags { overwrite: true, .. } => (Resolution::Overwrite, "resolve --overwrite"),
            Flags { retry: true, .. } => (Resolution::Retry, "resolve --retry"),
            _ => (Resolution::Fail, "resolve --fail"),
        };
        let deadline = app.config.policy.deadline;
        for_each_id(verb, &ids, &app, ui, async |id| {
            app.store.resolve(id, resolution, deadline).await
        })
        .await
    }
}
