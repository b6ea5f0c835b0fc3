//! `ferry pause` and `ferry resume`: nothing of an account is sent, until it is again.

use clap::Args;
use serde_json::json;

use super::audited::{audited, user};
use super::complete;
use super::error::{CliError, Exit};
use super::ui::Ui;
use crate::app::App;
use crate::words;
use ferry_types::domain::account::{BlockReason, pause_record};

/// Reason of a pause for which none is given.
pub(super) const REASON: &str = "paused by an operator";

/// Pause an account until it is resumed.
///
/// Running steps end; submissions are accepted and wait.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry pause
  ferry pause north --reason maintenance
  ferry resume north")]
pub(super) struct Pause {
    /// The account [default: the only one].
    #[arg(add = complete::accounts())]
    account: Option<String>,
    /// Reason, shown by `ferry stats`.
    #[arg(long, default_value = REASON)]
    reason: String,
    /// Pause an account that is neither configured here nor in the store.
    #[arg(long)]
    create: bool,
}

/// Resume an account that is paused, throttled or behind an open circuit breaker.
///
/// Its polls and fetches that the Platform postponed for more than a minute (`Retry-After`) are due at once.
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The account [default: the only one].
    #[arg(add = complete::accounts())]
    account: Option<String>,
}

impl Pause {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        app.audit.check()?;
        let account = account(self.account, &app)?;
        let stats = app.store.stats().await?;
        let is_known = app.config.account_names().contains(&account)
            || stats.accounts.iter().any(|known| known.account == account);
        if !is_known && !self.create {
            let what = format!("account `{account}` is neither configured here nor in the store");
            return Err(CliError::usage(what).hint(
                "list the accounts of the store: `ferry stats`; or add --create to pause one before its first submission",
            ));
        }
        let reason = pause(&account, &self.reason, &app).await?;
        if ui.json {
            ui.object(&json!({ "account": account, "pause_reason": reason }))?;
        } else {
            let reason = BlockReason::Paused { reason };
            ui.out(words::blocked(&account, &reason))?;
        }
        Ok(Exit::Done)
    }
}

impl Resume {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let account = account(self.account, &app)?;
        let changed = resume(&account, &app).await?;
        if ui.json {
            ui.object(&json!({ "account": account, "pause_reason": null, "changed": changed }))?;
        } else {
            ui.out(resumed(&account, changed))?;
        }
        Ok(Exit::Done)
    }
}

/// Pauses an account in the name of the user; returns the reason as it is recorded.
pub(super) async fn pause(account: &str, reason: &str, app: &App) -> Result<String, CliError> {
    let recorded = pause_record(reason, &format!("user `{}`", user()), app.clock.now());
    let (command, pause) = (format!("pause {account}"), app.store.pause(account, &recorded));
    audited(&app.audit, &command, Some(reason), pause).await??;
    Ok(recorded)
}

/// Resumes an account; false if nothing stopped it.
pub(super) async fn resume(account: &str, app: &App) -> Result<bool, CliError> {
    let (command, resume) = (format!("resume {account}"), app.store.resume(account));
    Ok(audited(&app.audit, &command, None, resume).await??)
}

/// The outcome of a resumption, in words.
pub(super) fn resumed(account: &str, changed: bool) -> String {
    if changed {
        format!("account `{account}` resumed")
    } else {
        format!("account `{account}` was not paused, throttled or blocked")
    }
}

/// One that only others know can be paused from here, too.
fn account(requested: Option<String>, app: &App) -> Result<String, CliError> {
    match requested {
        Some(account) => Ok(account),
        None => app
            .intake()
            .account(None)
            .map_err(|error| CliError::usage(error.to_string()).hint("name the one you mean")),
    }
}
