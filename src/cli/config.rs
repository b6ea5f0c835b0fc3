//! `ferry config`: the settings in effect, and where each comes from.

use clap::{Args, Subcommand};

use super::error::{CliError, Exit};
use super::global::{Global, sources};
use super::line::Line;
use super::show;
use super::ui::Ui;
use crate::config::Config;
use crate::config::effective::{EffectiveSetting, SourceKind, effective};

/// Show the settings in effect.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry config show
  ferry config show --changed
  ferry config show --json")]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show each setting, its value, and where it comes from. Secrets are hidden.
    Show(Show),
}

#[derive(Debug, Args)]
struct Show {
    /// Leave out those that have their default.
    #[arg(long)]
    changed: bool,
}

impl ConfigCommand {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        let Action::Show(Show { changed }) = self.action;
        let sources = sources(global)?;
        let mut settings = effective(&sources);
        settings.retain(|setting| !changed || setting.source != SourceKind::Default);
        if ui.json {
            settings.iter().try_for_each(|setting| ui.object(setting))?;
        } else {
            let rows: Vec<Vec<Line>> = settings.iter().map(row).collect();
            show::table(&rows).into_iter().try_for_each(|line| ui.out(line))?;
        }
        Config::load(&sources)?;
        Ok(Exit::Done)
    }
}

fn row(setting: &EffectiveSetting) -> Vec<Line> {
    let EffectiveSetting { account, name, value, source, location } = setting;
    let name = match account {
        Some(account) => format!("accounts.{account}.{name}"),
        None => name.clone(),
    };
    let value = value.as_deref().unwrap_or("(hidden)");
    let source = match source {
        SourceKind::Default => "default",
        _ => location.as_deref().unwrap_or_default(),
    };
    vec![name.into(), value.into(), source.into()]
}
