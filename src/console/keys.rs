//! The API keys: who has which, and a new one, which is shown once.

use askama::Template;

use super::acts::Act;
use super::frame::Frame;
use super::text::{Moment, Sentence, encoded, visible};
use ferry_types::contract::{CreatedKeyView, KeyView};

/// A key in the list.
#[derive(Debug)]
pub(crate) struct KeyRow {
    name: String,
    role: String,
    accounts: String,
    created: Moment,
    revoke: Act,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "keys.html")]
pub(crate) struct KeysPage {
    frame: Frame,
    keys: Vec<KeyRow>,
    /// The error for which nothing is shown.
    error: Option<Sentence>,
    /// The accounts that a key may be bound to.
    accounts: Vec<String>,
    /// A new key: its name, and itself.
    created: Option<(String, String)>,
    /// The reason for which an act was not done.
    conflict: Option<Sentence>,
}

impl KeysPage {
    /// The page of these keys, or of the error for which there are none.
    pub(crate) fn new(
        frame: Frame,
        keys: Result<Vec<KeyView>, String>,
        accounts: Vec<String>,
    ) -> Self {
        let own = frame.viewer.as_ref().map(|viewer| viewer.name.clone()).unwrap_or_default();
        let (keys, error) = match keys {
            Ok(keys) => (keys, None),
            Err(error) => (Vec::new(), Some(error.as_str().into())),
        };
        let keys = keys.iter().map(|key| row(key, &own)).collect();
        Self { frame, keys, error, accounts, created: None, conflict: None }
    }

    /// The same with a key that was just created.
    pub(crate) fn with_created(self, created: CreatedKeyView) -> Self {
        Self { created: Some((created.name, created.key)), ..self }
    }

    /// The same after an act that the keys, or their file, do not allow.
    pub(crate) fn after_conflict(self, why: &str) -> Self {
        Self { conflict: Some(why.into()), ..self }
    }
}

fn row(key: &KeyView, own: &str) -> KeyRow {
    let accounts = key.accounts.as_ref().map(|accounts| visible(&accounts.join(", ")));
    let encoded = encoded(&key.name);
    let consequence = if key.name == own {
        "This is your own key: your session ends, too. Its programs and sessions are denied within a second."
    } else {
        "Its programs and sessions are denied within a second. It cannot be made again."
    };
    KeyRow {
        name: visible(&key.name),
        role: key.role.clone(),
        accounts: accounts.unwrap_or_else(|| "all".to_owned()),
        created: key.created_at.into(),
        revoke: Act::harmful(format!("/console/keys/{encoded}/revoke"), "Revoke", consequence),
    }
}
