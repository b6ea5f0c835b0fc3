//! `ferry doctor`: looks at everything that could keep datasets from travelling.

use clap::Args;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::ui::Ui;
use super::{Global, configure, show, start_log};
use crate::app::App;
use crate::config::settings::{ACCOUNT_SETTINGS, SETTINGS, Setting};
use crate::domain::account::{Admission, Closed};
use crate::platform::Platform;
use crate::store::{Finding, StoreError};

/// Check the configuration, the store and the credentials.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// List all settings with their defaults, and check nothing.
    #[arg(long)]
    settings: bool,
    /// Ask no Platform for a token.
    #[arg(long)]
    offline: bool,
}

impl Doctor {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
        if self.settings {
            list_settings(ui)?;
            return Ok(Exit::Done);
        }
        let config = configure(global)?;
        start_log(&config, ui, "error")?;
        let mut findings = vec![good("the configuration can be read".to_owned())];
        let app = App::open(config)?;
        findings.push(good(format!("the store {} can be opened", app.store.place())));
        findings.extend(app.store.check().await?);
        findings.extend(accounts(&app).await?);
        if !self.offline {
            for platform in app.platforms()? {
                findings.push(credentials(&platform).await);
            }
        }
        for finding in &findings {
            tell(finding, ui)?;
        }
        Ok(if findings.iter().all(|finding| finding.ok) { Exit::Done } else { Exit::Failed })
    }
}

/// What stops an account, and whether any is configured.
async fn accounts(app: &App) -> Result<Vec<Finding>, StoreError> {
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
                "a worker that knows it must carry them",
            ));
        }
        if let Admission::Closed(Closed::Paused { reason }) =
            stats.health.admit(now, &app.config.health)
        {
            findings.push(bad(
                &format!("account `{name}` is paused: {reason}"),
                &format!("mend what is wrong, then `ferry resume {name}`"),
            ));
        }
    }
    Ok(findings)
}

async fn credentials(platform: &Platform) -> Finding {
    let account = platform.account();
    match platform.check_credentials().await {
        Ok(()) => good(format!("account `{account}` gets a token")),
        Err(trouble) => bad(
            &format!("account `{account}` gets no token: {trouble}"),
            "check token_url, client_id and client_secret, and the way to the Platform",
        ),
    }
}

fn good(text: String) -> Finding {
    Finding { ok: true, text, hint: None }
}

fn bad(text: &str, hint: &str) -> Finding {
    Finding { ok: false, text: text.to_owned(), hint: Some(hint.to_owned()) }
}

fn tell(finding: &Finding, ui: &Ui) -> std::io::Result<()> {
    if ui.json {
        return ui.object(&json!({ "ok": finding.ok, "text": finding.text, "hint": finding.hint }));
    }
    let mark = if finding.ok { "ok  " } else { "FAIL" };
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
                "meaning": setting.meaning,
                "secret": setting.secret,
            }))
        });
    }
    let row = |setting: &Setting| {
        vec![setting.variable(), setting.default.to_owned(), setting.meaning.to_owned()]
    };
    let rows: Vec<Vec<String>> = all().map(row).collect();
    show::table(&rows).iter().try_for_each(|line| ui.out(line))
}
