//! The file of the API keys: the hash of each, its role and its accounts. A key itself is nowhere.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::role::Role;
use super::seal::CursorSecret;
use crate::file_access::open_mode;
use crate::followed_files::read_small;
use crate::private_files::{self, Mode};
use ferry_types::domain::Timestamp;

/// The beginning of every key, by which one is recognized where it leaked.
const PREFIX: &str = "ferry_";

/// The record of a key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its unique name, for people.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The only accounts that it sees; all if none is named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accounts: BTreeSet<String>,
    /// Time of its creation.
    pub created_at: Timestamp,
    /// Seals the positions that a key which is bound to accounts is given. A file of an earlier version has
    /// none: it is drawn when the file is read, and stored with the next change.
    #[serde(default)]
    pub(super) cursor_secret: Option<CursorSecret>,
    /// Its SHA-256, in hexadecimal digits.
    pub(super) hash: String,
}

/// The keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the keys in `{}`", path.display())]
    File {
        /// `lock`, `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others could read the file.
    #[error("`{}` can be read by others (mode {mode:o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line is not a key.
    #[error("`{}`, line {line}: not a key: {cause}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The error.
        cause: String,
    },
    /// A key has this name already.
    #[error("there is a key `{0}` already")]
    Taken(String),
    /// The operating system has no randomness.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

/// The name of a key, if this text can be one.
pub fn key_name(text: &str) -> Result<String, String> {
    let is_fit = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(is_fit);
    if fits { Ok(text.to_owned()) } else { Err("expected 1 to 64 of a-z, 0-9, - and _".to_owned()) }
}

/// The keys in a file, in its order.
pub fn read_keys(path: &Path) -> Result<Vec<KeyRecord>, KeysError> {
    let failed = |source| KeysError::File { doing: "read", path: path.to_owned(), source };
    let text = read_small(path).map_err(failed)?;
    let text = String::from_utf8(text).map_err(|error| failed(std::io::Error::other(error)))?;
    if let Some(mode) = open_mode(path) {
        return Err(KeysError::Open { path: path.to_owned(), mode });
    }
    parse_keys(path, &text)
}

/// The keys in the text of the file `path`, in its order.
pub fn parse_keys(path: &Path, text: &str) -> Result<Vec<KeyRecord>, KeysError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let key = |(at, line): (usize, &str)| {
        let parsed = serde_json::from_str(line).map_err(|error| KeysError::Line {
            path: path.to_owned(),
            line: at + 1,
            // A field's value may be the name of an account, and probes show the error without a key.
            cause: match error.classify() {
                Category::Data => {
                    format!("a field is missing, unknown or invalid, at column {}", error.column())
                }
                _ => error.to_string(),
            },
        });
        parsed.and_then(|key: KeyRecord| {
            let cursor_secret = Some(key.cursor_secret.map_or_else(cursor_secret, Ok)?);
            Ok(KeyRecord { cursor_secret, ..key })
        })
    };
    lines.map(key).collect()
}

/// The keys in a file, which may be missing.
pub fn read_keys_if_any(path: &Path) -> Result<Vec<KeyRecord>, KeysError> {
    match read_keys(path) {
        Err(KeysError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        read => read,
    }
}

/// Creates a key and stores its hash; the key is not shown again.
pub fn create_key(
    path: &Path,
    name: String,
    role: Role,
    accounts: BTreeSet<String>,
    now: Timestamp,
) -> Result<SecretString, KeysError> {
    let _alone = alone(path)?;
    let mut keys = read_keys_if_any(path)?;
    if keys.iter().any(|key| key.name == name) {
        return Err(KeysError::Taken(name));
    }
    let mut random = [0_u8; 32];
    SystemRandom::new().fill(&mut random).map_err(|_| KeysError::NoRandomness)?;
    let key = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&random));
    let cursor_secret = Some(cursor_secret()?);
    keys.push(KeyRecord { name, role, accounts, created_at: now, cursor_secret, hash: hash(&key) });
    write(path, &keys)?;
    Ok(key.into())
}

fn cursor_secret() -> Result<CursorSecret, KeysError> {
    CursorSecret::random().map_err(|_| KeysError::NoRandomness)
}

/// Revokes a key; returns `false` if none has this name.
pub fn revoke_key(path: &Path, name: &str) -> Result<bool, KeysError> {
    let _alone = alone(path)?;
    let mut keys = read_keys_if_any(path)?;
    let before = keys.len();
    keys.retain(|key| key.name != name);
    let found = keys.len() < before;
    if found {
        write(path, &keys)?;
    }
    Ok(found)
}

/// The longest wait for another process that changes the keys.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// Until this is dropped, no other process changes the keys. A file of its own is locked, because that of
/// the keys is replaced.
fn alone(path: &Path) -> Result<File, KeysError> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let file = private_files::open_lock(&lock);
    let locked =
        file.and_then(|file| private_files::lock(&file, &lock, LOCK_TIMEOUT).map(|()| file));
    locked.map_err(|source| KeysError::File { doing: "lock", path: path.to_owned(), source })
}

/// The file is replaced as a whole, and is its owner's alone.
fn write(path: &Path, keys: &[KeyRecord]) -> Result<(), KeysError> {
    let write = || {
        let mut text = String::new();
        for key in keys {
            text += &(serde_json::to_string(key)? + "\n");
        }
        private_files::replace(path, text.as_bytes(), Mode::Private)
    };
    write().map_err(|source| KeysError::File { doing: "write", path: path.to_owned(), source })
}

/// The form in which a key is stored.
pub(super) fn hash(key: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, key.as_bytes()).as_ref())
}
