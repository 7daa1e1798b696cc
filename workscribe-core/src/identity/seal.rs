//! Secrets that must be read again in clear, such as the keys that sign webhooks: encrypted with a key of the server.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::clock::Entropy;

use super::secrets::{SecretKey, SecretRing, hmac};

/// Encrypted bytes, and the name of the key that decrypts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// [`SecretKey::id`] of the key.
    pub key_id: String,
    /// The nonce, the encrypted bytes and the tag.
    pub bytes: Vec<u8>,
}

impl SecretRing {
    /// Encrypts bytes with AES-256-GCM and the current key. Decryption needs the same `context`, so that a value sealed for one
    /// row cannot be used in another row.
    pub(crate) fn seal(&self, context: &[u8], plain: &[u8], entropy: &dyn Entropy) -> Option<Sealed> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut rest = plain.to_vec();
        let key = cipher(self.current())?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut rest)
            .ok()?;
        let bytes = [&nonce[..], &rest].concat();
        Some(Sealed { key_id: self.current().id().to_owned(), bytes })
    }

    /// Decrypts the result of [`SecretRing::seal`]; `None` when its key is not in the ring, or the value or the context is wrong.
    pub(crate) fn open(&self, context: &[u8], sealed: &Sealed) -> Option<Vec<u8>> {
        let key = self.all().find(|key| key.id() == sealed.key_id)?;
        let (nonce, rest) = sealed.bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        let plain = cipher(key)?.open_in_place(nonce, Aad::from(context), &mut rest).ok()?;
        Some(plain.to_vec())
    }
}

fn cipher(key: &SecretKey) -> Option<LessSafeKey> {
    let key = hmac(key.bytes(), &[b"workscribe seal v1"]);
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::ports::Secret;

    fn key(letter: &str) -> SecretKey {
        SecretKey::new(&Secret::new(letter.repeat(32))).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_context_alone_and_after_a_change_of_keys() {
        let before = SecretRing::new(key("a"), vec![]);
        let sealed = before.seal(b"row 1", b"secret", &SystemEntropy).unwrap();
        assert!(!sealed.bytes.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(before.open(b"row 1", &sealed).unwrap(), b"secret");
        assert_eq!(before.open(b"row 2", &sealed), None);
        let after = SecretRing::new(key("b"), vec![key("a")]);
        assert_eq!(after.open(b"row 1", &sealed).unwrap(), b"secret");
        assert_eq!(SecretRing::new(key("b"), vec![]).open(b"row 1", &sealed), None);
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let ring = SecretRing::new(key("a"), vec![]);
        let sealed = ring.seal(b"", b"secret", &SystemEntropy).unwrap();
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(ring.open(b"", &changed), None);
        }
        assert_eq!(ring.open(b"", &Sealed { bytes: vec![1, 2], ..sealed }), None);
    }
}
