//! Looks settings up, the command line before the environment before `ferry.toml` before the default.
//! Errors are recorded, and reading continues.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::settings::{ACCOUNT_SETTINGS, SETTINGS, Setting, variable};
use super::sources::{ConfigErrors, FILE_VARIABLE, Sources};
use super::values::Expected;
use crate::file_access::{foreign_owner, open_mode, write_mode};
use crate::pipeline::DEFAULT_ACCOUNT;
use crate::secret::{read_secret, visible};

/// Settings that name such a file.
const TRUSTED_FILES: [&str; 6] =
    ["api_keys", "audit_log", "tls_certificate", "store_ca", "platform_ca", "webhook_ca"];

/// A setting's text, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct FoundValue {
    pub(super) text: String,
    pub(super) location: String,
}

/// A secret, and the file that it stands in, if it does.
pub(super) struct FoundSecret {
    pub(super) text: String,
    pub(super) file: Option<PathBuf>,
}

/// Something could not be read, and why was noted.
#[derive(Debug)]
pub(super) struct ErrorRecorded;

/// Looks settings up, and records every error.
pub(super) struct SettingsReader<'a> {
    sources: &'a Sources,
    pub(super) path: String,
    pub(super) file: toml::Table,
    flags: BTreeMap<String, String>,
    pub(super) errors: Vec<String>,
    /// Settings that work but deserve a look.
    pub(super) warnings: Vec<String>,
    /// The accounts without their secrets, each with the errors about that.
    pub(super) without_secrets: BTreeMap<String, Vec<String>>,
}

impl<'a> SettingsReader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        let path = sources.file.as_ref().map(|(path, _)| path.display().to_string());
        let mut reader = Self {
            sources,
            path: path.unwrap_or_default(),
            file: toml::Table::new(),
            flags: BTreeMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            without_secrets: BTreeMap::new(),
        };
        reader.read_file();
        reader.check_variables();
        reader.read_flags();
        reader
    }

    /// The value of a setting, or, after an error, of its default.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        parse: fn(&str) -> Result<T, Expected>,
    ) -> T {
        let setting = find(SETTINGS, name).expect("only settings of the table are read");
        let found = self.global(name);
        self.parsed(setting, found, parse)
    }

    /// Notes what is wrong with the value of a setting, beyond what can be read from it alone.
    pub(super) fn record(&mut self, name: &'static str, what: &str) {
        let location = self.global(name).map_or_else(|| name.to_owned(), |found| found.location);
        self.errors.push(format!("{location}: {what}"));
    }

    /// A secret of the process, given as such or as the name of a file; none if it is empty.
    pub(super) fn global_secret(&mut self, name: &'static str) -> Option<FoundSecret> {
        let given = self.global(name).filter(|found| !found.text.is_empty());
        let in_file = self.global(&format!("{name}_file"));
        self.secret_of(given, in_file).ok().flatten()
    }

    /// A secret that was found in one of two locations. The error was recorded.
    pub(super) fn secret_of(
        &mut self,
        given: Option<FoundValue>,
        in_file: Option<FoundValue>,
    ) -> Result<Option<FoundSecret>, ErrorRecorded> {
        let record = match (given, in_file) {
            (None, None) => return Ok(None),
            (Some(found), None) => match visible(&found.text) {
                Ok(text) => return Ok(Some(FoundSecret { text: text.to_owned(), file: None })),
                Err(what) => format!("{}: {what}", found.location),
            },
            (None, Some(found)) => match read_secret(Path::new(&found.text)) {
                Ok(text) => {
                    let file = PathBuf::from(&found.text);
                    // Engines mount secrets with the mode that they have outside; here only Ferry can reach them.
                    if !file.starts_with("/run/secrets") {
                        let what =
                            format!("`{}`, the secret of {}", file.display(), found.location);
                        self.warnings.extend(readable(&file, &what));
                    }
                    return Ok(Some(FoundSecret { text, file: Some(file) }));
                }
                // Not which file: where the secret itself was put here, it would be shown.
                Err(error) => format!("{}, which names a file: {error}", found.location),
            },
            (Some(one), Some(other)) => {
                format!("{} and {}: give only one of them", one.location, other.location)
            }
        };
        self.errors.push(record);
        Err(ErrorRecorded)
    }

    /// All warnings, with those of files that other users can write although they record what this process
    /// did, or decide which others it trusts.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        let mut files: Vec<(PathBuf, String)> = Vec::new();
        for name in TRUSTED_FILES {
            let found = self.global(name).filter(|found| !found.text.is_empty());
            let path = found.map(|found| PathBuf::from(found.text));
            files.extend(path.map(|path| (path, format!("the file of `{name}`"))));
        }
        files.extend(
            self.sources.file.iter().map(|(path, _)| (path.clone(), "the configuration".into())),
        );
        for (path, what) in files {
            let what = format!("{what}, `{}`", path.display());
            self.warnings.extend(writable(&path, &what));
        }
        std::mem::take(&mut self.warnings)
    }

    pub(super) fn finish<T>(self, config: T) -> Result<T, ConfigErrors> {
        if self.errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors::of_settings(self.errors))
        }
    }

    fn read_file(&mut self) {
        let Some((path, text)) = &self.sources.file else { return };
        match text.parse() {
            Ok(table) => self.file = table,
            Err(error) => {
                let error: toml::de::Error = error;
                // The whole message quotes the line, which may hold a secret.
                let line = error
                    .span()
                    .map_or(0, |duration| text[..duration.start].matches('\n').count() + 1);
                let what = error.message();
                self.errors.push(format!("`{}`, line {line}: {what}", path.display()));
            }
        }
        let known = |name: &str| name == "accounts" || is_one_of(SETTINGS, name);
        let unknown: Vec<String> = self.file.keys().filter(|name| !known(name)).cloned().collect();
        for name in unknown {
            let hint = if is_account_setting(&name) {
                format!(": it belongs into a table such as [accounts.{DEFAULT_ACCOUNT}]")
            } else {
                similar(&name, SETTINGS)
            };
            self.errors.push(format!("`{name}` in `{}` is not a setting{hint}", self.path));
        }
        let mut secrets = self.file.iter().filter_map(|(name, value)| match value {
            toml::Value::Table(accounts) if name == "accounts" => accounts
                .values()
                .filter_map(toml::Value::as_table)
                .flat_map(toml::Table::keys)
                .find(|name| is_secret(name)),
            _ => Some(name).filter(|name| is_secret(name)),
        });
        if let Some(secret) = secrets.next() {
            let what = format!("`{}`, which holds `{secret}`", path.display());
            self.warnings.extend(readable(path, &what));
        }
        if self.file.get("accounts").is_some_and(|accounts| !accounts.is_table()) {
            self.errors.push(format!("`accounts` in `{}` is not a table", self.path));
        }
    }

    /// A variable that is nearly a setting is an error; others may belong to other programs.
    fn check_variables(&mut self) {
        let settings = || SETTINGS.iter().chain(ACCOUNT_SETTINGS);
        for variable in self.sources.env.keys() {
            let name = variable.trim_start_matches("FERRY_").to_lowercase();
            let known = variable == FILE_VARIABLE
                || is_one_of(SETTINGS, &name)
                || is_account_setting(&name)
                || is_service_link(variable);
            if known {
                continue;
            }
            match most_similar(&name, settings()) {
                Some(setting) => self.errors.push(format!(
                    "{variable} is not a setting; did you mean {}?",
                    setting.variable()
                )),
                None => self.warnings.push(format!("{variable} is not a setting, and is ignored")),
            }
        }
    }

    fn read_flags(&mut self) {
        for flag in &self.sources.flags {
            match flag.split_once('=') {
                Some((name, _)) if is_secret(name) => {
                    // Every process of the machine can read the command line.
                    self.errors.push(format!(
                        "`{name}` must not stand on the command line: use {} or {}_FILE",
                        variable(name),
                        variable(name)
                    ));
                }
                Some((name, value)) if has_password(value) => {
                    self.errors.push(format!(
                        "`{name}` with a password must not stand on the command line, which every user of the \
                         machine can read: use {}",
                        variable(name)
                    ));
                }
                Some((name, value)) if is_one_of(SETTINGS, name) || is_account_setting(name) => {
                    self.flags.insert(name.to_owned(), value.to_owned());
                }
                Some((name, _)) => {
                    let hint = similar(name, SETTINGS);
                    self.errors.push(format!("`{name}` after `--set` is not a setting{hint}"));
                }
                // It is not repeated, for it may hold a secret.
                None => self.errors.push("`--set`: expected `name=value`".to_owned()),
            }
        }
    }

    /// From the command line, the environment, or the top of the file.
    pub(super) fn global(&self, name: &str) -> Option<FoundValue> {
        self.outside(name).or_else(|| {
            let text = text_of(self.file.get(name)?)?;
            Some(FoundValue { text, location: format!("`{name}` in `{}`", self.path) })
        })
    }

    /// From the command line or the environment.
    pub(super) fn outside(&self, name: &str) -> Option<FoundValue> {
        let flag = self
            .flags
            .get(name)
            .map(|text| FoundValue { text: text.clone(), location: flag(name) });
        let from_env = || {
            let name = variable(name);
            // An empty variable is how many tools say that there is none.
            let text = self.sources.env.get(&name).filter(|text| !text.is_empty())?;
            Some(FoundValue { text: text.clone(), location: name })
        };
        flag.or_else(from_env)
    }

    pub(super) fn parsed<T>(
        &mut self,
        setting: &Setting,
        found: Option<FoundValue>,
        parse: fn(&str) -> Result<T, Expected>,
    ) -> T {
        let default = || parse(setting.default).expect("every default can be read");
        let Some(FoundValue { text, location }) = found else {
            if self.file.get(setting.name).is_some_and(|value| text_of(value).is_none()) {
                let name = setting.name;
                self.errors
                    .push(format!("`{name}` in `{}` is neither a text nor a number", self.path));
            }
            return default();
        };
        parse(&text).unwrap_or_else(|expected| {
            self.errors.push(format!("{location}: {expected}, found {}", excerpt(&text)));
            default()
        })
    }
}

pub(super) fn find<'a>(settings: &'a [Setting], name: &str) -> Option<&'a Setting> {
    settings.iter().find(|setting| setting.name == name)
}

pub(super) fn is_account_setting(name: &str) -> bool {
    is_one_of(ACCOUNT_SETTINGS, name)
}

/// True if it is one of these, or the file of a secret one.
fn is_one_of(settings: &[Setting], name: &str) -> bool {
    let in_file = name.strip_suffix("_file").and_then(|name| find(settings, name));
    find(settings, name).is_some() || in_file.is_some_and(|setting| setting.secret)
}

/// A warning if other users can read a file with a secret, or are its owner.
pub(super) fn readable(path: &Path, what: &str) -> Option<String> {
    if let Some(mode) = open_mode(path) {
        let path = path.display();
        let way_out = format!("`chmod 600 '{path}'` ends that");
        return Some(format!("other users can read {what} (mode {mode:03o}): {way_out}"));
    }
    owned_by_another(path, what)
}

/// A warning if other users can write a file, or are its owner.
pub(super) fn writable(path: &Path, what: &str) -> Option<String> {
    if let Some(mode) = write_mode(path) {
        let path = path.display();
        let way_out = format!("`chmod go-w '{path}'` ends that");
        return Some(format!("other users can write {what} (mode {mode:03o}): {way_out}"));
    }
    owned_by_another(path, what)
}

fn owned_by_another(path: &Path, what: &str) -> Option<String> {
    let owner = foreign_owner(path)?;
    Some(format!("another user ({owner}) owns {what}, and can change it: `chown` ends that"))
}

/// True for a URL with a password in it.
fn has_password(value: &str) -> bool {
    let authority =
        value.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    user.and_then(|(user, _)| user.split_once(':')).is_some_and(|(_, word)| !word.is_empty())
}

fn is_secret(name: &str) -> bool {
    let setting = find(SETTINGS, name).or_else(|| find(ACCOUNT_SETTINGS, name));
    setting.is_some_and(|setting| setting.secret)
}

/// A value of the file as it would be in the environment.
pub(super) fn text_of(value: &toml::Value) -> Option<String> {
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
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.contains('@') || text.chars().count() > LONGEST {
        return "something else".to_owned();
    }
    format!("`{}`", text.escape_debug())
}

/// The place of a setting of the command line; the store has a flag of its own.
fn flag(name: &str) -> String {
    if name == "store" { "`--store`".to_owned() } else { format!("`--set {name}`") }
}

/// True for a variable that Kubernetes makes up for a service named `ferry…`.
fn is_service_link(variable: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.ends_with("_PORT")
        || variable.contains("_PORT_")
}

/// A hint for a slip of the fingers.
pub(super) fn similar(name: &str, settings: &[Setting]) -> String {
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
