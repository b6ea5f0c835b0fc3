//! `ferry data`: what was submitted, byte for byte.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::error::{CliError, Exit};
use super::files::save;
use super::follow::fetch;
use super::target::Target;
use super::ui::{Ui, write_bytes};
use crate::app::App;
use ferry_store::StoreError;

/// Write the dataset of a submission to stdout, or to a file.
///
/// With --json, it is an object with the text, or with the file that it went to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry data 01KDXB8W4S9ZT2M3Q5R7V1C6HY > march.csv
  ferry data --name march --events -o march.events.csv")]
pub(super) struct Data {
    #[command(flatten)]
    target: Target,
    /// The events of the dataset instead.
    #[arg(long)]
    events: bool,
    /// Write to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Data {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let id = self.target.find(app.store.as_ref()).await?;
        let view = fetch(app.store.as_ref(), id).await?;
        let payload = match app.store.payload(id).await {
            Err(StoreError::NotFound(_)) => {
                let what = format!("submission {id} is {} and has no dataset any more", view.state);
                return Err(CliError::new(Exit::Failed, anyhow::Error::msg(what)));
            }
            payload => payload?,
        };
        let text = if self.events {
            payload.event_data.ok_or_else(|| {
                CliError::usage(format!("submission {id} has no event data"))
                    .hint("omit --events to get its data")
            })?
        } else {
            payload.data
        };
        let mut object = json!({ "id": id, "name": view.name, "bytes": text.len() });
        match &self.output {
            Some(path) => {
                save(path, false, text.as_bytes(), ui)?;
                object["path"] = path.display().to_string().into();
            }
            None if ui.json => object["body"] = text.into(),
            None => write_bytes(text.as_bytes())?,
        }
        if ui.json {
            ui.object(&object)?;
        }
        Ok(Exit::Done)
    }
}
