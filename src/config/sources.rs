//! Where settings come from: the command line before the environment before `ferry.toml` before the
//! default. What cannot be understood is noted, and reading goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::settings::{ACCOUNT_SETTINGS, SETTINGS, Setting, variable};
use super::values::{self, Expected};
use crate::pipeline::DEFAULT_ACCOUNT;
use crate::platform::{Account, StatusWords};

/// Read if it is there and no other file is named.
const DEFAULT_FILE: &str = "ferry.toml";

/// Names another file.
const FILE_VARIABLE: &str = "FERRY_CONFIG";

/// What the outside says: nothing of it is understood yet.
#[derive(Default)]
pub struct Sources {
    /// The text of a configuration file, with its path for messages.
    pub file: Option<(PathBuf, String)>,
    /// Environment variables that begin with `FERRY_`.
    pub env: BTreeMap<String, String>,
    /// `name=value` from the command line, in its order.
    pub flags: Vec<String>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_struct("Sources").field("env", &self.env.keys()).finish_non_exhaustive()
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "the configuration has a mistake: {only}"),
            all => {
                write!(f, "the configuration has {} mistakes:", all.len())?;
                all.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
        }
    }
}

impl std::error::Error for Mistakes {}

impl Sources {
    /// Reads the environment, and the file that `file` or `FERRY_CONFIG` names, or else
    /// `ferry.toml` where there is one.
    pub fn of_process(file: Option<&Path>, flags: Vec<String>) -> Result<Self, Mistakes> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variables = std::env::vars_os();
        let env: BTreeMap<String, String> = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with("FERRY_"))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
            .collect();
        let named = file.map(Path::to_owned).or_else(|| env.get(FILE_VARIABLE).map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => Some((path, text)),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Mistakes(vec![format!("cannot read `{}`: {error}", path.display())]));
            }
        };
        Ok(Self { file, env, flags })
    }
}

/// A setting's text, and where it stands.
#[derive(Debug, Clone)]
struct Found {
    text: String,
    place: String,
}

/// Looks settings up, and notes every mistake.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    path: String,
    file: toml::Table,
    flags: BTreeMap<String, String>,
    mistakes: Vec<String>,
    /// Variables that are no settings.
    ignored: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        let path = sources.file.as_ref().map(|(path, _)| path.display().to_string());
        let mut reader = Self {
            sources,
            path: path.unwrap_or_default(),
            file: toml::Table::new(),
            flags: BTreeMap::new(),
            mistakes: Vec::new(),
            ignored: Vec::new(),
        };
        reader.read_file();
        reader.check_variables();
        reader.read_flags();
        reader
    }

    /// The value of a setting, or, after a mistake, of its default.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        parse: fn(&str) -> Result<T, Expected>,
    ) -> T {
        let setting = find(SETTINGS, name).expect("only settings of the table are read");
        let found = self.global(name);
        self.parsed(setting, found, parse)
    }

    /// All accounts: of the environment, and of the file.
    pub(super) fn accounts(&mut self) -> BTreeMap<String, Account> {
        let status_words = StatusWords {
            success: self.read("status_success", values::words),
            failed: self.read("status_failed", values::words),
            pending: self.read("status_pending", values::words),
        };
        let mut names: BTreeSet<String> = self.tables().keys().cloned().collect();
        let mentioned = |setting: &Setting| {
            self.outside(setting.name).is_some()
                || self.outside(&format!("{}_file", setting.name)).is_some()
        };
        if ACCOUNT_SETTINGS.iter().any(mentioned) {
            names.insert(DEFAULT_ACCOUNT.to_owned());
        }
        let mut accounts = BTreeMap::new();
        for name in names {
            if let Some(account) = self.account(&name, &status_words) {
                accounts.insert(name, account);
            }
        }
        accounts
    }

    /// Variables that look like settings and are none.
    pub(super) fn ignored(&self) -> Vec<String> {
        self.ignored.clone()
    }

    pub(super) fn finish<T>(self, config: T) -> Result<T, Mistakes> {
        if self.mistakes.is_empty() { Ok(config) } else { Err(Mistakes(self.mistakes)) }
    }

    fn read_file(&mut self) {
        let Some((path, text)) = &self.sources.file else { return };
        match text.parse() {
            Ok(table) => self.file = table,
            Err(error) => {
                let error: toml::de::Error = error;
                // The whole message quotes the line, which may hold a secret.
                let line =
                    error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
                let what = error.message();
                self.mistakes.push(format!("`{}`, line {line}: {what}", path.display()));
            }
        }
        let known = |name: &str| name == "accounts" || find(SETTINGS, name).is_some();
        let unknown: Vec<String> = self.file.keys().filter(|name| !known(name)).cloned().collect();
        for name in unknown {
            let hint = if is_account_setting(&name) {
                format!(": it belongs into a table such as [accounts.{DEFAULT_ACCOUNT}]")
            } else {
                similar(&name, SETTINGS)
            };
            self.mistakes.push(format!("`{name}` in `{}` is not a setting{hint}", self.path));
        }
        if self.file.get("accounts").is_some_and(|accounts| !accounts.is_table()) {
            self.mistakes.push(format!("`accounts` in `{}` is not a table", self.path));
        }
    }

    /// A variable that is nearly a setting is a mistake; others may be somebody else's.
    fn check_variables(&mut self) {
        let settings = || SETTINGS.iter().chain(ACCOUNT_SETTINGS);
        for variable in self.sources.env.keys() {
            let name = variable.trim_start_matches("FERRY_").to_lowercase();
            let known = variable == FILE_VARIABLE
                || settings().any(|setting| setting.name == name)
                || is_account_setting(&name)
                || is_service_link(variable);
            if known {
                continue;
            }
            match most_similar(&name, settings()) {
                Some(setting) => self.mistakes.push(format!(
                    "{variable} is not a setting; did you mean {}?",
                    setting.variable()
                )),
                None => self.ignored.push(variable.clone()),
            }
        }
    }

    fn read_flags(&mut self) {
        for flag in &self.sources.flags {
            match flag.split_once('=') {
                Some((name, _)) if find(ACCOUNT_SETTINGS, name).is_some_and(|s| s.secret) => {
                    // Everybody on the machine can read the command line.
                    self.mistakes.push(format!(
                        "`{name}` must not stand on the command line: use {} or {}_FILE",
                        variable(name),
                        variable(name)
                    ));
                }
                Some((name, value))
                    if find(SETTINGS, name).is_some() || is_account_setting(name) =>
                {
                    self.flags.insert(name.to_owned(), value.to_owned());
                }
                Some((name, _)) => {
                    let hint = similar(name, SETTINGS);
                    self.mistakes.push(format!("`{name}` after `--set` is not a setting{hint}"));
                }
                // It is not repeated, for it may hold a secret.
                None => self.mistakes.push("`--set`: expected `name=value`".to_owned()),
            }
        }
    }

    /// From the command line, the environment, or the top of the file.
    fn global(&self, name: &str) -> Option<Found> {
        self.outside(name).or_else(|| {
            let text = text_of(self.file.get(name)?)?;
            Some(Found { text, place: format!("`{name}` in `{}`", self.path) })
        })
    }

    /// From the command line or the environment.
    fn outside(&self, name: &str) -> Option<Found> {
        let flag = self
            .flags
            .get(name)
            .map(|text| Found { text: text.clone(), place: format!("`--set {name}`") });
        let from_env = || {
            let name = variable(name);
            // An empty variable is how many tools say that there is none.
            let text = self.sources.env.get(&name).filter(|text| !text.is_empty())?;
            Some(Found { text: text.clone(), place: name })
        };
        flag.or_else(from_env)
    }

    fn parsed<T>(
        &mut self,
        setting: &Setting,
        found: Option<Found>,
        parse: fn(&str) -> Result<T, Expected>,
    ) -> T {
        let default = || parse(setting.default).expect("every default can be read");
        let Some(Found { text, place }) = found else {
            if self.file.get(setting.name).is_some_and(|value| text_of(value).is_none()) {
                let name = setting.name;
                self.mistakes
                    .push(format!("`{name}` in `{}` is neither a text nor a number", self.path));
            }
            return default();
        };
        parse(&text).unwrap_or_else(|expected| {
            self.mistakes.push(format!("{place}: {expected}, found {}", shown(&text)));
            default()
        })
    }

    fn tables(&self) -> toml::Table {
        self.file.get("accounts").and_then(toml::Value::as_table).cloned().unwrap_or_default()
    }

    fn account(&mut self, name: &str, status_words: &StatusWords) -> Option<Account> {
        let before = self.mistakes.len();
        if !is_account_name(name) {
            self.mistakes.push(format!(
                "`{name}` is not a name for an account: expected 1 to 64 of a-z, 0-9, - and _"
            ));
        }
        self.reject_unknown_account_settings(name);
        let token_url = self.required(name, "token_url", values::url);
        let api_url = self.required(name, "api_url", values::url);
        let client_id = self.required(name, "client_id", values::text);
        let client_secret = self.secret(name, "client_secret");
        let api_key = self.secret(name, "api_key");
        let setting = find(ACCOUNT_SETTINGS, "overwrite_as").expect("it is in the table");
        let found = self.account_setting(name, setting.name);
        let overwrite_as = self.parsed(setting, found, values::overwrite_as);
        let account = Account {
            name: name.to_owned(),
            token_url: token_url?,
            api_url: api_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            api_key: api_key?,
            overwrite_as,
            status_words: status_words.clone(),
        };
        (self.mistakes.len() == before).then_some(account)
    }

    fn reject_unknown_account_settings(&mut self, account: &str) {
        let tables = self.tables();
        let Some(table) = tables.get(account) else { return };
        let Some(table) = table.as_table() else {
            self.mistakes.push(format!("`accounts.{account}` in `{}` is not a table", self.path));
            return;
        };
        for name in table.keys().filter(|name| !is_account_setting(name)) {
            let hint = similar(name, ACCOUNT_SETTINGS);
            self.mistakes.push(format!(
                "`{name}` in [accounts.{account}] of `{}` is not a setting of an account{hint}",
                self.path
            ));
        }
    }

    /// The environment speaks of the account `default` only.
    fn account_setting(&self, account: &str, name: &str) -> Option<Found> {
        let outside = (account == DEFAULT_ACCOUNT).then(|| self.outside(name)).flatten();
        outside.or_else(|| {
            let tables = self.tables();
            let text = text_of(tables.get(account)?.as_table()?.get(name)?)?;
            let place = format!("`{name}` in [accounts.{account}] of `{}`", self.path);
            Some(Found { text, place })
        })
    }

    fn required(
        &mut self,
        account: &str,
        name: &'static str,
        parse: fn(&str) -> Result<String, Expected>,
    ) -> Option<String> {
        let Some(Found { text, place }) = self.account_setting(account, name) else {
            self.missing(account, name);
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.mistakes.push(format!("{place}: {expected}"));
                None
            }
        }
    }

    /// A secret, given as such or as the name of a file.
    fn secret(&mut self, account: &str, name: &'static str) -> Option<SecretString> {
        let in_file = format!("{name}_file");
        let secret =
            match (self.account_setting(account, name), self.account_setting(account, &in_file)) {
                (Some(found), None) => found.text,
                (None, Some(found)) => match std::fs::read_to_string(&found.text) {
                    // Editors and `echo` end a file with a line break that is not part of the secret.
                    Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
                    Err(error) => {
                        // Not which file: where the secret itself was put here, it would be told.
                        self.mistakes.push(format!(
                            "{}: cannot read the file that it names: {error}",
                            found.place
                        ));
                        return None;
                    }
                },
                (Some(one), Some(other)) => {
                    self.mistakes
                        .push(format!("{} and {}: give only one of them", one.place, other.place));
                    return None;
                }
                (None, None) => {
                    self.missing(account, name);
                    return None;
                }
            };
        if secret.is_empty() {
            self.mistakes.push(format!("`{name}` of account `{account}` is empty"));
            return None;
        }
        if secret.chars().any(char::is_control) {
            self.mistakes.push(format!(
                "`{name}` of account `{account}` holds a line break or another control character"
            ));
            return None;
        }
        Some(secret.into())
    }

    fn missing(&mut self, account: &str, name: &str) {
        let environment = if account == DEFAULT_ACCOUNT {
            format!("{} in the environment, or ", variable(name))
        } else {
            String::new()
        };
        self.mistakes.push(format!(
            "account `{account}` has no `{name}`: set {environment}`{name}` in [accounts.{account}]"
        ));
    }
}

fn find<'a>(settings: &'a [Setting], name: &str) -> Option<&'a Setting> {
    settings.iter().find(|setting| setting.name == name)
}

fn is_account_setting(name: &str) -> bool {
    let in_file = name.strip_suffix("_file").and_then(|name| find(ACCOUNT_SETTINGS, name));
    find(ACCOUNT_SETTINGS, name).is_some() || in_file.is_some_and(|setting| setting.secret)
}

fn is_account_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// What a value of the file would be in the environment.
fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(value) => Some(value.to_string()),
        toml::Value::Array(values) => {
            let texts: Option<Vec<&str>> = values.iter().map(toml::Value::as_str).collect();
            Some(texts?.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// A value that was not understood, unless it may be or hold a secret that strayed here.
fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.contains('@') || text.chars().count() > LONGEST {
        return "something else".to_owned();
    }
    format!("`{}`", text.escape_debug())
}

/// Whether a variable is one of those that Kubernetes makes up for a service named `ferry…`.
fn is_service_link(variable: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.ends_with("_PORT")
        || variable.contains("_PORT_")
}

/// A hint for a slip of the fingers.
fn similar(name: &str, settings: &[Setting]) -> String {
    most_similar(name, settings.iter())
        .map_or(String::new(), |setting| format!("; did you mean `{}`?", setting.name))
}

fn most_similar<'a>(
    name: &str,
    settings: impl Iterator<Item = &'a Setting>,
) -> Option<&'a Setting> {
    let likeness = |setting: &&Setting| strsim::jaro_winkler(name, setting.name);
    settings
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
        .filter(|setting| likeness(setting) > 0.85)
}
