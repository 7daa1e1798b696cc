use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workscribe_core::identity::{self, IssuedTokens};

use crate::time::Time;

/// A person with an account.
#[derive(Object, Serialize)]
pub struct User {
    /// Their id.
    pub id: Uuid,
    /// Their e-mail address, in lower case.
    pub email: String,
    /// The name others see.
    pub display_name: String,
    /// Where their picture is.
    pub avatar_url: Option<String>,
    /// Whether they have shown that the address is theirs.
    pub email_verified: bool,
    /// Whether the address refused the last mail, so that notifications do not come by mail any more. In the answers of
    /// `/auth/me` alone.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_bouncing: Option<bool>,
    /// When the account was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl From<identity::User> for User {
    fn from(user: identity::User) -> Self {
        Self {
            id: user.id.into(),
            email: user.email.to_string(),
            display_name: user.display_name,
            avatar_url: user.avatar_url,
            email_verified: user.email_verified,
            email_bouncing: None,
            created_at: user.created_at.into(),
            updated_at: user.updated_at.into(),
        }
    }
}

impl From<identity::Account> for User {
    fn from(account: identity::Account) -> Self {
        Self { email_bouncing: Some(account.email_bouncing), ..account.user.into() }
    }
}

/// How an access token is to be sent.
#[derive(Enum, Serialize)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum TokenType {
    /// In an `Authorization: Bearer` header.
    Bearer,
}

/// What a login gives.
#[derive(Object, Serialize)]
pub struct Tokens {
    /// The access token, a JWT. Send it as `Authorization: Bearer`.
    pub access_token: String,
    /// The refresh token, to be used once for new tokens.
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: TokenType,
    /// How long the access token is good, in seconds.
    pub expires_in: i64,
    /// The user.
    pub user: User,
}

impl From<IssuedTokens> for Tokens {
    fn from(tokens: IssuedTokens) -> Self {
        Self {
            access_token: tokens.access_token.expose().to_owned(),
            refresh_token: tokens.refresh_token.expose().to_owned(),
            token_type: TokenType::Bearer,
            expires_in: tokens.expires_in,
            user: tokens.user.into(),
        }
    }
}

/// One login.
#[derive(Object, Serialize)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// When it began.
    pub created_at: Time,
    /// When its refresh token was last used.
    pub last_used_at: Time,
    /// The address it came from.
    pub ip: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// Whether it is the session of this request.
    pub current: bool,
}

impl Session {
    pub(super) fn new(session: identity::Session, current: bool) -> Self {
        Self {
            id: session.id.into(),
            created_at: session.created_at.into(),
            last_used_at: session.last_used_at.into(),
            ip: session.client.ip.map(|ip| ip.to_string()),
            user_agent: session.client.user_agent,
            current,
        }
    }
}

/// One's own sessions, newest first: 100 at the most.
#[derive(Object, Serialize)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
}

/// A new account.
#[derive(Object, Deserialize)]
pub struct RegisterRequest {
    /// 2–100 characters.
    #[oai(validator(min_length = 2, max_length = 100))]
    pub display_name: String,
    /// An e-mail address; compared without case.
    #[oai(validator(max_length = 254))]
    pub email: String,
    /// 8–128 characters, not one of the common passwords.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: String,
}

/// An address and a password.
#[derive(Object, Deserialize)]
pub struct LoginRequest {
    /// The account's address.
    pub email: String,
    /// Its password.
    pub password: String,
}

/// A refresh token.
#[derive(Object, Deserialize)]
pub struct RefreshRequest {
    /// The token of the last login or refresh.
    pub refresh_token: String,
}

/// Whose password was forgotten.
#[derive(Object, Deserialize)]
pub struct ForgotPasswordRequest {
    /// The account's address.
    pub email: String,
}

/// A new password, with the token of a mail.
#[derive(Object, Deserialize)]
pub struct ResetPasswordRequest {
    /// The token of the link in the mail.
    pub token: String,
    /// 8–128 characters, not one of the common passwords.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub new_password: String,
}

/// A new password.
#[derive(Object, Deserialize)]
pub struct ChangePasswordRequest {
    /// The present password.
    pub current_password: String,
    /// 8–128 characters, not one of the common passwords.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub new_password: String,
}

/// The token of a mail.
#[derive(Object, Deserialize)]
pub struct VerifyEmailRequest {
    /// The token of the link in the mail.
    pub token: String,
}

/// A change of one's profile. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateMeRequest {
    /// 2–100 characters.
    #[serde(default)]
    #[oai(validator(min_length = 2, max_length = 100))]
    pub display_name: MaybeUndefined<String>,
    /// An address that begins with `https://` or `http://`; null takes the picture away.
    #[serde(default)]
    #[oai(validator(max_length = 2048))]
    pub avatar_url: MaybeUndefined<String>,
}

/// What becomes of an invitation, for those who hold its token.
#[derive(Object, Serialize)]
pub struct InvitationPreview {
    /// The organization's name.
    pub org_name: String,
    /// The organization's slug.
    pub org_slug: String,
    /// As what one is invited.
    pub role: crate::organizations::Role,
    /// The invited address.
    pub email: String,
    /// The name of the person who invites.
    pub inviter_name: String,
    /// When the invitation ends.
    pub expires_at: Time,
}

/// What makes an account while accepting an invitation: needed when there is none and nobody is logged in.
#[derive(Object, Deserialize, Default)]
pub struct AcceptInvitationRequest {
    /// 2–100 characters.
    #[oai(validator(min_length = 2, max_length = 100))]
    pub display_name: Option<String>,
    /// 8–128 characters, not one of the common passwords.
    #[oai(validator(min_length = 8, max_length = 128))]
    pub password: Option<String>,
}
