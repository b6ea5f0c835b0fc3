//! Takes an account's secrets out of texts that people will read: the Platform may echo anything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::Account;

/// Knows the secrets, in every spelling in which they travel.
#[derive(Debug, Clone)]
pub(super) struct Scrubber {
    needles: Vec<SecretString>,
}

impl Scrubber {
    pub(super) fn new(account: &Account) -> Self {
        let mut needles = vec![basic(account)];
        for secret in [&account.client_secret, &account.api_key] {
            let plain = secret.expose_secret();
            let json = serde_json::Value::from(plain).to_string();
            needles.extend([plain.to_owned(), encoded(plain), json.trim_matches('"').to_owned()]);
        }
        needles.retain(|needle| !needle.is_empty());
        // A secret may be a part of another spelling: the longest goes first.
        needles.sort_unstable_by_key(|needle| std::cmp::Reverse(needle.len()));
        Self { needles: needles.into_iter().map(SecretString::from).collect() }
    }

    /// `text` without secrets, without control characters, and not longer than `limit` characters.
    pub(super) fn clean(&self, text: &str, limit: usize) -> String {
        let mut text = text.to_owned();
        for needle in &self.needles {
            text = text.replace(needle.expose_secret(), "[redacted]");
        }
        let words: Vec<&str> = text
            .split(|c: char| c.is_control() || c.is_whitespace())
            .filter(|w| !w.is_empty())
            .collect();
        let text = words.join(" ");
        match text.char_indices().nth(limit) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// What follows `Basic ` when a token is asked for: only the secret is form-urlencoded.
pub(super) fn basic(account: &Account) -> String {
    let secret = encoded(account.client_secret.expose_secret());
    STANDARD.encode(format!("{}:{secret}", account.client_id))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
