//! `ferry completions`: for the shell.

use clap::Args;
use clap_complete::Shell;
use clap_complete::env::Shells;

use super::error::{CliError, Exit};
use super::ui::write_bytes;

/// The variable by which a shell asks for completions.
pub(super) const VARIABLE: &str = "_FERRY_COMPLETE";

/// Print the completions of a shell, which complete states, accounts, ids and names of keys too.
///
/// The shell asks `ferry` itself, with the configuration of the folder that it is in.
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
    /// Prints the script that connects the shell with this program.
    pub(super) fn run(&self) -> Result<Exit, CliError> {
        let shell = self.shell.to_string();
        let unknown = || CliError::usage(format!("`{shell}` cannot be completed"));
        let shells = Shells::builtins();
        let completer = shells.completer(&shell).ok_or_else(unknown)?;
        // Into memory first: the generator would fail where a pipe breaks.
        let mut script = Vec::new();
        completer.write_registration(VARIABLE, "ferry", "ferry", "ferry", &mut script)?;
        write_bytes(&script)?;
        Ok(Exit::Done)
    }
}
