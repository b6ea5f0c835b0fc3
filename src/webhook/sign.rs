//! Signatures after Standard Webhooks: HMAC-SHA256 over the id, the time and the body.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

const PREFIX: &str = "whsec_";

/// A secret that messages are signed with. Its `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct Secret(hmac::Key);

/// The text is no secret of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `whsec_` and 24 to 64 bytes in base64, as `echo whsec_$(openssl rand -base64 32)` makes"
)]
pub struct UnusableSecretError;

impl Secret {
    /// Reads `whsec_` and base64.
    pub fn read(text: &SecretString) -> Result<Self, UnusableSecretError> {
        let encoded = text.expose_secret().strip_prefix(PREFIX).ok_or(UnusableSecretError)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| UnusableSecretError)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(UnusableSecretError);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The signature of a message, as a receiver compares it.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_what_the_standard_says() {
        for (text, is_one) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false),
            ("whsec_c2hvcnQ=", false),
            ("whsec_not base64 at all, not base64 at all", false),
            ("", false),
        ] {
            let read = Secret::read(&text.into());
            assert_eq!(read.is_ok(), is_one, "{text}");
            assert!(!format!("{read:?}").contains("MfKQ"));
        }
    }

    /// The example of the standard's own description.
    #[test]
    fn a_signature_is_that_of_the_published_example() {
        let secret = Secret::read(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
