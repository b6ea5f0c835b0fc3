//! `ferry feedback`: what the Platform found wrong with a dataset, beside the rows it means.

use clap::Args;

use super::error::{CliError, Exit};
use super::follow::fetch;
use super::line::Line;
use super::target::Target;
use super::ui::{Ui, write_bytes};
use crate::app::App;
use crate::charset::text;
use ferry_store::StoreError;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::feedback::{as_csv, locate, read};
use ferry_types::domain::submission::{FEEDBACK_KEY, State};

/// Show why the Platform rejected a dataset, beside the rows that it means.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry feedback 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry feedback --csv 01KDXB8W4S9ZT2M3Q5R7V1C6HY      for a spreadsheet
  ferry feedback --raw 01KDXB8W4S9ZT2M3Q5R7V1C6HY      exactly as the Platform sent it
Then correct the file and resubmit it:
  ferry resubmit 01KDXB8W4S9ZT2M3Q5R7V1C6HY march.csv --wait")]
pub(super) struct Feedback {
    #[command(flatten)]
    target: Target,
    /// The bytes that the Platform sent.
    #[arg(long)]
    raw: bool,
    /// CSV with a row for each row of the dataset that an item may mean.
    #[arg(long, conflicts_with = "raw")]
    csv: bool,
}

impl Feedback {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let id = self.target.find(app.store.as_ref()).await?;
        let view = fetch(app.store.as_ref(), id).await?;
        let Some(content) = app.store.content(id, FEEDBACK_KEY).await? else {
            return none(&view, ui);
        };
        if self.raw {
            write_bytes(&content.bytes)?;
            return Ok(Exit::Done);
        }
        let payload = match app.store.payload(id).await {
            Ok(payload) => Some(payload),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let data = payload.as_ref().map(|payload| payload.data.as_str());
        let events = payload.as_ref().and_then(|payload| payload.event_data.as_deref());
        let items = read(&text(content.content_type.as_deref(), &content.bytes));
        if items.is_empty() {
            ui.print_note(format!(
                "the Platform rejected the dataset and sent empty feedback: it names no error; \
                 `ferry status {id}` shows its status word"
            ));
        }
        let items = locate(&items, data, events);
        if self.csv {
            write_bytes(as_csv(&items).as_bytes())?;
            return Ok(Exit::Done);
        }
        for item in items {
            if ui.json {
                ui.object(&item)?;
            } else {
                Line::several(&item).into_iter().try_for_each(|line| ui.out(line))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn none(view: &SubmissionView, ui: &Ui) -> Result<Exit, CliError> {
    if view.state == State::Completed {
        ui.print_note(format!("submission {} is completed: the Platform found no error", view.id));
        return Ok(Exit::Done);
    }
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let what = format!("submission {} is {} and has no feedback{reason}", view.id, view.state);
    let id = view.id;
    let (exit, hint) = match view.state {
        State::Held => (Exit::Held, format!("decide about it: `ferry resolve {id}`")),
        // Rejected at the upload: the reason is all there is.
        State::Rejected => (
            Exit::Rejected,
            format!("submit it again, overwriting the dataset: `ferry resubmit {id} FILE`"),
        ),
        State::Failed | State::Cancelled => {
            (Exit::Failed, format!("see the reason: `ferry status {id}`"))
        }
        _ => (Exit::Pending, format!("wait for it: `ferry watch {id}`")),
    };
    Err(CliError::new(exit, anyhow::Error::msg(what)).hint(hint))
}
