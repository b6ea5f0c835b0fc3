//! `ferry doctor`: looks at everything that could keep datasets from traveling.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::audit::audited as logged;
use super::error::{CliError, Exit};
use super::ui::Ui;
use super::{Global, load, show, start_log};
use crate::app::{App, platform};
use crate::config::Config;
use crate::config::settings::{ACCOUNT_SETTINGS, SETTINGS, Setting};
use crate::platform::{ApiCheck, Platform};
use ferry_store::{CheckResult, StoreError};
use ferry_types::domain::account::{Admission, BlockReason};
use ferry_types::domain::outcome::PlatformError;

/// Check the configuration, the store and the credentials.
///
/// Exit code 0 means that all is well, 1 that something is not, 2 that the configuration cannot be
/// read. Each account asks for a token, and for the status of a dataset that does not exist.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry doctor
  ferry doctor --offline
  ferry doctor --acknowledge                  after the store lost data
  ferry doctor --settings")]
pub(super) struct Doctor {
    /// List all settings with their defaults, and check nothing.
    #[arg(long)]
    settings: bool,
    /// Ask no Platform for a token.
    #[arg(long)]
    offline: bool,
    /// Take the store as it is, after it lost data: servers and workers become ready again.
    #[arg(long, conflicts_with = "settings")]
    acknowledge: bool,
}

impl Doctor {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        if self.settings {
            list_settings(ui)?;
            return Ok(Exit::Done);
        }
        let config = match load(global) {
            Ok(config) => config,
            Err(mistakes) => {
                for mistake in &mistakes.0 {
                    print_finding(
                        &bad(
                            mistake,
                            "correct it where it stands; README.md explains all settings",
                        ),
                        ui,
                    )?;
                }
                return Ok(Exit::Usage);
            }
        };
        start_log(&config, ui, "error")?;
        print_finding(&good("the configuration can be read".to_owned()), ui)?;
        for variable in &config.ignored {
            print_finding(&good(format!("{variable} is not a setting, and is ignored")), ui)?;
        }
        let (platforms, unusable) = platforms(&config);
        let mut healthy = store(config, self.acknowledge, ui).await?;
        for problem in &unusable {
            healthy &= print_and_judge(problem, ui)?;
        }
        for platform in platforms.iter().filter(|_| !self.offline) {
            // Without a token the API cannot be asked.
            healthy &= print_and_judge(&credentials(platform).await, ui)?
                && print_and_judge(&upload_api(platform).await, ui)?;
        }
        Ok(if healthy { Exit::Done } else { Exit::Failed })
    }
}

/// A client of each account, and the accounts that none can be made for.
fn platforms(config: &Config) -> (Vec<Platform>, Vec<CheckResult>) {
    let (mut platforms, mut unusable) = (Vec::new(), Vec::new());
    for account in config.accounts.values() {
        match platform(account, &config.limits, &Arc::default()) {
            Ok(platform) => platforms.push(platform),
            Err(error) => {
                let hint = format!("correct the settings of account `{}`", account.name);
                unusable.push(bad(&error.to_string(), &hint));
            }
        }
    }
    (platforms, unusable)
}

/// Whether all is well with the store, and with the accounts as it knows them.
async fn store(config: Config, acknowledge: bool, ui: &Ui) -> Result<bool, CliError> {
    let app = match App::open(config) {
        Ok(app) => app,
        Err(error) => {
            let hint = "`store` must name a file that can be written, in a folder that is there";
            return Ok(print_and_judge(
                &bad(&format!("the store cannot be opened: {error}"), hint),
                ui,
            )?);
        }
    };
    let mut healthy =
        print_and_judge(&good(format!("the store {} can be opened", app.store.location())), ui)?;
    if acknowledge {
        app.audit.check()?;
        let acknowledged = app.store.acknowledge_loss().await;
        logged(&app.audit, "doctor --acknowledge", acknowledged)?;
    }
    let checks = [app.store.check().await, history(&app).await, accounts(&app).await];
    for findings in checks {
        let hint = "`store` must be reachable, and be a store of this version of Ferry";
        let findings =
            findings.unwrap_or_else(|error| vec![bad(&format!("the store fails: {error}"), hint)]);
        for finding in &findings {
            healthy &= print_and_judge(finding, ui)?;
        }
    }
    Ok(healthy)
}

/// Reports the newest event, and a loss that a process detected.
async fn history(app: &App) -> Result<Vec<CheckResult>, StoreError> {
    let standing = app.store.look().await?;
    let newest = match standing.newest {
        newest if newest.epoch.is_empty() => "the store never had an event".to_owned(),
        newest => format!("the newest event of the store is `{newest}`"),
    };
    let loss = standing.reported.map(|loss| {
        let hint = "restore a backup, or take the store as it is: `ferry doctor --acknowledge`";
        bad(&format!("a process reported: {loss}"), hint)
    });
    Ok([good(newest)].into_iter().chain(loss).collect())
}

/// What stops an account, and whether any is configured.
async fn accounts(app: &App) -> Result<Vec<CheckResult>, StoreError> {
    let mut findings = Vec::new();
    if app.config.accounts.is_empty() {
        findings.push(bad(
            "no account is configured: nothing can be uploaded from here",
            "set FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and FERRY_API_KEY",
        ));
    }
    let now = app.clock.now();
    for stats in app.store.stats().await?.accounts {
        let name = &stats.account;
        let unfinished = stats.states.iter().any(|(state, _)| !state.is_final());
        if unfinished && !app.config.accounts.is_empty() && !app.config.accounts.contains_key(name)
        {
            findings.push(bad(
                &format!("the store has unfinished submissions of account `{name}`, which is not configured here"),
                "run a worker that has this account configured",
            ));
        }
        if let Admission::Blocked(BlockReason::Paused { reason }) =
            stats.health.admit(now, &app.config.health)
        {
            findings.push(bad(
                &format!("account `{name}` is paused: {reason}"),
                &format!("fix the cause, then run `ferry resume {name}`"),
            ));
        }
    }
    Ok(findings)
}

async fn credentials(platform: &Platform) -> CheckResult {
    let account = platform.account();
    match platform.check_credentials().await {
        Ok(()) => good(format!("account `{account}` gets a token")),
        Err(error) => {
            let hint = match error {
                PlatformError::Credentials(_) => "check client_id and client_secret",
                PlatformError::Throttled { .. } => "wait, and try again",
                _ => "check token_url, and the way to the Platform",
            };
            bad(&format!("account `{account}` cannot get an access token: {error}"), hint)
        }
    }
}

/// Asks for the status of a dataset that does not exist.
async fn upload_api(platform: &Platform) -> CheckResult {
    let account = platform.account();
    let answered = format!("account `{account}` is answered by the Upload API");
    match platform.check_api().await {
        ApiCheck::Answered(None) => good(answered),
        ApiCheck::Answered(Some(said)) => {
            let hint = "unless that is about an unknown processing token, check api_key";
            CheckResult { hint: Some(hint.to_owned()), ..good(format!("{answered}: {said}")) }
        }
        ApiCheck::Failed { what, hint } => {
            bad(&format!("account `{account}` cannot use the Upload API: {what}"), hint)
        }
    }
}

fn good(text: String) -> CheckResult {
    CheckResult { ok: true, text, hint: None }
}

fn bad(text: &str, hint: &str) -> CheckResult {
    CheckResult { ok: false, text: text.to_owned(), hint: Some(hint.to_owned()) }
}

/// Says it, and whether it is good.
fn print_and_judge(finding: &CheckResult, ui: &Ui) -> std::io::Result<bool> {
    print_finding(finding, ui).map(|()| finding.ok)
}

fn print_finding(finding: &CheckResult, ui: &Ui) -> std::io::Result<()> {
    if ui.json {
        return ui.object(&json!({ "ok": finding.ok, "text": finding.text, "hint": finding.hint }));
    }
    let mark = match (finding.ok, &finding.hint) {
        (true, None) => "ok  ",
        (true, Some(_)) => "note",
        (false, _) => "FAIL",
    };
    ui.out(format!("{mark}  {}", finding.text))?;
    match &finding.hint {
        Some(hint) => ui.out(format!("      hint: {hint}")),
        None => Ok(()),
    }
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
        vec![setting.variable(), setting.default.to_owned(), setting.description.to_owned()]
    };
    let rows: Vec<Vec<String>> = all().map(row).collect();
    show::table(&rows).iter().try_for_each(|line| ui.out(line))
}
