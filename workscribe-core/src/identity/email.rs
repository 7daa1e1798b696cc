use std::fmt;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use crate::error::Fault;

/// An e-mail address, normalised: trimmed and in lower case, so that two spellings of one address are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// The longest address, in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets).
    pub const MAX_BYTES: usize = 254;

    /// Checks and normalises an address.
    ///
    /// # Errors
    /// A fault `INVALID_EMAIL` when it is not one, or is longer than [`Email::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = || Fault::new("INVALID_EMAIL", "Enter an e-mail address such as name@example.com.");
        let normal = text.trim().to_lowercase();
        if normal.len() > Self::MAX_BYTES || normal.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(fault());
        }
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        EmailAddress::parse_with_options(&normal, options).map_err(|_| fault())?;
        Ok(Self(normal))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes an address that a storage has kept, unchecked.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case_or_margin() {
        assert_eq!(Email::parse(" Ada@Example.COM ").unwrap(), Email::parse("ada@example.com").unwrap());
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "a\0@example.com",
            "Ada <ada@example.com>",
            "ada@[127.0.0.1]",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(300))).is_err());
    }
}
