//! `ferry resolve`: a person decides about held submissions.

use clap::Args;

use super::error::{CliError, Exit};
use super::selected::Selected;
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::submission::{OperatorAction, Resolution};

/// Decide about held submissions; `ferry status ID` says why they are held.
#[derive(Debug, Args)]
#[command(after_help = "\
A submission is held if its upload may have arrived, and the Platform has a dataset of this name
that may be this one or another. Look at the Platform, then:
  ferry resolve ID --overwrite    the dataset there is ours, or may be replaced
  ferry resolve ID --fail         it belongs to someone else: give up
  ferry resolve ID --retry        it is gone: try again, without overwriting
With filters it decides about all that match: `ferry resolve --state held --retry --dry-run`.
A submission is also held if a step of it crashed its worker five times: --retry runs it again.")]
pub(super) struct Resolve {
    #[command(flatten)]
    selected: Selected,
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
        let (resolution, verb) = match &self.resolution {
            Flags { overwrite: true, .. } => (Resolution::Overwrite, "resolve --overwrite"),
            Flags { retry: true, .. } => (Resolution::Retry, "resolve --retry"),
            _ => (Resolution::Fail, "resolve --fail"),
        };
        self.selected.act(OperatorAction::resolve(resolution), verb, &app, ui).await
    }
}
