//! The links in mails: [`Links`], from the configured public URL.

use url::Url;
use workscribe_core::tenancy::Slug;

use super::SetupError;

/// The links in mails. They start with the configured public URL of the web application. They never use the `Host` header of a
/// request, which an attacker can choose (OWASP Forgot Password Cheat Sheet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    base: Url,
}

impl Links {
    /// Links below a public URL such as `https://app.example.com` or `https://example.com/base/`. The links keep its path.
    ///
    /// # Errors
    /// [`SetupError::Url`] when it is not an absolute `http` or `https` URL, or has credentials, a query or a fragment.
    pub fn new(public_url: &str) -> Result<Self, SetupError> {
        let base = Url::parse(public_url.trim()).map_err(|error| SetupError::Url(error.to_string()))?;
        let fault = |text: &str| Err(SetupError::Url(text.to_owned()));
        if !matches!(base.scheme(), "http" | "https") {
            return fault("it must begin with http:// or https://");
        }
        if !base.username().is_empty() || base.password().is_some() {
            return fault("it must have no credentials");
        }
        if base.query().is_some() || base.fragment().is_some() {
            return fault("it must have no query and no fragment");
        }
        Ok(Self { base })
    }

    /// The start page of the application.
    #[must_use]
    pub fn home(&self) -> String {
        self.base.to_string()
    }

    /// The notifications page: `/notifications`.
    #[must_use]
    pub fn notifications(&self) -> String {
        self.below(&["notifications"]).into()
    }

    /// The webhooks page of an organization: `/organizations/{slug}/webhooks`.
    #[must_use]
    pub fn webhooks(&self, slug: &Slug) -> String {
        self.below(&["organizations", slug.as_str(), "webhooks"]).into()
    }

    /// The page to choose a new password: `/reset-password?token=…`.
    #[must_use]
    pub fn reset_password(&self, token: &str) -> String {
        self.with_query("reset-password", token)
    }

    /// The page to verify an address: `/verify-email?token=…`.
    #[must_use]
    pub fn verify_email(&self, token: &str) -> String {
        self.with_query("verify-email", token)
    }

    /// The page to accept an invitation: `/invitations/{token}/accept`.
    #[must_use]
    pub fn accept_invitation(&self, token: &str) -> String {
        self.below(&["invitations", token, "accept"]).into()
    }

    fn with_query(&self, page: &str, token: &str) -> String {
        let mut url = self.below(&[page]);
        url.query_pairs_mut().append_pair("token", token);
        url.into()
    }

    fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An http URL always has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_makes_no_difference_and_the_path_is_kept() {
        for base in ["https://example.com/base", "https://example.com/base/"] {
            let links = Links::new(base).unwrap();
            assert_eq!(links.reset_password("abc"), "https://example.com/base/reset-password?token=abc");
            assert_eq!(links.verify_email("abc"), "https://example.com/base/verify-email?token=abc");
            assert_eq!(links.accept_invitation("abc"), "https://example.com/base/invitations/abc/accept");
        }
        let links = Links::new("http://localhost:5173").unwrap();
        assert_eq!(links.verify_email("abc"), "http://localhost:5173/verify-email?token=abc");
        assert_eq!(links.home(), "http://localhost:5173/");
    }

    #[test]
    fn a_token_cannot_leave_its_place() {
        let links = Links::new("https://example.com").unwrap();
        assert_eq!(links.reset_password("a&b=c#d"), "https://example.com/reset-password?token=a%26b%3Dc%23d");
        assert_eq!(links.accept_invitation("a/b?c"), "https://example.com/invitations/a%2Fb%3Fc/accept");
    }

    #[test]
    fn what_is_not_a_public_url_is_refused() {
        for bad in [
            "",
            "example.com",
            "ftp://example.com",
            "javascript:alert(1)",
            "https://user:secret@example.com",
            "https://example.com/?a=b",
            "https://example.com/#a",
        ] {
            let error = Links::new(bad).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
