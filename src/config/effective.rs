//! The settings in effect and where each comes from, without secrets.

use serde::Serialize;
use toml::de::DeTable;

use super::reader::{FoundValue, SettingsReader};
use super::settings::{ACCOUNT_SETTINGS, SETTINGS, Setting};
use super::sources::Sources;
use ferry_types::contract::SettingView;
use ferry_types::domain::submission::shown_origin;

/// A setting in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveSetting {
    /// The account, of a setting of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value, without passwords of URLs; none if it is secret, or its file may be.
    pub value: Option<String>,
    /// Kind of its source.
    pub source: SourceKind,
    /// Place of the source: the file and line, the variable, or the flag; none of a default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// The kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// The default.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
    /// The command line.
    Flag,
}

impl From<&EffectiveSetting> for SettingView {
    fn from(setting: &EffectiveSetting) -> Self {
        let EffectiveSetting { account, name, value, source, location } = setting.clone();
        let source = match source {
            SourceKind::Default => "default",
            SourceKind::File => "file",
            SourceKind::Environment => "environment",
            SourceKind::Flag => "flag",
        };
        Self { account, name, value, source: source.to_owned(), location }
    }
}

/// Returns all settings in effect, those of accounts behind the others, also where there are errors in them.
pub fn effective(sources: &Sources) -> Vec<EffectiveSetting> {
    let reader = SettingsReader::new(sources);
    let lines = Lines::of(sources);
    let mut settings = Vec::new();
    for setting in SETTINGS {
        let found = |name: &str| reader.global(name);
        settings.push(of(setting, None, found, &reader, &lines));
    }
    for account in reader.account_names() {
        for setting in ACCOUNT_SETTINGS {
            let found = |name: &str| reader.account_setting(&account, name);
            settings.push(of(setting, Some(&account), found, &reader, &lines));
        }
    }
    settings
}

fn of(
    setting: &Setting,
    account: Option<&String>,
    find: impl Fn(&str) -> Option<FoundValue>,
    reader: &SettingsReader<'_>,
    lines: &Lines,
) -> EffectiveSetting {
    let in_file = format!("{}_file", setting.name);
    let found = find(setting.name).map(|found| (setting.name, found));
    let found = match found {
        None if setting.secret => find(&in_file).map(|found| (in_file.as_str(), found)),
        found => found,
    };
    let account = account.cloned();
    let Some((name, FoundValue { text, location })) = found else {
        let (value, source) = (Some(setting.default.to_owned()), SourceKind::Default);
        return EffectiveSetting {
            account,
            name: setting.name.to_owned(),
            value,
            source,
            location: None,
        };
    };
    // Environment and command line speak of the account `default` alone, as the reader does.
    let (source, location) = if location.starts_with("`--") {
        (SourceKind::Flag, location)
    } else if location.starts_with("FERRY_") {
        (SourceKind::Environment, location)
    } else {
        let line = lines.of_setting(account.as_deref(), name);
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        (SourceKind::File, format!("`{}`{line}", reader.path))
    };
    // A file of a secret may be the secret, put there in error.
    let value = (!setting.secret).then(|| shown(name, &text));
    EffectiveSetting { account, name: name.to_owned(), value, source, location: Some(location) }
}

/// A value without what may be secret in a URL.
fn shown(name: &str, text: &str) -> String {
    if name == "webhook_url" {
        return shown_origin(text);
    }
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rsplit_once('@');
    match host {
        Some((_, host)) => format!("{scheme}://…@{host}{}", &rest[end..]),
        // A password with a slash in it, which no host may have.
        None if rest.contains('@') => format!("{scheme}://…"),
        None => format!("{scheme}://{rest}"),
    }
}

/// The lines of the file on which settings stand.
struct Lines(Vec<(Option<String>, String, usize)>);

impl Lines {
    fn of(sources: &Sources) -> Self {
        let mut lines = Vec::new();
        let text = sources.file.as_ref().map(|(_, text)| text.as_str()).unwrap_or_default();
        if let Ok(table) = DeTable::parse(text) {
            add(&mut lines, text, None, table.get_ref());
        }
        Self(lines)
    }

    fn of_setting(&self, account: Option<&str>, name: &str) -> Option<usize> {
        let found =
            self.0.iter().find(|(of, setting, _)| of.as_deref() == account && setting == name);
        found.map(|(_, _, line)| *line)
    }
}

fn add(
    lines: &mut Vec<(Option<String>, String, usize)>,
    text: &str,
    account: Option<&str>,
    table: &DeTable<'_>,
) {
    for (name, value) in table {
        match value.get_ref().as_table() {
            Some(accounts) if account.is_none() && name.get_ref() == "accounts" => {
                for (account, settings) in accounts {
                    if let Some(settings) = settings.get_ref().as_table() {
                        add(lines, text, Some(account.get_ref()), settings);
                    }
                }
            }
            _ => {
                let line = text[..name.span().start].matches('\n').count() + 1;
                lines.push((account.map(str::to_owned), name.get_ref().to_string(), line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::SourceKind::{Default, Environment, File, Flag};
    use super::*;

    #[test]
    fn each_setting_says_where_it_comes_from_and_no_secret() {
        let file = "poll_max = \"30s\"\n\n[accounts.north]\napi_url = \"https://a:b@x.example/u?key=SECRET\"\n\
                    client_secret = \"SECRET\"\napi_key_file = \"SECRET\"\n[accounts]\n\
                    south.client_id = \"s\"\n";
        let sources = Sources {
            file: Some(("ferry.toml".into(), file.to_owned())),
            env: BTreeMap::from([
                ("FERRY_LEASE".to_owned(), "20s".to_owned()),
                ("FERRY_STORE".to_owned(), "redis://:SECRET@h:1/0".to_owned()),
                ("FERRY_WEBHOOK_URL".to_owned(), "https://h.example/SECRET".to_owned()),
                ("FERRY_API_KEY".to_owned(), "SECRET".to_owned()),
            ]),
            flags: vec!["deadline=2h".to_owned()],
        };
        let settings = effective(&sources);
        let of = |account: Option<&str>, name: &str| {
            let found = settings.iter().find(|s| s.account.as_deref() == account && s.name == name);
            let EffectiveSetting { value, source, location, .. } =
                found.unwrap_or_else(|| panic!("{name} of {account:?} is missing")).clone();
            (value.unwrap_or("hidden".to_owned()), source, location.unwrap_or_default())
        };
        for (account, name, value, source, location) in [
            (None, "poll_max", "30s", File, "`ferry.toml`, line 1"),
            (None, "lease", "20s", Environment, "FERRY_LEASE"),
            (None, "store", "redis://…@h:1/0", Environment, "FERRY_STORE"),
            (None, "deadline", "2h", Flag, "`--set deadline`"),
            (None, "namespace", "ferry", Default, ""),
            (Some("north"), "api_url", "https://…@x.example/u", File, "`ferry.toml`, line 4"),
            (Some("north"), "client_secret", "hidden", File, "`ferry.toml`, line 5"),
            (Some("north"), "api_key_file", "hidden", File, "`ferry.toml`, line 6"),
            (Some("south"), "client_id", "s", File, "`ferry.toml`, line 8"),
            (Some("default"), "webhook_url", "https://h.example", Environment, "FERRY_WEBHOOK_URL"),
            (Some("default"), "api_key", "hidden", Environment, "FERRY_API_KEY"),
        ] {
            let expected = (value.to_owned(), source, location.to_owned());
            assert_eq!(of(account, name), expected, "{name}");
        }
        assert!(!format!("{settings:?}").contains("SECRET"));
    }
}
