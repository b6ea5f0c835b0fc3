//! Sessions of the console. One is a signed cookie that names a key: nothing is stored, and each request
//! looks the key up in the file.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::error::Unspecified;
use ring::hmac::{self, HMAC_SHA256, Key};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::to_json::to_json;
use ferry_types::domain::{Timestamp, later};

/// Time for which a session is valid; use extends it, up to a longest.
const VALID: Duration = Duration::from_hours(12);
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// A session is extended when so much of its time is over: not with each request.
const EXTENDED_AFTER: Duration = Duration::from_hours(1);

/// Separates sessions from other signed values.
const PURPOSE: &str = "session";

/// Fewest characters of a secret.
const SHORTEST: usize = 32;

/// The secret that signs sessions.
#[derive(Clone)]
pub struct SessionSecret(Secret<Key>);

impl SessionSecret {
    /// The configured secret, from a file if there is one, which is followed.
    pub fn new(text: SecretString, file: Option<PathBuf>) -> Result<Self, String> {
        Secret::new("`session_secret`", text, file, key).map(Self)
    }

    /// A secret of this process: its end ends the sessions.
    pub fn random() -> Result<Self, Unspecified> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes)?;
        let text = BASE64URL_NOPAD.encode(&bytes);
        Self::new(text.into(), None).map_err(|_| Unspecified)
    }

    /// A value for a browser, which nothing without this secret could have made; `purpose`
    /// separates it from signed values of other kinds.
    pub(in crate::api) fn signed(&self, purpose: &str, value: &impl Serialize) -> String {
        let body = BASE64URL_NOPAD.encode(to_json(value).as_bytes());
        let tag = hmac::sign(&self.key(), format!("{purpose}.{body}").as_bytes());
        format!("{body}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
    }

    /// The value that was signed for this purpose.
    pub(in crate::api) fn verified<T: DeserializeOwned>(
        &self,
        purpose: &str,
        text: &str,
    ) -> Option<T> {
        let (body, tag) = text.split_once('.')?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        hmac::verify(&self.key(), format!("{purpose}.{body}").as_bytes(), &tag).ok()?;
        serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).ok()?).ok()
    }

    fn key(&self) -> Key {
        self.0.refresh_if_old();
        self.0.get()
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn key(text: &SecretString) -> Result<Key, String> {
    let text = text.expose_secret();
    if text.chars().count() < SHORTEST {
        return Err(format!("expected {SHORTEST} characters or more"));
    }
    Ok(Key::new(HMAC_SHA256, text.as_bytes()))
}

/// A session of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::api) struct Session {
    /// Name of the key.
    pub(in crate::api) name: String,
    /// The first digits of its hash: a key that was made again is another one.
    pub(in crate::api) digits: String,
    /// The times of the login and of the end, in seconds.
    started: i64,
    expires: i64,
}

impl Session {
    /// A session that begins now.
    pub(in crate::api) fn begin(name: String, digits: String, now: Timestamp) -> Self {
        let (started, expires) = (now.timestamp(), later(now, VALID).timestamp());
        Self { name, digits, started, expires }
    }

    /// The session that `text` is, if it was signed with this secret and is valid.
    pub(in crate::api) fn read(text: &str, secret: &SessionSecret, now: Timestamp) -> Option<Self> {
        let session: Self = secret.verified(PURPOSE, text)?;
        let now = now.timestamp();
        (session.started <= now && now < session.expires).then_some(session)
    }

    /// The text of the cookie.
    pub(in crate::api) fn signed(&self, secret: &SessionSecret) -> String {
        secret.signed(PURPOSE, self)
    }

    /// The session after a request, if that extends it.
    pub(in crate::api) fn extended(&self, now: Timestamp) -> Option<Self> {
        let end = self.started + LONGEST.as_secs() as i64;
        let expires = later(now, VALID).timestamp().min(end);
        let gained = expires - self.expires;
        let is_worth_it = gained >= EXTENDED_AFTER.as_secs() as i64;
        is_worth_it.then(|| Self { expires, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::timestamp;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        timestamp(1_770_000_000_000 + hours * HOUR)
    }

    fn secret(text: &str) -> SessionSecret {
        SessionSecret::new(text.into(), None).expect("it is long enough")
    }

    #[test]
    fn a_session_lasts_twelve_hours_and_use_extends_it_to_seven_days() {
        let secret = secret(&"s".repeat(SHORTEST));
        let begun = Session::begin("ops".to_owned(), "0123".to_owned(), at(0));
        let text = begun.signed(&secret);
        assert_eq!(Session::read(&text, &secret, at(11)), Some(begun.clone()));
        assert_eq!(Session::read(&text, &secret, at(12)), None);
        assert_eq!(Session::read(&text, &secret, at(-1)), None);
        assert_eq!(begun.extended(timestamp(1_770_000_000_000 + HOUR / 2)), None);
        let mut session = begun;
        for hour in (0..200).step_by(2) {
            if Session::read(&session.signed(&secret), &secret, at(hour)).is_none() {
                assert_eq!(hour, 7 * 24);
                return;
            }
            session = session.extended(at(hour)).unwrap_or(session);
        }
        panic!("it never ends");
    }

    #[test]
    fn a_session_of_another_secret_or_with_one_changed_character_is_none() {
        let (own, other) = (secret(&"s".repeat(SHORTEST)), secret(&"t".repeat(SHORTEST)));
        let session = Session::begin("ops".to_owned(), "0123".to_owned(), at(0));
        let text = session.signed(&own);
        assert_eq!(Session::read(&text, &other, at(1)), None);
        for position in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(Session::read(&changed, &own, at(1)), None, "{changed}");
        }
        assert!(SessionSecret::new("short".into(), None).is_err());
        let random = [(); 2].map(|()| SessionSecret::random().expect("there is randomness"));
        assert_ne!(session.signed(&random[0]), session.signed(&random[1]));
    }
}
