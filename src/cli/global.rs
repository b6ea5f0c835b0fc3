//! The options of every command, and the configuration, log and store that they lead to.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::error::CliError;
use super::ui::Ui;
use crate::app::App;
use crate::config::{Config, ConfigErrors, Sources, StoreLocation};
use crate::telemetry::{self, LogWriter};
use ferry_store::sqlite::log_without_file;

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Read this file instead of `ferry.toml`.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(super) config: Option<PathBuf>,
    /// Store of the submissions: `sqlite:PATH` or `redis://HOST:PORT/DATABASE` [default: sqlite:ferry.db].
    #[arg(long, global = true, value_name = "LOCATION", help_heading = "Global options")]
    pub(super) store: Option<String>,
    /// Change a setting, such as `poll_max=30s`; `ferry doctor --settings` lists them.
    #[arg(long, global = true, value_name = "NAME=VALUE", help_heading = "Global options")]
    pub(super) set: Vec<String>,
    /// Write JSON, one object a line: data to stdout, errors and notes to stderr.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(super) json: bool,
    /// Write errors alone to stderr.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub(super) quiet: bool,
    /// Log more, as with the setting `log`: `info`, and with -vv `debug`.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(super) verbose: u8,
}

impl Global {
    /// The filter of log lines that the flags want.
    fn log_filter(&self) -> Option<&'static str> {
        match (self.quiet, self.verbose) {
            (true, _) => Some("error"),
            (false, 0) => None,
            (false, 1) => Some("info"),
            (false, _) => Some("ferry=debug,info"),
        }
    }
}

/// Reads the configuration.
pub(super) fn configure(global: &Global) -> Result<Config, CliError> {
    Ok(load(global)?)
}

pub(super) fn load(global: &Global) -> Result<Config, ConfigErrors> {
    Config::load(&sources(global)?)
}

/// The sources of the settings.
pub(super) fn sources(global: &Global) -> Result<Sources, ConfigErrors> {
    let store = global.store.iter().map(|location| format!("store={location}"));
    let flags = store.chain(global.set.iter().cloned()).collect();
    Sources::of_process(global.config.as_deref(), flags)
}

/// Starts the log at `level`, unless the flags or the configuration want another.
pub(super) fn start_log(
    global: &Global,
    config: &Config,
    ui: &Ui,
    level: &str,
) -> Result<(), CliError> {
    start_log_with(global, config, level, ui.log_writer())
}

fn start_log_with(
    global: &Global,
    config: &Config,
    level: &str,
    writer: LogWriter,
) -> Result<(), CliError> {
    let configured = if config.log.is_empty() { level } else { &config.log };
    let filter = global.log_filter().unwrap_or(configured);
    // Commands record in the file of the audit log, if there is one; a server always logs its own.
    let audits = level == "info";
    telemetry::start(filter, config.log_format, audits, writer)
        .map_err(|error| CliError::usage(error.to_string()))
}

pub(super) fn open(global: &Global, ui: &Ui, level: &str) -> Result<App, CliError> {
    let config = configure(global)?;
    start_log(global, &config, ui, level)?;
    Ok(App::open(config)?)
}

/// For commands about what a store holds: to make an empty one in the wrong folder would only
/// confuse.
pub(super) fn open_existing(global: &Global, ui: &Ui) -> Result<App, CliError> {
    open_existing_with(global, ui.log_writer())
}

/// The same with a log of its own.
pub(super) fn open_existing_with(global: &Global, writer: LogWriter) -> Result<App, CliError> {
    let config = configure(global)?;
    match &config.store {
        StoreLocation::Sqlite(path) if !path.exists() => {
            let what = format!("there is no store at `{}`", path.display());
            let hint = match log_without_file(path) {
                Some(_) => {
                    "its log is still there, so it was deleted: docs/operations/backup.md says how to \
                     get it back; create no new one"
                }
                None => {
                    "name the store with `--store` or FERRY_STORE; or make a new one: `ferry submit`"
                }
            };
            return Err(CliError::usage(what).hint(hint));
        }
        StoreLocation::Sqlite(_) | StoreLocation::Redis(..) => {}
    }
    start_log_with(global, &config, "warn", writer)?;
    Ok(App::open_existing(config)?)
}
