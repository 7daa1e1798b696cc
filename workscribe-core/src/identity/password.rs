use crate::error::Fault;
use crate::ports::Secret;

/// The longest password, in characters. No part of one is ever ignored.
pub const MAX_PASSWORD_CHARS: usize = 128;

/// The 8 characters and longer of a public list of 20,000 passwords that are guessed first (see the NOTICE file), in
/// lower case and sorted by bytes.
const COMMON: &str = include_str!("common_passwords.txt");

/// The rules for a new password: a length, and not one of the common ones. No composition rule, since they
/// make passwords worse (NIST SP 800-63B §3.1.1.2; OWASP ASVS 5.0, 6.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The fewest characters (Unicode scalar values). The default is 8.
    pub min_chars: usize,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_chars: 8 }
    }
}

impl PasswordPolicy {
    /// Checks a new password.
    ///
    /// # Errors
    /// `TOO_SHORT`, `TOO_LONG` or `TOO_COMMON`.
    pub fn check(&self, password: &Secret) -> Result<(), Fault> {
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
    // Binary search over lines of different length: step back from the middle to a line's start.
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
}
