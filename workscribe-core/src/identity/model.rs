//! The stored values of identity: accounts, sessions and single-use tokens.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{JobId, OneTimeTokenId, SessionId, UserId};

use super::email::Email;
use super::secrets::TokenHash;

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, in normal form.
    pub email: Email,
    /// The name that others see: 2–100 characters.
    pub display_name: String,
    /// The URL of their picture.
    pub avatar_url: Option<String>,
    /// Whether they have proved that the address is theirs.
    pub email_verified: bool,
    /// When an operator disabled the account; `None` while it is enabled.
    pub disabled_at: Option<Timestamp>,
    /// Sessions of an earlier epoch are invalid. The epoch grows when the password changes or the account is disabled, so that
    /// access ends with the commit, wherever sessions are stored.
    pub session_epoch: i64,
    /// Grows with every change. It is the `ETag`.
    pub version: i64,
    /// When the account was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A user, with what only they can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: User,
    /// Whether their address refused the last mail.
    pub email_bouncing: bool,
}

/// A user to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Their id.
    pub id: UserId,
    /// Their address.
    pub email: Email,
    /// Their name.
    pub display_name: String,
    /// The hash of their password; `None` for users who log in another way.
    pub password_hash: Option<String>,
    /// Whether the address is known to be theirs.
    pub email_verified: bool,
    /// When the account is created.
    pub created_at: Timestamp,
}

/// A user with the hash of their password. [`User`] does not contain the hash, so that few places have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// The hash; `None` for users who log in another way.
    pub password_hash: Option<String>,
}

/// A change of the caller's own profile. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// A new name.
    pub display_name: Option<String>,
    /// A new picture; `Some(None)` removes it.
    pub avatar_url: Option<Option<String>>,
}

/// The origin of a login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The address, as far as the configured proxies confirm it.
    pub ip: Option<IpAddr>,
    /// The name that the client sends; cut at 512 characters.
    pub user_agent: Option<String>,
}

/// One login, with the one valid branch of its family of refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, the `sid` of its access tokens.
    pub id: SessionId,
    /// The user of the session.
    pub user_id: UserId,
    /// The user's epoch when the session was created.
    pub epoch: i64,
    /// The hash of the current refresh token.
    pub refresh_hash: TokenHash,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its refresh token was last used.
    pub last_used_at: Timestamp,
    /// When it expires, unless its refresh token is used before.
    pub expires_at: Timestamp,
    /// The origin of the login.
    pub client: Client,
}

/// The purpose of a single-use token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To set a new password.
    ResetPassword,
    /// To prove that an address belongs to the user.
    VerifyEmail,
    /// To accept an invitation. These tokens are stored with the invitation.
    Invitation,
}

impl Purpose {
    /// The name in the storage and in the derivation of tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
            Self::Invitation => "invitation",
        }
    }
}

/// A single-use token that was mailed to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeToken {
    /// Its id, from which the token is derived with the server's key.
    pub id: OneTimeTokenId,
    /// The hash of the token.
    pub hash: TokenHash,
    /// Its purpose.
    pub purpose: Purpose,
    /// The user.
    pub user_id: UserId,
    /// The recipient's address. The token proves nothing about other addresses.
    pub email: Email,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Checks the URL of a picture: `http` or `https`, at most 2,048 characters.
pub(crate) fn avatar_url(text: &str) -> Result<String, Fault> {
    let fault = || Fault::new("INVALID_URL", "Enter an address that begins with https:// or http://.");
    if text.len() > crate::limits::Limit::AvatarUrlBytes.default_value() as usize
        || text.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(fault());
    }
    let url = url::Url::parse(text).map_err(|_| fault())?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() { Ok(url.into()) } else { Err(fault()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_fetched_over_http_only() {
        assert!(avatar_url("https://example.com/a.png").is_ok());
        for bad in
            ["javascript:alert(1)", "data:text/html,x", "/a.png", "https://", "https://example.com/a b"]
        {
            assert!(avatar_url(bad).is_err(), "{bad}");
        }
    }
}

/// Who makes a request, according to the access token and its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

/// The mark of an address that refuses mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// The address.
    pub email: Email,
    /// The reason, without the address: a status or the name of an error. At most 200 characters.
    pub reason: String,
    /// The job whose mail was refused; `None` when a provider reported it later.
    pub job: Option<JobId>,
    /// When the mail was refused.
    pub bounced_at: Timestamp,
}
