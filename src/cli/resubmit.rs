//! `ferry resubmit`: the corrected dataset under the same name, which it overwrites.

use std::path::PathBuf;

use clap::Args;

use super::accept_batch::{accept, intake_error, wait_or_show};
use super::error::{CliError, Exit};
use super::files::{read, title};
use super::target::Target;
use super::ui::Ui;
use super::validate::{hint_fix, print_reports, print_warnings};
use super::wait::WaitArgs;
use crate::app::App;
use crate::pipeline::{IntakeError, SourceLabels, decode, revision};
use ferry_store::StoreError;
use ferry_types::domain::submission::State;

/// Submit a corrected dataset as a revision, overwriting the dataset of the same name.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
#[command(after_help = "\
Examples:
  ferry resubmit 01KDXB8W4S9ZT2M3Q5R7V1C6HY march.csv --wait
  ferry resubmit --name march march.csv --wait                 the newest of this name")]
pub(super) struct Resubmit {
    #[command(flatten)]
    target: Target,
    /// The corrected dataset, as CSV; `-` reads stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The events of the dataset, as CSV: needed again if there were any.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Resubmit {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        self.wait.check(&app)?;
        let id = self.target.find(app.store.as_ref()).await?;
        let found = app.store.get(id).await?.ok_or(StoreError::NotFound(id))?;
        let earlier = found.submission;
        if earlier.state == State::Held {
            return Err(CliError::usage(format!("submission {id} is held, and keeps its name"))
                .hint(format!("end it first: `ferry resolve {id} --fail`")));
        }
        let names = SourceLabels {
            data: title(&self.file),
            events: self.events.as_deref().map(title).unwrap_or_default(),
        };
        let limit = app.config.api.max_dataset_bytes;
        let data = read(&self.file, limit)?;
        let events = self.events.as_deref().map(|file| read(file, limit)).transpose()?;
        let intake = app.intake();
        let prepared = decode(data, events, &names).map_err(IntakeError::Dataset).and_then(
            |(data, event_data)| intake.prepare(revision(earlier, data, event_data), &names),
        );
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(IntakeError::Dataset(reports)) => {
                print_reports(&reports, ui)?;
                hint_fix(&reports, ui);
                ui.print_note("nothing was submitted");
                return Ok(Exit::Invalid);
            }
            Err(error) => return Err(intake_error(error, &self.file)),
        };
        print_warnings(&prepared.reports, ui);
        prepared.new.revision_of = Some(id);
        let stored = accept(&intake, vec![prepared.new], ui).await?;
        wait_or_show(app, stored, &self.wait, ui).await
    }
}
