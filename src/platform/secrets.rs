//! The secrets of an account as they are now.

use secrecy::SecretString;

use super::account::AccountConfig;
use super::scrub::Scrubber;
use crate::secret::Secret;

/// The secrets of one account, and the scrubber that must know them.
#[derive(Debug)]
pub(super) struct Secrets {
    client_id: String,
    client_secret: Secret,
    api_key: Secret,
    scrubber: Scrubber,
}

impl Secrets {
    pub(super) fn new(account: &AccountConfig, scrubber: Scrubber) -> Self {
        Self {
            client_id: account.client_id.clone(),
            client_secret: account.client_secret.clone(),
            api_key: account.api_key.clone(),
            scrubber,
        }
    }

    pub(super) fn client_secret(&self) -> SecretString {
        self.client_secret.get()
    }

    pub(super) fn api_key(&self) -> SecretString {
        self.api_key.get()
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Reads the files again, unless that was done a moment ago.
    pub(super) fn refresh_if_old(&self) {
        self.learn(self.client_secret.refresh_if_old() | self.api_key.refresh_if_old());
    }

    /// Reads the files again. Returns true if a secret has changed.
    pub(super) fn refresh(&self) -> bool {
        self.learn(self.client_secret.refresh() | self.api_key.refresh())
    }

    fn learn(&self, changed: bool) -> bool {
        if changed {
            self.scrubber.learn(&self.client_id, &self.client_secret(), &self.api_key());
        }
        changed
    }
}
