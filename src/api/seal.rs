//! Seals positions, so that only the server can read them.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// Bytes of a secret.
const LENGTH: usize = 32;

/// Secret of a key record that seals its positions. The owner of the API key does not know it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct CursorSecret([u8; LENGTH]);

/// Seals and opens with the secret of one key record.
pub(super) struct Seal(LessSafeKey);

impl CursorSecret {
    /// Draws a new one.
    pub(super) fn random() -> Result<Self, Unspecified> {
        let mut secret = [0; LENGTH];
        SystemRandom::new().fill(&mut secret)?;
        Ok(Self(secret))
    }
}

impl fmt::Debug for CursorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorSecret")
    }
}

impl From<CursorSecret> for String {
    fn from(secret: CursorSecret) -> Self {
        HEXLOWER.encode(&secret.0)
    }
}

impl FromStr for CursorSecret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("expected a secret of 64 hexadecimal digits")
    }
}

impl TryFrom<String> for CursorSecret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(super) fn new(secret: &CursorSecret) -> Self {
        // Only another length than that of `LENGTH` is an error.
        let key = UnboundKey::new(&CHACHA20_POLY1305, &secret.0);
        Self(LessSafeKey::new(key.expect("the secret has the length of a key")))
    }

    /// Seals `text` for `purpose`, differently each time, so that two positions cannot even be compared.
    pub(super) fn seal(&self, purpose: &str, text: &[u8]) -> Result<String, Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce)?;
        let mut sealed = text.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(unique, Aad::from(purpose), &mut sealed)?;
        Ok(BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed with the same secret for `purpose`.
    pub(super) fn open<const N: usize>(&self, purpose: &str, text: &str) -> Option<[u8; N]> {
        let mut bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.0.open_in_place(nonce, Aad::from(purpose), sealed).ok()?;
        <[u8; N]>::try_from(&*opened).ok()
    }
}
