//! `ferry doctor`: checks everything that an upload depends on.

mod finding;
mod platform;
mod store;

use clap::Args;
use serde_json::json;

use super::audited::audited as logged;
use super::error::{CliError, Exit};
use super::global::{Global, load, start_log};
use super::line::Line;
use super::show;
use super::ui::Ui;
use crate::app::App;
use crate::config::Config;
use crate::config::settings::{ACCOUNT_SETTINGS, SETTINGS, Setting};
use crate::words;
use ferry_store::{CheckResult, StoreError};
use finding::{bad, good, print_and_judge, print_finding, print_warning};
use platform::{credentials, platforms, upload_api};

/// Check the configuration, the store and the credentials.
///
/// Exit code 0 means that all is well, 1 that something is not, 2 that the configuration cannot be
/// read. For each account it requests an access token, and the status of a dataset that does
/// not exist.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry doctor
  ferry doctor --offline
  ferry doctor --acknowledge                  after the store lost data
  ferry doctor --after-restore --acknowledge  after a backup was restored
  ferry doctor --settings")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Doctor {
    /// List all settings with their defaults, and check nothing.
    #[arg(long)]
    settings: bool,
    /// Send no request to the Platform.
    #[arg(long)]
    offline: bool,
    /// Acknowledge a loss of data: the store is used as it is, and servers and workers become ready again.
    #[arg(long, conflicts_with = "settings")]
    acknowledge: bool,
    /// Declare every unfinished upload ambiguous, after a backup was restored or a failover went back:
    /// the Platform may have it already. Pause the accounts before.
    #[arg(long, conflicts_with = "settings")]
    after_restore: bool,
}

impl Doctor {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        if self.settings {
            list_settings(ui)?;
            return Ok(Exit::Done);
        }
        let config = match load(global) {
            Ok(config) => config,
            Err(invalid) => {
                for error in &invalid.errors {
                    print_finding(
                        &bad(
                            error,
                            "correct it where it stands; docs/reference/settings.md explains all settings",
                        ),
                        ui,
                    )?;
                }
                return Ok(Exit::Usage);
            }
        };
        start_log(global, &config, ui, "error")?;
        print_finding(&good("the configuration can be read".to_owned()), ui)?;
        for warning in &config.warnings {
            print_warning(warning, ui)?;
        }
        let (platforms, unusable) = platforms(&config);
        let is_unconfigured = config.account_names().is_empty();
        let act = Act { acknowledge: self.acknowledge, after_restore: self.after_restore };
        let mut healthy = check_store(config, act, ui).await?;
        if is_unconfigured {
            healthy &= print_and_judge(&no_account(), ui)?;
        }
        for problem in &unusable {
            healthy &= print_and_judge(problem, ui)?;
        }
        for platform in platforms.iter().filter(|_| !self.offline) {
            // Without a token no request can be made.
            healthy &= print_and_judge(&credentials(platform).await, ui)?
                && print_and_judge(&upload_api(platform).await, ui)?;
        }
        Ok(if healthy { Exit::Done } else { Exit::Failed })
    }
}

fn no_account() -> CheckResult {
    bad(
        "no account is configured: nothing can be uploaded from here",
        "export FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and FERRY_API_KEY",
    )
}

/// The operator's decision about a store that lost data.
#[derive(Debug, Clone, Copy)]
struct Act {
    acknowledge: bool,
    after_restore: bool,
}

impl Act {
    async fn run(self, app: &App, ui: &Ui) -> Result<(), CliError> {
        if self.after_restore {
            let declare = store::declare_ambiguous(app.store.as_ref());
            let declared = logged(&app.audit, "doctor --after-restore", None, declare).await??;
            let declared = words::counted(declared, "unfinished submission");
            let text = format!("declared {declared} ambiguous");
            print_finding(&good(text), ui)?;
        }
        if self.acknowledge {
            let acknowledge = app.store.acknowledge_loss();
            logged(&app.audit, "doctor --acknowledge", None, acknowledge).await??;
        }
        Ok(())
    }
}

/// Checks the store; returns true if all is well with it.
async fn check_store(config: Config, act: Act, ui: &Ui) -> Result<bool, CliError> {
    // Who acknowledges that the file is gone wants a new one.
    if let Some(finding) = store::missing(&config).filter(|_| !act.acknowledge) {
        return Ok(print_and_judge(&finding, ui)?);
    }
    let space = store::space(&config).filter(|finding| !finding.ok);
    // A new one takes the place of a file that is gone.
    let open = if store::missing(&config).is_some() { App::open } else { App::open_existing };
    let app = match open(config) {
        Ok(app) => app,
        Err(error) => {
            if let Some(finding) = space {
                print_finding(&finding, ui)?;
            }
            return Ok(print_and_judge(&not_opened(&error), ui)?);
        }
    };
    print_finding(&good(format!("the store {} can be opened", app.store.location())), ui)?;
    act.run(&app, ui).await?;
    let mut is_healthy = true;
    for finding in store::check(&app).await {
        is_healthy &= print_and_judge(&finding, ui)?;
    }
    Ok(is_healthy)
}

fn not_opened(error: &StoreError) -> CheckResult {
    let hint = "name a file that can be written, in a folder that exists, with `store`";
    let hint = error.hint().unwrap_or(hint);
    bad(&format!("the store cannot be opened: {error}"), hint)
}

fn list_settings(ui: &Ui) -> std::io::Result<()> {
    let all = || SETTINGS.iter().chain(ACCOUNT_SETTINGS);
    if ui.json {
        return all().try_for_each(|setting| {
            ui.object(&json!({
                "name": setting.name,
                "variable": setting.variable(),
                "default": setting.default,
                "description": setting.description,
                "secret": setting.secret,
            }))
        });
    }
    let row = |setting: &Setting| {
        vec![setting.variable().into(), setting.default.into(), setting.description.into()]
    };
    let rows: Vec<Vec<Line>> = all().map(row).collect();
    show::table(&rows).into_iter().try_for_each(|line| ui.out(line))
}
