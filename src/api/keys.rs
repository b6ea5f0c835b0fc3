//! The API keys of a server, which follow their file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use subtle::ConstantTimeEq;
use tracing::{error, info};

use super::caller::Caller;
use super::error::ApiError;
use super::key_file::{KeyRecord, KeysError, hash, read_keys};
use super::positions::Positions;
use super::seal::Seal;
use super::shares::Owner;
use crate::followed_files::FollowedFiles;
use ferry_types::causes::chain;
use ferry_types::contract::ProblemKind;
use ferry_types::recurring::Recurring;

/// The keys of a server.
#[derive(Debug)]
pub struct Keys {
    path: PathBuf,
    loaded: Mutex<LoadedKeys>,
}

#[derive(Debug)]
struct LoadedKeys {
    file: FollowedFiles,
    keys: Arc<Vec<KeyRecord>>,
    /// The error for which all keys are denied.
    error: Option<String>,
    failures: Recurring,
}

impl Keys {
    /// Reads the file, which must exist.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        let (file, keys) = FollowedFiles::open([path.to_owned()], || read_keys(path))?;
        let failures = Recurring::default();
        let loaded = LoadedKeys { file, keys: Arc::new(keys), error: None, failures };
        Ok(Self { path: path.to_owned(), loaded: Mutex::new(loaded) })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the owner of a key. It takes as long whichever it is.
    pub(super) fn caller(&self, key: &str) -> Option<Caller> {
        let presented = hash(key);
        let mut found = None;
        let keys = self.current().keys.clone();
        for record in keys.iter() {
            if bool::from(record.hash.as_bytes().ct_eq(presented.as_bytes())) {
                found = Some(record.clone());
            }
        }
        found.map(caller_of)
    }

    /// The owner of the key of this name whose hash begins with these digits.
    pub(super) fn named(&self, name: &str, digits: &str) -> Option<Caller> {
        let keys = self.current().keys.clone();
        let found = keys.iter().find(|key| key.name == name && key.hash.starts_with(digits));
        found.cloned().map(caller_of)
    }

    /// Returns an error if the key of `caller` was revoked, or its rights changed, since its request began:
    /// what takes its time to arrive, or to get its response, is not for a key that is gone.
    pub(super) fn check(keys: Option<&Self>, caller: &Caller) -> Result<(), ApiError> {
        match (keys, &caller.key) {
            (Some(keys), Some(key)) if !keys.has(key) => {
                let what = "this key was revoked, or changed, while the request ran";
                Err(ApiError::new(ProblemKind::Unauthenticated, what))
            }
            _ => Ok(()),
        }
    }

    /// True if the file has this key still, with the same rights.
    fn has(&self, known: &KeyRecord) -> bool {
        let keys = self.current().keys.clone();
        keys.iter().any(|key| {
            key.hash == known.hash && key.role == known.role && key.accounts == known.accounts
        })
    }

    /// The error for which all keys are denied, if there is one.
    pub(super) fn error(&self) -> Option<String> {
        self.current().error.clone()
    }

    fn current(&self) -> MutexGuard<'_, LoadedKeys> {
        let mut loaded = self.loaded.lock();
        if !loaded.file.is_due() {
            return loaded;
        }
        match loaded.file.read(|| read_keys(&self.path)) {
            None => {}
            Some(Ok(keys)) => {
                (loaded.keys, loaded.error) = (Arc::new(keys), None);
                loaded.failures.worked(|_| info!("the key file can be read again"));
            }
            // Revoked ones may be among the old keys.
            Some(Err(error)) => {
                let error = chain(&error);
                loaded.failures.failed(|| {
                    error!(error, "cannot read the key file, denying all API keys");
                });
                (loaded.keys, loaded.error) = (Arc::default(), Some(error));
            }
        }
        loaded
    }
}

fn caller_of(record: KeyRecord) -> Caller {
    let KeyRecord { name, role, accounts, cursor_secret, .. } = record.clone();
    let secret = cursor_secret.filter(|_| !accounts.is_empty());
    Caller {
        key: Some(Arc::new(record)),
        owner: Owner::Key(name.as_str().into()),
        name,
        role,
        accounts: (!accounts.is_empty()).then_some(accounts),
        positions: secret
            .map_or(Positions::Plain, |secret| Positions::Sealed(Arc::new(Seal::new(&secret)))),
    }
}
