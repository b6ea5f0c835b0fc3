//! Signatures after Standard Webhooks: HMAC-SHA256 over the id, the time and the body.

use data_encoding::BASE64;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

const PREFIX: &str = "whsec_";

/// A key that messages are signed with. Its `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Reads `whsec_` and base64.
    pub fn read(text: &SecretString) -> Result<Self, String> {
        let encoded = text.expose_secret().strip_prefix(PREFIX);
        let bytes = encoded.and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok());
        let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or(
            "expected `whsec_` and 24 to 64 bytes in base64, as \
             `echo whsec_$(openssl rand -base64 32)` makes",
        )?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// A key that was drawn now, and its text.
    pub fn random() -> Result<(Self, SecretString), ring::error::Unspecified> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes)?;
        let text = format!("{PREFIX}{}", BASE64.encode(&bytes));
        Ok((Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)), text.into()))
    }

    /// Returns true if one of `signatures`, which are separated by spaces, is that of this key.
    pub fn verifies(&self, id: &str, seconds: i64, body: &str, signatures: &str) -> bool {
        let message = format!("{id}.{seconds}.{body}");
        let tags = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
        let tags = tags.filter_map(|tag| BASE64.decode(tag.as_bytes()).ok());
        tags.into_iter().any(|tag| hmac::verify(&self.0, message.as_bytes(), &tag).is_ok())
    }

    /// The signature of a message, as a receiver compares it.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(tag.as_ref()))
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
            let read = SigningKey::read(&text.into());
            assert_eq!(read.is_ok(), is_one, "{text}");
            assert!(!format!("{read:?}").contains("MfKQ"));
        }
    }

    /// The example of the standard's own description.
    #[test]
    fn a_signature_is_that_of_the_published_example() {
        let secret = SigningKey::read(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let (id, seconds, body) =
            ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        let several = format!("v1,AAAA v2,x {signature}");
        assert!(secret.verifies(id, seconds, body, &several));
        assert!(!secret.verifies(id, seconds + 1, body, &several));
        assert!(!secret.verifies(id, seconds, "", &several));
        let (other, text) = SigningKey::random().unwrap();
        assert!(!other.verifies(id, seconds, body, &several));
        let same = SigningKey::read(&text).unwrap();
        assert_eq!(same.sign(id, seconds, body), other.sign(id, seconds, body));
    }
}
