//! Access to the admin API: callers with the operator's token have it.

use std::fmt;

use poem::http::{HeaderMap, header};
use poem::{Endpoint, Request, Response, Result, Route};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use workscribe_core::ports::Secret;
use workscribe_core::{Code, Error};

use crate::problem::ApiError;

/// The operator's token, stored as its hash: so a comparison takes equally long for tokens of any length, and no log shows
/// the token by mistake.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

impl AdminToken {
    /// The minimum length of a token, in characters.
    pub const SHORTEST: usize = 32;

    /// A token; `None` when it is shorter than [`AdminToken::SHORTEST`], or when a header cannot contain it: it may have ASCII
    /// letters, digits and signs.
    #[must_use]
    pub fn new(token: &Secret) -> Option<Self> {
        let text = token.expose();
        let is_token = text.len() >= Self::SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self(Sha256::digest(text).into()))
    }

    /// Whether a request has the token.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = bearer.and_then(|text| text.split_once(' ')) else { return false };
        let digest: [u8; 32] = Sha256::digest(token.trim()).into();
        scheme.eq_ignore_ascii_case("bearer") && bool::from(digest.ct_eq(&self.0))
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

/// Stands before all routes. Without the token, a caller does not even learn which routes exist.
pub(super) struct Gate {
    pub(super) token: AdminToken,
    pub(super) next: Route,
}

impl Endpoint for Gate {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if self.token.is_in(request.headers()) {
            return self.next.call(request).await;
        }
        let refusal =
            Error::new(Code::Unauthenticated, "Send the operator's token: Authorization: Bearer <token>.");
        Err(<ApiError>::from(refusal).into())
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "s5pL0qW8zT3nV7yR1uK6xB4mD9fG2hJc";

    #[test]
    fn a_token_has_32_characters_that_can_stand_in_a_header() {
        assert!(AdminToken::new(&Secret::new(TOKEN)).is_some());
        for bad in [&TOKEN[1..], &format!("{TOKEN} "), &format!("{TOKEN}ä"), ""] {
            assert!(AdminToken::new(&Secret::new(bad)).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_but_the_whole_token_of_a_bearer_is_taken() {
        let token = AdminToken::new(&Secret::new(TOKEN)).unwrap();
        let is_taken = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            token.is_in(&headers)
        };
        assert!(is_taken(&format!("Bearer {TOKEN}")));
        assert!(is_taken(&format!("bearer  {TOKEN}")), "as RFC 9110 has it for schemes");
        let part = &TOKEN[1..];
        for wrong in
            [TOKEN, "Bearer", "Bearer ", "Bearer ä", &format!("Bearer {part}"), &format!("Basic {TOKEN}")]
        {
            assert!(!is_taken(wrong), "{wrong:?}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
    }
}
