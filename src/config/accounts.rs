//! Reads the accounts, and their secrets, which no error message repeats.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{
    FoundSecret, FoundValue, SettingsReader, find, is_account_setting, similar, text_of,
};
use super::settings::{ACCOUNT_SETTINGS, Setting, variable};
use super::values::{self, Expected};
use crate::pipeline::DEFAULT_ACCOUNT;
use crate::platform::{AccountConfig, StatusMap};
use crate::secret::Secret;
use crate::webhook::{Receiver, Rules, SigningKey, WebhookTargets};
use ferry_types::domain::limits::AccountLimits;

/// The settings of which at least one makes an account; all of them are needed then.
const CREDENTIALS: [&str; 5] = ["token_url", "api_url", "client_id", "client_secret", "api_key"];

impl SettingsReader<'_> {
    /// All accounts: of the environment, and of the file. Who submits, or receives webhooks, needs none: a
    /// secret of webhooks alone makes no account.
    pub(super) fn accounts(&mut self) -> BTreeMap<String, AccountConfig> {
        let status_map = StatusMap {
            success: self.read("status_success", values::words),
            failed: self.read("status_failed", values::words),
            pending: self.read("status_pending", values::words),
        };
        let mut accounts = BTreeMap::new();
        for name in self.account_names() {
            self.check_table(&name);
            let is_account = CREDENTIALS.iter().any(|setting| self.is_given(&name, setting));
            if is_account && let Some(account) = self.account(&name, &status_map) {
                accounts.insert(name, account);
            }
        }
        accounts
    }

    /// The webhook settings of each account.
    pub(super) fn targets(&mut self, rules: &Rules) -> WebhookTargets {
        let mut targets = WebhookTargets::new();
        for name in self.account_names() {
            let url = self.account_setting(&name, "webhook_url").filter(|url| !url.text.is_empty());
            let secrets = ["webhook_secret", "webhook_secret_old"];
            let secrets = secrets.map(|setting| self.webhook_secret(&name, setting));
            let receiver = Receiver {
                url: url.as_ref().map(|found| found.text.clone()),
                secrets: secrets.into_iter().flatten().collect(),
            };
            if let Some(FoundValue { text, location }) = url {
                if let Err(what) = rules.check(&text) {
                    self.errors.push(format!("{location}: {what}"));
                }
                if receiver.secrets.is_empty() {
                    self.errors
                        .push(format!("{location}: it needs a `webhook_secret` to sign with"));
                }
            }
            targets.insert(name, receiver);
        }
        targets
    }

    fn webhook_secret(&mut self, account: &str, name: &'static str) -> Option<Secret<SigningKey>> {
        let given = self.account_setting(account, name);
        let in_file = self.account_setting(account, &format!("{name}_file"));
        let FoundSecret { text, file } = self.secret_of(given, in_file).ok()??;
        let name = format!("`{name}` of account `{account}`");
        let read = Secret::new(name.clone(), text.into(), file, SigningKey::read);
        read.map_err(|expected| self.errors.push(format!("{name}: {expected}"))).ok()
    }

    /// Of the environment, and of the file.
    pub(super) fn account_names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.tables().keys().cloned().collect();
        let mentioned = |setting: &Setting| {
            self.outside(setting.name).is_some()
                || self.outside(&format!("{}_file", setting.name)).is_some()
        };
        if ACCOUNT_SETTINGS.iter().any(mentioned) {
            names.insert(DEFAULT_ACCOUNT.to_owned());
        }
        names
    }

    fn tables(&self) -> toml::Table {
        self.file.get("accounts").and_then(toml::Value::as_table).cloned().unwrap_or_default()
    }

    fn account(&mut self, name: &str, status_map: &StatusMap) -> Option<AccountConfig> {
        let before = self.errors.len();
        let token_url = self.required(name, "token_url", values::token_url);
        let api_url = self.required(name, "api_url", values::url);
        let client_id = self.required(name, "client_id", values::id);
        let has_secrets = ["client_secret", "api_key"].map(|secret| self.is_given(name, secret));
        let client_secret = self.secret(name, "client_secret");
        let api_key = self.secret(name, "api_key");
        let setting = find(ACCOUNT_SETTINGS, "overwrite_format").expect("it is in the table");
        let found = self.account_setting(name, setting.name);
        let overwrite_format = self.parsed(setting, found, values::word);
        let account_limits = AccountLimits {
            uploads_per_second: self.optional(name, "uploads_per_second", values::rate),
            requests_per_second: self.optional(name, "requests_per_second", values::rate),
            max_concurrent_uploads: self.optional(name, "max_concurrent_uploads", values::limit),
        };
        // Two errors: that there is neither secret. Who runs no steps needs none.
        if has_secrets == [false, false] && self.errors.len() == before + 2 {
            let missing = self.errors.split_off(before);
            self.without_secrets.insert(name.to_owned(), missing);
        }
        let account = AccountConfig {
            name: name.to_owned(),
            token_url: token_url?,
            api_url: api_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            api_key: api_key?,
            overwrite_format,
            status_map: status_map.clone(),
            account_limits,
        };
        (self.errors.len() == before).then_some(account)
    }

    fn is_given(&self, account: &str, secret: &str) -> bool {
        self.account_setting(account, secret).is_some()
            || self.account_setting(account, &format!("{secret}_file")).is_some()
    }

    fn optional<T>(
        &mut self,
        account: &str,
        name: &str,
        parse: fn(&str) -> Result<Option<T>, Expected>,
    ) -> Option<T> {
        let setting = find(ACCOUNT_SETTINGS, name).expect("it is in the table");
        let found = self.account_setting(account, setting.name);
        self.parsed(setting, found, parse)
    }

    /// Checks the name of an account, and the names of its settings.
    fn check_table(&mut self, account: &str) {
        if !is_account_name(account) {
            self.errors.push(format!(
                "`{account}` is not a name for an account: expected 1 to 64 of a-z, 0-9, - and _"
            ));
        }
        let tables = self.tables();
        let Some(table) = tables.get(account) else { return };
        let Some(table) = table.as_table() else {
            self.errors.push(format!("`accounts.{account}` in `{}` is not a table", self.path));
            return;
        };
        for name in table.keys().filter(|name| !is_account_setting(name)) {
            let hint = similar(name, ACCOUNT_SETTINGS);
            self.errors.push(format!(
                "`{name}` in [accounts.{account}] of `{}` is not a setting of an account{hint}",
                self.path
            ));
        }
    }

    /// The environment speaks of the account `default` only.
    pub(super) fn account_setting(&self, account: &str, name: &str) -> Option<FoundValue> {
        let outside = (account == DEFAULT_ACCOUNT).then(|| self.outside(name)).flatten();
        outside.or_else(|| {
            let tables = self.tables();
            let text = text_of(tables.get(account)?.as_table()?.get(name)?)?;
            let location = format!("`{name}` in [accounts.{account}] of `{}`", self.path);
            Some(FoundValue { text, location })
        })
    }

    fn required(
        &mut self,
        account: &str,
        name: &'static str,
        parse: fn(&str) -> Result<String, Expected>,
    ) -> Option<String> {
        let Some(FoundValue { text, location }) = self.account_setting(account, name) else {
            self.missing(account, name);
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.errors.push(format!("{location}: {expected}"));
                None
            }
        }
    }

    /// A secret, given as such or as the name of a file.
    fn secret(&mut self, account: &str, name: &'static str) -> Option<Secret> {
        let in_file = format!("{name}_file");
        let given = self.account_setting(account, name);
        let in_file = self.account_setting(account, &in_file);
        let Some(FoundSecret { text, file }) = self.secret_of(given, in_file).ok()? else {
            self.missing(account, name);
            return None;
        };
        if text.is_empty() {
            self.errors.push(format!("`{name}` of account `{account}` is empty"));
            return None;
        }
        Some(Secret::text(format!("`{name}` of account `{account}`"), text.into(), file))
    }

    fn missing(&mut self, account: &str, name: &str) {
        let environment = if account == DEFAULT_ACCOUNT {
            format!("{} in the environment, or ", variable(name))
        } else {
            String::new()
        };
        self.errors.push(format!(
            "account `{account}` has no `{name}`: set {environment}`{name}` in [accounts.{account}]"
        ));
    }
}

fn is_account_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}
