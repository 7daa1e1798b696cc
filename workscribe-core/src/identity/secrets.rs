//! Refresh tokens and mailed tokens.
//!
//! **Stored as hashes.** Only SHA-256 hashes are stored. The tokens have 256 random bits, so a slow hash would add nothing.
//!
//! **Derived.** The successor of a refresh token is `HMAC(key, token)`, and a mailed token is `HMAC(key, purpose, id)`. So the same
//! successor can be returned again within the grace period, and a mail job can make the token that it mails, while nothing is
//! stored in clear.
//!
//! **Refresh tokens prove their origin**: session id, secret, and a MAC over both. A token with a valid MAC that is neither current
//! nor in the grace period was issued once and is being used again. An invented token has no valid MAC, so nobody can end a
//! session by knowing its id.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Entropy;
use crate::id::SessionId;
use crate::ports::Secret;

use super::model::Purpose;

/// The SHA-256 hash of a token, or of the name of an account: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The hash in lower-case hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A symmetric key of the server, with a name that does not reveal the key.
#[derive(Clone)]
pub struct SecretKey {
    id: String,
    bytes: Vec<u8>,
}

impl SecretKey {
    /// The minimum length of a key in bytes (RFC 7518 §3.2).
    pub const MIN_BYTES: usize = 32;

    /// A key; `None` when it is shorter than [`SecretKey::MIN_BYTES`].
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        let bytes = secret.expose().as_bytes().to_vec();
        if bytes.len() < Self::MIN_BYTES {
            return None;
        }
        let digest = hmac(&bytes, &[b"workscribe key id v1"]);
        let id = URL_SAFE_NO_PAD.encode(&digest[..9]);
        Some(Self { id, bytes })
    }

    /// The name of the key: the `kid` of the tokens signed with it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id)
    }
}

/// The current key, and previous keys that are still accepted.
#[derive(Debug, Clone)]
pub struct SecretRing {
    current: SecretKey,
    accepted: Vec<SecretKey>,
}

impl SecretRing {
    /// A ring with a current key and other keys that are accepted.
    #[must_use]
    pub fn new(current: SecretKey, accepted: Vec<SecretKey>) -> Self {
        Self { current, accepted }
    }

    /// The current key.
    #[must_use]
    pub const fn current(&self) -> &SecretKey {
        &self.current
    }

    /// All keys, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &SecretKey> {
        std::iter::once(&self.current).chain(&self.accepted)
    }

    /// A mailed token for a purpose, made from its id with the named key (`None` for the current key); `None` when the ring has
    /// no such key.
    pub(crate) fn one_time(&self, key: Option<&str>, purpose: Purpose, id: Uuid) -> Option<String> {
        let key = match key {
            None => &self.current,
            Some(name) => self.all().find(|key| key.id == name)?,
        };
        let mac = hmac(&key.bytes, &[b"workscribe one-time v1", purpose.as_str().as_bytes(), id.as_bytes()]);
        Some(URL_SAFE_NO_PAD.encode(mac))
    }
}

/// The parts of a refresh token: 16 bytes of session id, 32 of secret, 16 of MAC.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    pub(crate) session: SessionId,
    secret: [u8; 32],
    mac: [u8; 16],
}

impl RefreshToken {
    /// The first token of a session.
    pub(crate) fn first(ring: &SecretRing, session: SessionId, entropy: &dyn Entropy) -> Self {
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        Self::with_secret(&ring.current, session, secret)
    }

    /// The token that follows this one. It is derived with the key that made this token's MAC, so that a change of the current key
    /// within the grace period does not change the result.
    pub(crate) fn successor(&self, ring: &SecretRing) -> Self {
        let key = self.origin(ring).unwrap_or(&ring.current);
        let secret = hmac(
            &key.bytes,
            &[b"workscribe refresh next v1", self.session.as_uuid().as_bytes(), &self.secret],
        );
        Self::with_secret(key, self.session, secret)
    }

    fn with_secret(key: &SecretKey, session: SessionId, secret: [u8; 32]) -> Self {
        let mac = Self::mac_of(key, session, &secret);
        Self { session, secret, mac }
    }

    fn mac_of(key: &SecretKey, session: SessionId, secret: &[u8; 32]) -> [u8; 16] {
        let full = hmac(&key.bytes, &[b"workscribe refresh mac v1", session.as_uuid().as_bytes(), secret]);
        let mut mac = [0; 16];
        mac.copy_from_slice(&full[..16]);
        mac
    }

    fn origin<'a>(&self, ring: &'a SecretRing) -> Option<&'a SecretKey> {
        use subtle::ConstantTimeEq;
        ring.all().find(|key| bool::from(Self::mac_of(key, self.session, &self.secret).ct_eq(&self.mac)))
    }

    /// Whether this server made the token.
    pub(crate) fn is_ours(&self, ring: &SecretRing) -> bool {
        self.origin(ring).is_some()
    }

    pub(crate) fn encode(&self) -> String {
        let mut bytes = [0; 64];
        bytes[..16].copy_from_slice(self.session.as_uuid().as_bytes());
        bytes[16..48].copy_from_slice(&self.secret);
        bytes[48..].copy_from_slice(&self.mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 64] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (mut secret, mut mac) = ([0; 32], [0; 16]);
        secret.copy_from_slice(&bytes[16..48]);
        mac.copy_from_slice(&bytes[48..]);
        Some(Self { session: Uuid::from_slice(&bytes[..16]).ok()?.into(), secret, mac })
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.encode())
    }
}

/// HMAC-SHA-256 over parts, each after its length, so that two different lists of parts never give the same input.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §2)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    fn ring(secret: &str) -> SecretRing {
        SecretRing::new(SecretKey::new(&Secret::new(secret)).unwrap(), vec![])
    }

    #[test]
    fn a_key_of_less_than_32_bytes_is_refused() {
        assert!(SecretKey::new(&Secret::new("x".repeat(31))).is_none());
        assert!(SecretKey::new(&Secret::new("x".repeat(32))).is_some());
    }

    #[test]
    fn the_same_token_has_the_same_successor_and_another_key_another() {
        let session = SessionId::from(Uuid::from_u128(1));
        let (ours, theirs) = (ring(&"a".repeat(32)), ring(&"b".repeat(32)));
        let token = RefreshToken::first(&ours, session, &SystemEntropy);
        assert_eq!(token.successor(&ours).encode(), token.successor(&ours).encode());
        assert_ne!(token.successor(&ours).encode(), token.successor(&theirs).encode());
        assert!(token.is_ours(&ours) && !token.is_ours(&theirs));
        assert!(token.successor(&ours).is_ours(&ours));
    }

    #[test]
    fn a_token_with_one_bit_changed_is_not_ours() {
        let ours = ring(&"a".repeat(32));
        let token = RefreshToken::first(&ours, SessionId::from(Uuid::from_u128(1)), &SystemEntropy);
        for at in [0, 16, 63] {
            let mut bytes = URL_SAFE_NO_PAD.decode(token.encode()).unwrap();
            bytes[at] ^= 1;
            assert!(!RefreshToken::decode(&URL_SAFE_NO_PAD.encode(bytes)).unwrap().is_ours(&ours));
        }
        assert!(RefreshToken::decode("").is_none() && RefreshToken::decode("AAAA").is_none());
    }

    #[test]
    fn a_token_of_an_accepted_key_keeps_its_successor_after_a_rotation_of_keys() {
        let old = SecretKey::new(&Secret::new("a".repeat(32))).unwrap();
        let new = SecretKey::new(&Secret::new("b".repeat(32))).unwrap();
        let before = SecretRing::new(old.clone(), vec![]);
        let after = SecretRing::new(new, vec![old]);
        let token = RefreshToken::first(&before, SessionId::from(Uuid::from_u128(1)), &SystemEntropy);
        assert_eq!(token.successor(&before).encode(), token.successor(&after).encode());
    }

    #[test]
    fn a_mailed_token_is_bound_to_its_purpose() {
        let ring = ring(&"a".repeat(32));
        let id = Uuid::from_u128(9);
        assert_ne!(
            ring.one_time(None, Purpose::ResetPassword, id),
            ring.one_time(None, Purpose::VerifyEmail, id)
        );
        let token = ring.one_time(Some(ring.current().id()), Purpose::ResetPassword, id).unwrap();
        assert_eq!(Some(token), ring.one_time(None, Purpose::ResetPassword, id));
        assert!(ring.one_time(Some("gone"), Purpose::ResetPassword, id).is_none());
    }
}
