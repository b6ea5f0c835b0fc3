//! `ferry pause` and `ferry resume`: nothing of an account is sent, until it is again.

use clap::Args;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::ui::Ui;
use crate::app::App;

/// Send nothing more of an account, until it is resumed.
///
/// Running steps end; submissions are accepted and wait.
#[derive(Debug, Args)]
pub(super) struct Pause {
    /// The account.
    #[arg(default_value = "default")]
    account: String,
    /// Why, for those who wonder.
    #[arg(long, default_value = "paused by an operator")]
    reason: String,
}

/// Go on with an account that was paused, that refused its credentials, or that is in an outage.
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The account.
    #[arg(default_value = "default")]
    account: String,
}

impl Pause {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, Failure> {
        app.store.pause(&self.account, &self.reason).await?;
        if ui.json {
            ui.object(&json!({ "account": self.account, "paused": self.reason }))?;
        } else {
            ui.out(format!("account `{}` is paused: {}", self.account, self.reason))?;
        }
        Ok(Exit::Done)
    }
}

impl Resume {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, Failure> {
        let changed = app.store.resume(&self.account).await?;
        if ui.json {
            ui.object(&json!({ "account": self.account, "paused": null, "changed": changed }))?;
        } else if changed {
            ui.out(format!("account `{}` goes on", self.account))?;
        } else {
            ui.out(format!("account `{}` was not stopped by anything", self.account))?;
        }
        Ok(Exit::Done)
    }
}
