//! Commands that pages and responses of a server show: they work on its machine as they stand.

use std::path::Path;

use ferry_types::contract::SettingView;

/// Options that lead a command to the store and the files of this server.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerCommands {
    store: String,
    api_keys: String,
    audit_log: String,
}

impl ServerCommands {
    /// The options that differ from what a command uses by default.
    pub(crate) fn of(settings: &[SettingView]) -> Self {
        let value = |name: &str| {
            let found = settings.iter().find(|one| one.account.is_none() && one.name == name)?;
            let value = found.value.as_deref().filter(|value| !value.is_empty())?;
            // A password is not shown, and no command works with what is shown instead.
            (found.source != "default" && !value.contains('…')).then(|| value.to_owned())
        };
        let option = |name: &str| value(name).map(|value| of_setting(name, &value));
        Self {
            store: value("store").map(|at| format!(" --store {}", quoted(&at))).unwrap_or_default(),
            api_keys: option("api_keys").unwrap_or_default(),
            audit_log: option("audit_log").unwrap_or_default(),
        }
    }

    /// The option of commands about submissions; none if they find the store by themselves.
    pub(crate) fn store(&self) -> Option<&str> {
        Some(self.store.trim_start()).filter(|option| !option.is_empty())
    }

    /// The command with the options that it needs here.
    pub(crate) fn complete(&self, command: &str) -> String {
        let options = match command.split(' ').nth(1) {
            Some("keys") => &self.api_keys,
            Some("audit") => &self.audit_log,
            _ => &self.store,
        };
        format!("{command}{options}")
    }
}

/// A command about the keys of this file.
pub(crate) fn of_keys(command: &str, file: &Path) -> String {
    format!("{command}{}", of_setting("api_keys", &file.display().to_string()))
}

fn of_setting(name: &str, value: &str) -> String {
    format!(" --set {name}={}", quoted(value))
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str, source: &str) -> SettingView {
        let (name, value, source) = (name.to_owned(), Some(value.to_owned()), source.to_owned());
        SettingView { account: None, name, value, source, location: None }
    }

    #[test]
    fn a_command_has_the_options_that_differ_from_the_defaults() {
        let settings = [
            setting("store", "sqlite:/var/lib/it's here.db", "environment"),
            setting("api_keys", "keys.jsonl", "file"),
            setting("audit_log", "", "default"),
        ];
        let commands = ServerCommands::of(&settings);
        let status = commands.complete("ferry status ID");
        assert_eq!(status, r"ferry status ID --store 'sqlite:/var/lib/it'\''s here.db'");
        let keys = commands.complete("ferry keys list");
        assert_eq!(keys, "ferry keys list --set api_keys=keys.jsonl");
        assert_eq!(commands.complete("ferry audit verify"), "ferry audit verify");
    }

    #[test]
    fn a_store_that_is_the_default_or_has_a_password_is_not_named() {
        for store in [
            setting("store", "sqlite:ferry.db", "default"),
            setting("store", "redis://…@host:6379/0", "flag"),
        ] {
            let commands = ServerCommands::of(&[store]);
            assert_eq!(commands.complete("ferry stats"), "ferry stats");
        }
    }
}
