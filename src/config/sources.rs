//! The sources of settings, and the report of all their errors. Nothing is interpreted here.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Error, Result as IoResult};
use std::path::{Path, PathBuf};

use crate::file_access::distrust;
use crate::followed_files::{read_bounded, read_small};
use ferry_types::domain::escape;

/// Read if it is there and no other file is named.
const DEFAULT_FILE: &str = "ferry.toml";

/// Names another file.
pub(super) const FILE_VARIABLE: &str = "FERRY_CONFIG";

/// Ways out where the file cannot be read.
const NAMED_FILE: &str = "`--config FILE` or FERRY_CONFIG names another file";
const FOUND_FILE: &str = "correct the file, or name another one with `--config FILE`";

/// The settings as they are given, before they are interpreted.
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
pub struct ConfigErrors {
    /// The errors.
    pub errors: Vec<String>,
    /// Way out.
    pub hint: &'static str,
}

impl ConfigErrors {
    /// Errors of settings.
    pub fn of_settings(errors: Vec<String>) -> Self {
        Self { errors, hint: "list the settings with their defaults: `ferry doctor --settings`" }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.as_slice() {
            [only] => write!(f, "1 configuration error: {}", escape(only)),
            all => {
                write!(f, "{} configuration errors:", all.len())?;
                all.iter().try_for_each(|record| write!(f, "\n  {}", escape(record)))
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}

impl Sources {
    /// Reads the environment, and the file that `file` or `FERRY_CONFIG` names, or else
    /// `ferry.toml` where there is one.
    pub fn of_process(file: Option<&Path>, flags: Vec<String>) -> Result<Self, ConfigErrors> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variables = std::env::vars_os();
        let env: BTreeMap<String, String> = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with("FERRY_"))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
            .collect();
        let named = file.map(Path::to_owned).or_else(|| env.get(FILE_VARIABLE).map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = match read(&path, named.is_none()) {
            Ok(text) => Some((path, text)),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let errors = vec![format!("cannot read `{}`: {error}", path.display())];
                let hint = if named.is_some() { NAMED_FILE } else { FOUND_FILE };
                return Err(ConfigErrors { errors, hint });
            }
        };
        Ok(Self { file, env, flags })
    }
}

/// Reads a file. One of the current folder that was not named must not be another user's: its
/// `token_url` would get the secrets of the environment.
fn read(path: &Path, is_found: bool) -> IoResult<String> {
    let bytes = if is_found {
        let file = File::open(path)?;
        if let Some(reason) = distrust(&file.metadata()?) {
            let what = format!("it {reason}; if that is meant, name it with `--config`");
            return Err(Error::other(what));
        }
        read_bounded(file)?
    } else {
        read_small(path)?
    };
    String::from_utf8(bytes).map_err(|_| Error::other("it is not UTF-8"))
}
