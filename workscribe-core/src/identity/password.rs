//! The rules for a new password.

use std::sync::Arc;

use async_trait::async_trait;
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Fault, Result};
use crate::limits::Limit;
use crate::ports::{PasswordHasher, Secret, Verdict};

/// The maximum length of a password, in characters of its normal form. No part of a password is ever ignored.
pub const MAX_PASSWORD_CHARS: usize = Limit::PasswordCharacters.default_value() as usize;

/// The passwords of at least 8 characters in a public list of 20,000 passwords that are guessed first (see the NOTICE file), in
/// lower case and sorted by bytes.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password with more bytes than this is invalid in every form, so it is not normalised.
const LONGEST_NORMALISED: usize = 8_192;

/// The form in which a password is checked and hashed: Normalization Form KC.
///
/// Keyboards and systems write one character in several ways: `é` as one or as two, digits of a Japanese keyboard, spaces. NIST
/// SP 800-63B-4 §3.1.1.2 requires NFKC or NFKD before hashing; OpaqueString (RFC 8265 §4.2.2) requires NFC, and a plain space in
/// place of every other space. NFKC satisfies the purpose of both, and the others do not: texts that NFC makes equal are equal in
/// NFKC, and NFKC makes plain spaces of the other spaces (except the Ogham space mark). Upper and lower case stay different.
fn normalised(password: &Secret) -> Secret {
    let text = password.expose();
    if text.is_ascii() || text.len() > LONGEST_NORMALISED {
        return password.clone();
    }
    Secret::new(text.nfkc().collect::<String>())
}

/// A hasher that gets only normalised passwords. A hash that was made of a password before passwords were normalised still matches
/// that password, and counts as outdated.
pub(crate) struct Normalising(pub(crate) Arc<dyn PasswordHasher>);

#[async_trait]
impl PasswordHasher for Normalising {
    async fn hash(&self, password: &Secret) -> Result<String> {
        self.0.hash(&normalised(password)).await
    }

    async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<Verdict> {
        let normal = normalised(password);
        let verdict = self.0.verify(&normal, hash).await?;
        if verdict != Verdict::Wrong || normal.expose() == password.expose() {
            return Ok(verdict);
        }
        // This is tried also when there is no hash, so that the time reveals no accounts.
        Ok(match self.0.verify(password, hash).await? {
            Verdict::Wrong => Verdict::Wrong,
            Verdict::Right | Verdict::RightButOutdated => Verdict::RightButOutdated,
        })
    }
}

/// The rules for a new password: a minimum length, and not a common password. There is no composition rule, since such rules
/// make passwords worse (NIST SP 800-63B §3.1.1.2; OWASP ASVS 5.0, 6.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The minimum number of characters (Unicode scalar values) in the normal form. The default is 8.
    pub min_chars: usize,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_chars: 8 }
    }
}

impl PasswordPolicy {
    /// Checks a new password in its normal form.
    ///
    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG` or `TOO_COMMON`.
    pub fn check(&self, password: &Secret) -> Result<(), Fault> {
        let password = normalised(password);
        let text = password.expose();
        let chars = text.chars().count();
        if chars < self.min_chars {
            return Err(Fault::new("TOO_SHORT", format!("Use at least {} characters.", self.min_chars)));
        }
        if chars > MAX_PASSWORD_CHARS {
            return Err(Fault::new("TOO_LONG", "Use at most 128 characters."));
        }
        if is_common(text) {
            return Err(Fault::new(
                "TOO_COMMON",
                "This password is one of those guessed first. Choose another.",
            ));
        }
        Ok(())
    }
}

fn is_common(password: &str) -> bool {
    let wanted = password.to_lowercase();
    let (mut low, mut high) = (0, COMMON.len());
    // Binary search over lines of different lengths: go back from the middle to the start of a line.
    while low < high {
        let middle = usize::midpoint(low, high);
        let start = COMMON[..middle].rfind('\n').map_or(0, |at| at + 1).max(low);
        let end = COMMON[start..].find('\n').map_or(COMMON.len(), |at| start + at);
        match COMMON[start..end].cmp(wanted.as_str()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_password_of_the_list_is_found_in_it() {
        assert!(COMMON.lines().is_sorted(), "the search needs a sorted list");
        assert!(COMMON.lines().all(is_common));
        assert!(is_common("PassWord1"));
        for fine in ["", "correct horse battery staple", "zzzzzzzzzzzzzzzzzzzzz9", "!!aa"] {
            assert!(!is_common(fine), "{fine}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_not_bytes() {
        let check =
            |text: String| PasswordPolicy::default().check(&Secret::new(text)).map_err(|fault| fault.code);
        assert_eq!(check("🔑".repeat(7)), Err("TOO_SHORT"));
        assert_eq!(check("🔑".repeat(8)), Ok(()));
        assert_eq!(check("🔑".repeat(128)), Ok(()));
        assert_eq!(check("🔑".repeat(129)), Err("TOO_LONG"));
        assert_eq!(check("password123".into()), Err("TOO_COMMON"));
    }

    #[test]
    fn what_is_checked_is_the_normalised_form() {
        let check =
            |text: String| PasswordPolicy::default().check(&Secret::new(text)).map_err(|fault| fault.code);
        assert_eq!(check("e\u{301}".repeat(7)), Err("TOO_SHORT"), "14 characters as they came");
        assert_eq!(check("e\u{301}".repeat(128)), Ok(()), "256 characters as they came");
        assert_eq!(check("\u{fdfa}".repeat(8)), Err("TOO_LONG"), "each stands for 18");
        assert_eq!(check("ｐａｓｓｗｏｒｄ１２３".into()), Err("TOO_COMMON"));
        assert_eq!(check("é".repeat(5_000)), Err("TOO_LONG"));
    }

    #[tokio::test]
    async fn one_password_in_two_forms_has_one_hash_and_a_hash_of_the_form_that_came_is_outdated() {
        let inner: Arc<dyn PasswordHasher> = Arc::new(crate::local::BcryptHasher::new(4));
        let hasher = Normalising(Arc::clone(&inner));
        let [composed, apart] =
            ["Caf\u{e9} Zo\u{eb} 12", "Cafe\u{301}\u{a0}Zoe\u{308}\u{3000}１２"].map(Secret::new);
        let hash = hasher.hash(&apart).await.unwrap();
        for same in [&composed, &apart] {
            assert_eq!(hasher.verify(same, Some(&hash)).await.unwrap(), Verdict::Right);
        }
        for other in ["cafe zoe 12", "Cafe\u{300} Zoe\u{308} 12", "caf\u{e9} zo\u{eb} 12"] {
            assert_eq!(hasher.verify(&Secret::new(other), Some(&hash)).await.unwrap(), Verdict::Wrong);
        }
        let old = inner.hash(&apart).await.unwrap();
        assert_eq!(hasher.verify(&apart, Some(&old)).await.unwrap(), Verdict::RightButOutdated);
        assert_eq!(hasher.verify(&composed, Some(&old)).await.unwrap(), Verdict::Wrong);
        assert_eq!(hasher.verify(&apart, None).await.unwrap(), Verdict::Wrong);
    }
}
