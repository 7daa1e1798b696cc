//! Signatures as [Standard Webhooks](https://www.standardwebhooks.com) has them, version 1 with a symmetric key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::{Entropy, Timestamp};

/// The header that names the message, the same in every attempt: a receiver that has seen it is done.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since 1970. A receiver refuses what is older than some minutes.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with one or more signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// The key with which the messages to one endpoint are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; Self::BYTES]);

impl SigningSecret {
    /// How long it is; the specification asks for 24 to 64.
    pub const BYTES: usize = 32;
    const PREFIX: &str = "whsec_";

    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; Self::BYTES];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    pub(crate) const fn of_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// As the receiver gets it: `whsec_` and base64.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}{}", Self::PREFIX, STANDARD.encode(self.0))
    }

    /// The value of the signature header for a message sent at a time.
    #[must_use]
    pub fn sign(&self, id: &str, at: Timestamp, body: &str) -> String {
        sign(&self.0, id, at.timestamp(), body)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

fn sign(key: &[u8], id: &str, seconds: i64, body: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §2)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = STANDARD.decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            sign(&key, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn a_secret_is_shown_where_it_is_asked_for_alone() {
        let secret = SigningSecret::of_bytes([7; 32]);
        assert_eq!(secret.expose(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
