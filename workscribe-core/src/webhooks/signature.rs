//! Signatures according to [Standard Webhooks](https://www.standardwebhooks.com), version 1 with a symmetric key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::{Entropy, Timestamp};
use crate::ports::Secret;

/// The header with the id of the message, the same in every attempt. A receiver ignores an id that it has already handled.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since 1970. A receiver refuses a message older than a few minutes.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with one or more signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// The key with which the messages to one endpoint are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; Self::BYTES]);

impl SigningSecret {
    /// Its length in bytes; the specification requires 24 to 64.
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

    /// The form for the receiver: `whsec_` and base64.
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

/// The secret of another service's webhooks, which verifies its messages: the counterpart of [`SigningSecret`]. Services that use
/// Svix send the same headers as `svix-id`, `svix-timestamp` and `svix-signature`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingSecret(Vec<u8>);

impl VerifyingSecret {
    /// The minimum length of a secret in bytes. The specification requires 24; older services have 16.
    pub const SHORTEST: usize = 16;
    /// The maximum difference between a message's time and now, in seconds. An intercepted message cannot be repeated later.
    pub const TOLERANCE: i64 = 5 * 60;

    /// Reads a secret in the form that services show: `whsec_` and base64. `None` for any other text, and for fewer bytes than
    /// [`VerifyingSecret::SHORTEST`].
    #[must_use]
    pub fn parse(secret: &Secret) -> Option<Self> {
        let bytes = STANDARD.decode(secret.expose().trim().strip_prefix(SigningSecret::PREFIX)?).ok()?;
        (bytes.len() >= Self::SHORTEST).then_some(Self(bytes))
    }

    /// Whether a message was signed with the secret, and its time is within [`VerifyingSecret::TOLERANCE`] of now. Pass the three
    /// headers as received, and the body byte for byte.
    #[must_use]
    pub fn is_of(&self, id: &str, timestamp: &str, signatures: &str, body: &[u8], now: Timestamp) -> bool {
        let Ok(seconds) = timestamp.parse::<i64>() else { return false };
        if now.timestamp().abs_diff(seconds) > Self::TOLERANCE.unsigned_abs() {
            return false;
        }
        let given = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
        // The comparison takes constant time.
        given
            .filter_map(|signature| STANDARD.decode(signature).ok())
            .any(|signature| mac(&self.0, id, seconds, body).verify_slice(&signature).is_ok())
    }
}

impl fmt::Debug for VerifyingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingSecret(…)")
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

fn sign(key: &[u8], id: &str, seconds: i64, body: &str) -> String {
    format!("v1,{}", STANDARD.encode(mac(key, id, seconds, body.as_bytes()).finalize().into_bytes()))
}

fn mac(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §2)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example from the specification's own libraries.
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
    fn a_message_is_known_by_one_of_its_signatures_its_bytes_and_its_time() {
        let secret =
            VerifyingSecret::parse(&Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n")).unwrap();
        let (id, body) =
            ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", br#"{"email":"test@example.com","username":"test_user"}"#);
        let right = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        let at = |seconds| Timestamp::from_timestamp(1_649_367_553 + seconds, 999_999_000).unwrap();
        let is_of = |signatures: &str, at| secret.is_of(id, "1649367553", signatures, body, at);
        for signatures in [right.to_owned(), format!("v1,AAAA {right}"), format!("v2,x {right} v1,!")] {
            assert!(is_of(&signatures, at(0)), "{signatures}");
        }
        for signatures in
            ["", "v1,", &right[3..], &right.replace("v1", "v2"), &right.replace("tZ1", "tZ2"), "v1,AAAA"]
        {
            assert!(!is_of(signatures, at(0)), "{signatures}");
        }
        for seconds in [-VerifyingSecret::TOLERANCE, VerifyingSecret::TOLERANCE] {
            assert!(is_of(right, at(seconds)));
            assert!(!is_of(right, at(seconds + seconds.signum())), "{seconds}");
        }
        assert!(!secret.is_of("msg_other", "1649367553", right, body, at(0)));
        assert!(!secret.is_of(id, "1649367554", right, body, at(0)));
        assert!(!secret.is_of(id, "-9223372036854775808", right, body, at(0)));
        assert!(!secret.is_of(id, "", right, body, at(0)));
        assert!(!secret.is_of(id, "1649367553", right, b"{}", at(0)));
        let other = VerifyingSecret::parse(&Secret::new("whsec_D2FVsBQIhrscChlQIMV+b5sSYspob7oD")).unwrap();
        assert!(!other.is_of(id, "1649367553", right, body, at(0)));
        for bad in [
            "",
            "whsec_",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_C2FVsBQ=",
            "whsec_not base64 at all, this",
        ] {
            assert!(VerifyingSecret::parse(&Secret::new(bad)).is_none(), "{bad}");
        }
        assert_eq!(format!("{other:?}"), "VerifyingSecret(…)");
    }

    #[test]
    fn a_secret_is_shown_where_it_is_asked_for_alone() {
        let secret = SigningSecret::of_bytes([7; 32]);
        assert_eq!(secret.expose(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
