//! The secrets of an account, read again where they stand in files, so that they can be rotated.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::account::AccountConfig;
use super::scrub::Scrubber;
use super::secret::{AccountSecret, read_secret};

/// Secret files are read again so often at most, unless a secret was denied.
const AGAIN: Duration = Duration::from_secs(1);

/// The secrets of one account as they are now.
#[derive(Debug)]
pub(super) struct Secrets {
    client_id: String,
    scrubber: Scrubber,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    client_secret: AccountSecret,
    api_key: AccountSecret,
    read_at: Instant,
    failing: bool,
}

impl Secrets {
    pub(super) fn new(account: &AccountConfig, scrubber: Scrubber) -> Self {
        let current = Current {
            client_secret: account.client_secret.clone(),
            api_key: account.api_key.clone(),
            read_at: Instant::now(),
            failing: false,
        };
        Self { client_id: account.client_id.clone(), scrubber, current: Mutex::new(current) }
    }

    pub(super) fn client_secret(&self) -> AccountSecret {
        self.current().client_secret.clone()
    }

    pub(super) fn api_key(&self) -> AccountSecret {
        self.current().api_key.clone()
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Reads the files again, unless that was done a moment ago.
    pub(super) fn refresh_if_old(&self) {
        if self.current().read_at.elapsed() >= AGAIN {
            self.refresh();
        }
    }

    /// Reads the files again. Returns true if a secret is another one now.
    pub(super) fn refresh(&self) -> bool {
        let mut current = self.current();
        current.read_at = Instant::now();
        let (client_secret, api_key) = (current.client_secret.clone(), current.api_key.clone());
        let (mut changed, mut failed) = (false, false);
        for (name, secret) in [("client_secret", client_secret), ("api_key", api_key)] {
            let Some(file) = secret.file() else { continue };
            match read_secret(file) {
                Ok(text) if text.is_empty() || text == secret.expose() => {}
                Ok(text) => {
                    let new = AccountSecret::from(text).in_file(Some(file.to_owned()));
                    match name {
                        "api_key" => current.api_key = new,
                        _ => current.client_secret = new,
                    }
                    info!("`{name}` was replaced in its file, and is used from now on");
                    changed = true;
                }
                Err(error) => {
                    if !current.failing {
                        warn!("cannot read `{name}` again, and use it as it was: {error}");
                    }
                    failed = true;
                }
            }
        }
        current.failing = failed;
        if changed {
            self.scrubber.learn(
                &self.client_id,
                current.client_secret.expose(),
                current.api_key.expose(),
            );
        }
        changed
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
