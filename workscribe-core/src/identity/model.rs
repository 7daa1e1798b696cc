//! What is stored of people: accounts, sessions and single-use tokens.

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
    /// Their address, normalised.
    pub email: Email,
    /// The name others see: 2–100 characters.
    pub display_name: String,
    /// Where their picture is.
    pub avatar_url: Option<String>,
    /// Whether they have shown that the address is theirs.
    pub email_verified: bool,
    /// When an operator disabled the account, if one did.
    pub disabled_at: Option<Timestamp>,
    /// Sessions of an earlier epoch are not valid. It grows when the password changes or the account is disabled,
    /// so access ends with the commit, wherever sessions are kept.
    pub session_epoch: i64,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A user, and what is shown to them alone.
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
    /// The hash of their password; `None` for those who log in another way.
    pub password_hash: Option<String>,
    /// Whether the address is known to be theirs.
    pub email_verified: bool,
    /// The time of it.
    pub created_at: Timestamp,
}

/// A user with the hash of their password, which is not part of [`User`] so that it is not carried about.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// The hash; `None` for those who log in another way.
    pub password_hash: Option<String>,
}

/// A change of one's own profile: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// A new name.
    pub display_name: Option<String>,
    /// A new picture, or none.
    pub avatar_url: Option<Option<String>>,
}

/// Where a login came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The address, as far as configured proxies vouch for it.
    pub ip: Option<IpAddr>,
    /// What the client calls itself; cut at 512 characters.
    pub user_agent: Option<String>,
}

/// One login, with the one live branch of its family of refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, the `sid` of its access tokens.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's epoch when it was made.
    pub epoch: i64,
    /// The refresh token that is good now.
    pub refresh_hash: TokenHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its refresh token was last used.
    pub last_used_at: Timestamp,
    /// When it ends unless its refresh token is used.
    pub expires_at: Timestamp,
    /// Where it came from.
    pub client: Client,
}

/// What a single-use token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Setting a new password.
    ResetPassword,
    /// Showing that an address is one's own.
    VerifyEmail,
    /// Accepting an invitation. These are stored with the invitation.
    Invitation,
}

impl Purpose {
    /// The name in storage and in the derivation of tokens.
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
    /// What it is good for.
    pub purpose: Purpose,
    /// Whose it is.
    pub user_id: UserId,
    /// The address it was sent to: it proves nothing of any other.
    pub email: Email,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Checks the address of a picture: `http` or `https`, at most 2,048 characters.
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

/// Who makes a request, as their access token and its session show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

/// What is noted of an address that refuses mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// The address.
    pub email: Email,
    /// What was said, without the address: a status, a name of an error. At most 200 characters.
    pub reason: String,
    /// The job whose mail was refused; `None` when a provider told of it later.
    pub job: Option<JobId>,
    /// When.
    pub bounced_at: Timestamp,
}
