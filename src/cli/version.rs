//! `ferry version`: the version of the program.

use clap::Args;
use serde_json::json;

use super::error::{CliError, Exit};
use super::ui::Ui;

/// Show the version.
#[derive(Debug, Args)]
pub(super) struct Version {}

impl Version {
    pub(super) fn run(ui: &Ui) -> Result<Exit, CliError> {
        let version = env!("CARGO_PKG_VERSION");
        if ui.json {
            ui.object(&json!({ "version": version }))?;
        } else {
            ui.out(format!("ferry {version}"))?;
        }
        Ok(Exit::Done)
    }
}
