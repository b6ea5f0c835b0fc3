//! `ferry pause` and `ferry resume`: nothing of an account is sent, until it is again.

use clap::Args;
use serde_json::json;

use super::audited::{audited, user};
use super::complete;
use super::error::{CliError, Exit};
use super::ui::Ui;
use crate::app::App;
use ferry_types::domain::account::pause_record;

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
    #[arg(long, default_value = "paused by an operator")]
    reason: String,
    /// Pause an account that is neither configured here nor in the store.
    #[arg(long)]
    create: bool,
}

/// Resume an account that is paused, throttled or behind an open circuit breaker.
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
                "`ferry stats` shows the accounts of the store; --create pauses one before its first submission",
            ));
        }
        let reason = pause_record(&self.reason, &format!("user `{}`", user()), app.clock.now());
        let (command, pause) = (format!("pause {account}"), app.store.pause(&account, &reason));
        audited(&app.audit, &command, Some(&self.reason), pause).await??;
        if ui.json {
            ui.object(&json!({ "account": account, "pause_reason": reason }))?;
        } else {
            ui.out(format!(
                "account `{account}` is paused: {reason}; `ferry resume {account}` resumes it"
            ))?;
        }
        Ok(Exit::Done)
    }
}

impl Resume {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let account = account(self.account, &app)?;
        let (command, resume) = (format!("resume {account}"), app.store.resume(&account));
        let changed = audited(&app.audit, &command, None, resume).await??;
        if ui.json {
            ui.object(&json!({ "account": account, "pause_reason": null, "changed": changed }))?;
        } else if changed {
            ui.out(format!("account `{account}` resumed"))?;
        } else {
            ui.out(format!("account `{account}` was not paused, throttled or blocked"))?;
        }
        Ok(Exit::Done)
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
