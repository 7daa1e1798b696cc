//! E-mail addresses in their normal form: [`Email`].

use std::fmt;

use email_address::{EmailAddress, Options};
use idna::AsciiDenyList;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::Fault;

/// An e-mail address in its normal form, so that two spellings of one address are equal: trimmed, the domain in ASCII as in the
/// DNS (IDNA by UTS #46, so `bücher.example` is `xn--bcher-kva.example`), the local part in Normalization Form C (RFC 6532 §3.1),
/// all in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The maximum length of an address in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
    pub const MAX_BYTES: usize = crate::limits::Limit::EmailBytes.default_value() as usize;

    /// Checks and normalises an address.
    ///
    /// # Errors
    /// A fault `INVALID_EMAIL` when the text is not an address, or is longer than [`Email::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = || Fault::new("INVALID_EMAIL", "Enter an e-mail address such as name@example.com.");
        let text = text.trim();
        // Normalising makes no text this much shorter.
        if text.len() > 4 * Self::MAX_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(fault());
        }
        let normal = normal(text).filter(|normal| normal.len() <= Self::MAX_BYTES).ok_or_else(fault)?;
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        EmailAddress::parse_with_options(&normal, options).map_err(|_| fault())?;
        Ok(Self(normal))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a stored address without checks. An address stored before domains had a normal form gets it here.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        if text.is_ascii() {
            return Self(text);
        }
        Self(normal(&text).unwrap_or(text))
    }
}

/// The normal form of an address; `None` when its domain is invalid.
fn normal(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let local: String = local.to_lowercase().nfc().collect();
    let domain = idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::URL).ok()?;
    Some(format!("{local}@{domain}"))
}

impl From<String> for Email {
    fn from(text: String) -> Self {
        Self::from_stored(text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
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
    fn a_domain_has_one_form_however_it_is_written() {
        let one = "j\u{fc}rgen@xn--bcher-kva.example";
        for other in [
            one,
            "jürgen@bücher.example",
            "Jürgen@BÜCHER.Example",
            "ju\u{308}rgen@bu\u{308}cher.example",
            "jürgen@XN--BCHER-KVA.EXAMPLE",
            "jürgen@bücher\u{3002}example",
            "jürgen@ｂücher.ｅxample",
        ] {
            assert_eq!(Email::parse(other).unwrap().as_str(), one, "{other}");
            assert_eq!(Email::from_stored(other.to_lowercase()).as_str(), one, "{other}");
        }
        assert_eq!(Email::parse("a@straße.de").unwrap().as_str(), "a@xn--strae-oqa.de");
        assert_eq!(Email::parse("\"a@b\"@example.com").unwrap().as_str(), "\"a@b\"@example.com");
        for stored in ["", "ada", "jürgen", "jürgen@", "a@b＠c.example"] {
            assert_eq!(
                Email::from_stored(stored.to_owned()).as_str(),
                stored,
                "what is no address stays as it is"
            );
        }
        let read: Email = serde_json::from_str("\"jürgen@bücher.example\"").unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), one);
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
            "ada@xn--zzzzzzzzzz99999.example",
            "ada@\u{200b}.example",
            "ada@b\u{202e}cher.example",
            "ada@grace＠example.com",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(300))).is_err());
    }
}
