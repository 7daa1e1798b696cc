//! Accounts, sessions and tokens on the wire.

use poem_openapi::{Enum, Object};
use serde::Serialize;
use uuid::Uuid;
use workscribe_core::identity::{self, IssuedTokens, ProfileChange, Register};
use workscribe_core::ports::Secret;
use workscribe_core::tenancy::{self, NewAccount};

use crate::dto::{answers, inputs};
use crate::field::{Clearable, Nullable, Optional, Patch, Required};
use crate::organizations::Role;
use crate::time::Time;
use crate::wire::{Email, Ip, OrgSlug, Password, PersonName, PictureUrl, Title, Token, UserAgent};

answers! {
    /// A person with an account.
    User of user: identity::User {
        /// Their id.
        id: Uuid,
        /// Their e-mail address, in lower case.
        email: Email,
        /// The name others see.
        display_name: PersonName,
        /// Where their picture is.
        avatar_url: Nullable<PictureUrl>,
        /// Whether they have shown that the address is theirs.
        email_verified: bool,
        /// Whether the address refused the last mail, so that notifications do not come by mail any more. In the answers of
        /// `/auth/me` alone.
        #[oai(skip_serializing_if_is_none)]
        #[serde(skip_serializing_if = "Option::is_none")]
        email_bouncing: Option<bool> = None::<bool>,
        /// When the account was made.
        created_at: Time,
        /// When it was last changed.
        updated_at: Time,
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

answers! {
    /// What a login gives.
    Tokens of tokens: IssuedTokens {
        /// The access token, a JWT. Send it as `Authorization: Bearer`.
        access_token: String = tokens.access_token.expose(),
        /// The refresh token, to be used once for new tokens.
        refresh_token: Token = tokens.refresh_token.expose(),
        /// Always `bearer`.
        token_type: TokenType = TokenType::Bearer,
        /// How long the access token is good, in seconds.
        expires_in: i64,
        /// The user.
        user: User,
    }
}

answers! {
    /// One login.
    Session of (session, current): (identity::Session, bool) {
        /// Its id.
        id: Uuid = session.id,
        /// When it began.
        created_at: Time = session.created_at,
        /// When its refresh token was last used.
        last_used_at: Time = session.last_used_at,
        /// The address it came from.
        ip: Nullable<Ip> = session.client.ip,
        /// What the client calls itself.
        user_agent: Nullable<UserAgent> = session.client.user_agent,
        /// Whether it is the session of this request.
        current: bool = current,
    }
}

/// One's own sessions, newest first: 100 at the most.
#[derive(Object, Serialize)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Always null: the list is whole.
    pub next_cursor: Nullable<String>,
}

inputs! {
    /// A new account.
    RegisterRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        display_name: Required<PersonName>,
        /// An e-mail address; compared without case.
        #[oai(validator(max_length = 254))]
        email: Required<Email>,
        /// 8–128 characters, not one of the common passwords.
        #[oai(validator(min_length = 8, max_length = 128))]
        password: Required<Password>,
    } => Register = Register { email, display_name, password };

    /// An address and a password.
    LoginRequest {
        /// The account's address.
        email: Required<Email>,
        /// Its password.
        password: Required<Password>,
    } => (String, Secret) = (email, password);

    /// A refresh token.
    RefreshRequest {
        /// The token of the last login or refresh.
        refresh_token: Required<Token>,
    } => String = refresh_token;

    /// Whose password was forgotten.
    ForgotPasswordRequest {
        /// The account's address.
        email: Required<Email>,
    } => String = email;

    /// A new password, with the token of a mail.
    ResetPasswordRequest {
        /// The token of the link in the mail.
        token: Required<Token>,
        /// 8–128 characters, not one of the common passwords.
        #[oai(validator(min_length = 8, max_length = 128))]
        new_password: Required<Password>,
    } => (String, Secret) = (token, new_password);

    /// A new password.
    ChangePasswordRequest {
        /// The present password.
        current_password: Required<Password>,
        /// 8–128 characters, not one of the common passwords.
        #[oai(validator(min_length = 8, max_length = 128))]
        new_password: Required<Password>,
    } => (Secret, Secret) = (current_password, new_password);

    /// The token of a mail.
    VerifyEmailRequest {
        /// The token of the link in the mail.
        token: Required<Token>,
    } => String = token;

    /// A change of one's profile. What is left out stays as it is.
    UpdateMeRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        display_name: Patch<PersonName>,
        /// An address that begins with `https://` or `http://`; null takes the picture away.
        #[oai(validator(max_length = 2048))]
        avatar_url: Clearable<PictureUrl>,
    } => ProfileChange = ProfileChange { display_name, avatar_url };
}

answers! {
    /// What becomes of an invitation, for those who hold its token.
    InvitationPreview of preview: tenancy::InvitationPreview {
        /// The organization's name.
        org_name: Title,
        /// The organization's slug.
        org_slug: OrgSlug,
        /// As what one is invited.
        role: Role = preview.invitation.role,
        /// The invited address.
        email: Email = preview.invitation.email,
        /// The name of the person who invites.
        inviter_name: PersonName,
        /// When the invitation ends.
        expires_at: Time = preview.invitation.expires_at,
    }
}

inputs! {
    /// What makes an account while accepting an invitation: needed when there is none and nobody is logged in.
    AcceptInvitationRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        display_name: Optional<PersonName>,
        /// 8–128 characters, not one of the common passwords.
        #[oai(validator(min_length = 8, max_length = 128))]
        password: Optional<Password>,
    } => NewAccount = NewAccount { display_name, password };
}
