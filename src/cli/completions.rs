//! `ferry completions`: for the shell.

use clap::Args;
use clap_complete::Shell;

use super::error::{CliError, Exit};
use super::ui::write_bytes;

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry completions bash > ~/.local/share/bash-completion/completions/ferry
  ferry completions zsh > ~/.zfunc/_ferry
  ferry completions fish > ~/.config/fish/completions/ferry.fish")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Prints the completions of `command`.
    pub(super) fn run(&self, command: &mut clap::Command) -> Result<Exit, CliError> {
        // Into memory first: the generator would panic where a pipe breaks.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "ferry", &mut script);
        write_bytes(&script)?;
        Ok(Exit::Done)
    }
}
