//! `ferry keys`: who may use the HTTP API.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;

use super::audited::audited;
use super::complete;
use super::error::{CliError, Exit};
use super::show;
use super::ui::Ui;
use crate::api::{KeysError, Role, create_key, key_name, read_keys_if_any, revoke_key};
use crate::audit::Audit;
use crate::config::Config;
use ferry_types::clock::{Clock, SystemClock};

/// Create, list and revoke the keys of the HTTP API, in the file that `api_keys` names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry keys create --name billing --role submit --account north --set api_keys=keys.jsonl
  ferry keys list --set api_keys=keys.jsonl
  ferry keys revoke billing --set api_keys=keys.jsonl
A running server notices within a second.")]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a key and print it once.
    Create(Create),
    /// List keys (secrets are not stored).
    List,
    /// Revoke a key.
    Revoke {
        /// Name of the key.
        #[arg(add = complete::keys())]
        name: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Name of the key: 1 to 64 of a-z, 0-9, - and _.
    #[arg(long, value_parser = key_name)]
    name: String,
    /// The role: `read`, `submit` or `operate`.
    #[arg(long)]
    role: Role,
    /// Only for this account; may be repeated.
    #[arg(long = "account", value_name = "ACCOUNT")]
    accounts: Vec<String>,
}

impl Keys {
    pub(super) async fn run(self, config: &Config, ui: &Ui) -> Result<Exit, CliError> {
        let path = file(config)?;
        let audit = Audit::new(config.audit_log.clone());
        match self.action {
            Action::Create(create) => create.run(config, &path, &audit, ui).await?,
            Action::List => list(&path, ui)?,
            Action::Revoke { name } => {
                let revoke = async {
                    let none = || CliError::usage(format!("there is no key `{name}`"));
                    let hint = "list the keys: `ferry keys list`";
                    if revoke_key(&path, &name)? { Ok(()) } else { Err(none().hint(hint)) }
                };
                audited(&audit, &format!("keys revoke {name}"), None, revoke).await??;
                ui.print_note(format!("key `{name}` is revoked"));
            }
        }
        Ok(Exit::Done)
    }
}

impl Create {
    async fn run(
        self,
        config: &Config,
        path: &Path,
        audit: &Audit,
        ui: &Ui,
    ) -> Result<(), CliError> {
        let known = config.account_names();
        let unknown = |account: &&String| !known.is_empty() && !known.contains(account.as_str());
        if let Some(account) = self.accounts.iter().find(unknown) {
            ui.warning(&format!("account `{account}` is not configured here"));
        }
        let (name, role) = (self.name, self.role);
        let accounts: BTreeSet<String> = self.accounts.into_iter().collect();
        let details = granted(role, &accounts);
        let create = async { create_key(path, name.clone(), role, accounts, SystemClock.now()) };
        let command = format!("keys create {name}");
        let key = audited(audit, &command, Some(&details), create).await??;
        if ui.json {
            let key = key.expose_secret();
            ui.object(&json!({ "name": name, "role": role, "key": key }))?;
        } else {
            ui.out(key.expose_secret())?;
        }
        ui.print_note("save this key now: it is not shown again");
        Ok(())
    }
}

fn list(path: &Path, ui: &Ui) -> Result<(), CliError> {
    let mut rows = Vec::new();
    for key in read_keys_if_any(path)? {
        let accounts: Vec<&str> = key.accounts.iter().map(String::as_str).collect();
        if ui.json {
            ui.object(&json!({
                "name": key.name, "role": key.role, "accounts": accounts,
                "created_at": key.created_at,
            }))?;
            continue;
        }
        let accounts = if accounts.is_empty() { "all".to_owned() } else { accounts.join(", ") };
        let made = key.created_at.format("%Y-%m-%d").to_string();
        rows.push(vec![key.name.into(), key.role.as_str().into(), accounts.into(), made.into()]);
    }
    Ok(show::table(&rows).into_iter().try_for_each(|line| ui.out(line))?)
}

/// The role of a key and its accounts, for the audit log.
fn granted(role: Role, accounts: &BTreeSet<String>) -> String {
    let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let of = if accounts.is_empty() { "all accounts".to_owned() } else { accounts.join(", ") };
    format!("{}: {of}", role.as_str())
}

/// The file of the keys.
fn file(config: &Config) -> Result<PathBuf, CliError> {
    config.api_keys.clone().ok_or_else(|| {
        CliError::usage("no file for the keys is configured".to_owned())
            .hint("name one, here and for `ferry serve`: FERRY_API_KEYS or `--set api_keys=FILE`")
    })
}

impl From<KeysError> for CliError {
    fn from(error: KeysError) -> Self {
        let hint = match &error {
            KeysError::Open { path, .. } => Some(format!("chmod 600 '{}'", path.display())),
            KeysError::File { doing: "lock", path, source }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                let folder = path.parent().unwrap_or(path).display();
                Some(format!("create its folder, for its owner alone: mkdir -p -m 700 '{folder}'"))
            }
            KeysError::File { doing: "read", .. } => {
                Some("create the first key: `ferry keys create`".to_owned())
            }
            _ => None,
        };
        let failure = Self::new(Exit::Usage, error.into());
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
