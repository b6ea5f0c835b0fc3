//! The secrets of an account as they are now.

use secrecy::{ExposeSecret, SecretString};

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

    /// Words about a value in quotes, which are sent as a part of it: shells take them away, and files
    /// of variables may not.
    pub(super) fn remark(&self) -> String {
        let (secret, api_key) = (self.client_secret(), self.api_key());
        let values = [
            ("client_id", self.client_id()),
            ("client_secret", secret.expose_secret()),
            ("api_key", api_key.expose_secret()),
        ];
        let quoted = values.iter().find(|(_, value)| is_quoted(value));
        quoted.map_or_else(String::new, |(name, _)| {
            format!("; `{name}` begins and ends with a quote, which is sent as a part of it")
        })
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

fn is_quoted(text: &str) -> bool {
    let inside = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    ['"', '\'', '`'].into_iter().any(|quote| inside(quote).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_quotes_is_seen() {
        for text in ["\"a b\"", "'a'", "``"] {
            assert!(is_quoted(text), "{text}");
        }
        for text in ["", "\"", "a", "\"a", "a'", "\"a'", "a\"b\"c"] {
            assert!(!is_quoted(text), "{text}");
        }
    }
}
