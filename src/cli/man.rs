//! `ferry man`: the manual pages.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::error::{CliError, Exit};

/// Write the manual pages of all commands into a folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry man ~/.local/share/man/man1
  ferry man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder; it is made if it is missing.
    folder: PathBuf,
}

impl Man {
    /// Writes a page for `command` and one for each command below it.
    pub(super) fn run(&self, command: clap::Command) -> Result<Exit, CliError> {
        let folder = &self.folder;
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command.disable_help_subcommand(true), folder));
        written.with_context(|| format!("cannot write to `{}`", folder.display()))?;
        Ok(Exit::Done)
    }
}
