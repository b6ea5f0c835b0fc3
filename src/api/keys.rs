//! API keys: a file with the hash of each, its role and its accounts. A key itself is nowhere.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::caller::Caller;
use ferry_types::domain::Timestamp;

/// What every key begins with, so that it is recognized where it strays.
const PREFIX: &str = "ferry_";

/// A change of the file is noticed after so long.
const FRESH: Duration = Duration::from_secs(1);

/// What a caller may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Read,
    /// Hand submissions over, and look.
    Submit,
    /// Act on submissions and accounts, too.
    Operate,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Operate];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Operate => "operate",
        }
    }
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Whose it is, for people; one of a kind.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The only accounts that it is for; all if none is named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accounts: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its SHA-256, in hexadecimal digits.
    hash: String,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the keys in `{}`", path.display())]
    File {
        /// `lock`, `read` or `write`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could read the file.
    #[error("`{}` can be read by others (mode {mode:o})", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line is no key.
    #[error("`{}`, line {line}: not a key: {cause}", path.display())]
    BulkLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        cause: String,
    },
    /// There is a key of this name.
    #[error("there is a key `{0}` already")]
    Taken(String),
    /// The operating system has no randomness.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

/// The keys in a file, in its order.
pub fn read_keys(path: &Path) -> Result<Vec<KeyRecord>, KeysError> {
    let failed = |source| KeysError::File { doing: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    check_mode(path).map_err(failed)??;
    parse_keys(path, &text)
}

/// The keys in the text of the file `path`, in its order.
pub fn parse_keys(path: &Path, text: &str) -> Result<Vec<KeyRecord>, KeysError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let key = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| KeysError::BulkLine {
            path: path.to_owned(),
            line: at + 1,
            cause: error.to_string(),
        })
    };
    lines.map(key).collect()
}

/// The keys in a file that may not be there yet.
pub fn read_keys_if_any(path: &Path) -> Result<Vec<KeyRecord>, KeysError> {
    match read_keys(path) {
        Err(KeysError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        read => read,
    }
}

/// Makes a key and keeps its hash; the key is not shown again.
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
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    keys.push(KeyRecord { name, role, accounts, created_at: now, hash: hash(&key) });
    write(path, &keys)?;
    Ok(key.into())
}

/// Takes a key away; answers whether there was one of this name.
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

/// Until this is dropped, nobody else changes the keys. A file of its own is locked, because that of the
/// keys is replaced.
fn alone(path: &Path) -> Result<File, KeysError> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let file = File::options().create(true).append(true).open(lock);
    let locked = file.and_then(|file| file.lock().map(|()| file));
    locked.map_err(|source| KeysError::File { doing: "lock", path: path.to_owned(), source })
}

/// The file is replaced as a whole, and is its owner's alone.
fn write(path: &Path, keys: &[KeyRecord]) -> Result<(), KeysError> {
    let write = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Its mode is 0600 from the beginning.
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        for key in keys {
            writeln!(file, "{}", serde_json::to_string(key)?)?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| KeysError::File { doing: "write", path: path.to_owned(), source })
}

#[cfg(unix)]
fn check_mode(path: &Path) -> io::Result<Result<(), KeysError>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    let mode = metadata.mode() & 0o777;
    let is_open = is_open(mode, metadata.uid());
    Ok(if is_open { Err(KeysError::Open { path: path.to_owned(), mode }) } else { Ok(()) })
}

/// What root owns may be read by a group: so Kubernetes and systemd hand secrets to a service.
#[cfg(unix)]
const fn is_open(mode: u32, owner: u32) -> bool {
    mode & if owner == 0 { 0o037 } else { 0o077 } != 0
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> io::Result<Result<(), KeysError>> {
    Ok(Ok(()))
}

fn hash(key: &str) -> String {
    digest(&SHA256, key.as_bytes()).as_ref().iter().fold(String::new(), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
        text
    })
}

/// The keys of a server, which follow their file.
#[derive(Debug)]
pub struct Keys {
    path: PathBuf,
    loaded: Mutex<LoadedKeys>,
}

#[derive(Debug)]
struct LoadedKeys {
    looked: Instant,
    changed: Option<SystemTime>,
    keys: Arc<Vec<KeyRecord>>,
}

impl Keys {
    /// Reads the file, which must be there.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        let (changed, keys) = (changed(path), Arc::new(read_keys(path)?));
        let loaded = Mutex::new(LoadedKeys { looked: Instant::now(), changed, keys });
        Ok(Self { path: path.to_owned(), loaded })
    }

    /// Who has this key. It takes as long whichever it is.
    pub(super) fn caller(&self, key: &str) -> Option<Caller> {
        let presented = hash(key);
        let mut found = None;
        for record in self.current().iter() {
            if bool::from(record.hash.as_bytes().ct_eq(presented.as_bytes())) {
                found = Some(record.clone());
            }
        }
        found.map(|KeyRecord { name, role, accounts, .. }| Caller {
            name,
            role,
            accounts: (!accounts.is_empty()).then_some(accounts),
        })
    }

    fn current(&self) -> Arc<Vec<KeyRecord>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.looked.elapsed() < FRESH {
            return loaded.keys.clone();
        }
        loaded.looked = Instant::now();
        let changed = changed(&self.path);
        if changed != loaded.changed {
            match read_keys(&self.path) {
                Ok(keys) => (loaded.keys, loaded.changed) = (Arc::new(keys), changed),
                // Those that were taken away may be among the old ones: nobody is let in.
                Err(error) => {
                    tracing::error!("cannot read the key file, denying all API keys: {error}");
                    loaded.keys = Arc::default();
                    loaded.changed = None;
                }
            }
        }
        loaded.keys.clone()
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::is_open;

    #[test]
    fn only_the_owner_or_a_group_that_root_lets_in_may_read_the_keys() {
        let (root, somebody) = (0, 1000);
        for mode in [0o400, 0o600] {
            assert!(!is_open(mode, root) && !is_open(mode, somebody), "{mode:o}");
        }
        for mode in [0o440, 0o640] {
            assert!(!is_open(mode, root) && is_open(mode, somebody), "{mode:o}");
        }
        for mode in [0o444, 0o604, 0o620, 0o660] {
            assert!(is_open(mode, root) && is_open(mode, somebody), "{mode:o}");
        }
    }
}
