//! Accounts and sessions over HTTP.

use poem_openapi::{ApiResponse, Enum, Object};
use serde::Serialize;
use workscribe_core::Code::*;
use workscribe_core::id::SessionId;
use workscribe_core::identity::{self, IssuedTokens, ProfileChange, Register, RegisterOutcome};
use workscribe_core::limits::Limit;
use workscribe_core::ports::Secret;

use crate::prelude::*;

api! {
    /// Registration, login, refresh and logout; the caller's account, password and sessions.
    IdentityApi
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tags::Identity")]
impl IdentityApi {
    /// Register
    ///
    /// Creates an account and logs it in. The mail that it sends contains a link that verifies the address.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        caller: Caller,
        body: Body<RegisterRequest>,
    ) -> ApiResult<RegisterResponse, { codes(&[EmailTaken, RateLimited, Overloaded]) }> {
        caller.limit(&self.app, Limit::RegistrationsPerAddress).await?;
        Ok(match self.app.identity().register(&body.0, caller.client()).await? {
            RegisterOutcome::Registered(tokens) => {
                RegisterResponse::Registered(Json(tokens.into()), ME.to_owned())
            }
            RegisterOutcome::MailSent => RegisterResponse::MailSent,
        })
    }

    /// Log in
    ///
    /// Returns an access token and a refresh token. After five failures for an account from one network (an IPv4 /24, an IPv6 /64),
    /// further attempts from there must wait: first 15 seconds, at most 15 minutes. After fifty failures from all networks, attempts
    /// must also wait from every network in which the account had no login for 30 days.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        caller: Caller,
        body: Body<LoginRequest>,
    ) -> ApiResult<
        Reply<Tokens>,
        { codes(&[InvalidCredentials, AccountDisabled, EmailNotVerified, RateLimited, Overloaded]) },
    > {
        caller.limit(&self.app, Limit::LoginsPerAddress).await?;
        let (email, password) = &body.0;
        let tokens = self.app.identity().login(email, password, caller.client()).await?;
        Ok(Reply::new(tokens))
    }

    /// Refresh the tokens
    ///
    /// Returns new tokens for a refresh token, which can be used once. If it is used again within 30 seconds, and its successor is
    /// unused, the response has the same successor. If it is used again later, its session ends.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        body: Body<RefreshRequest>,
    ) -> ApiResult<Reply<Tokens>, { codes(&[InvalidRefreshToken, TokenReused]) }> {
        Ok(Reply::new(self.app.identity().refresh(&body.0).await?))
    }

    /// Log out
    ///
    /// Ends the session of the access token. Its refresh token stops working.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, auth: BearerAuth) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        self.app.identity().logout(&mut *uow, auth.actor()).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Request a link to set a new password
    ///
    /// Sends a mail if the account exists. The response is the same if it does not. The link is valid for one hour, for one use.
    #[oai(path = "/forgot-password", method = "post", operation_id = "forgotPassword")]
    async fn forgot_password(
        &self,
        caller: Caller,
        body: Body<ForgotPasswordRequest>,
    ) -> ApiResult<NoContent, { codes(&[RateLimited]) }> {
        caller.limit(&self.app, Limit::PasswordResetsPerAddress).await?;
        // Cut, since a text that is not an address is counted too, and a limiter stores its keys.
        let account: String = body.0.trim().to_lowercase().chars().take(identity::Email::MAX_BYTES).collect();
        caller.limit_by(&self.app, Limit::PasswordResetsPerAccount, &account).await?;
        let mut uow = self.app.begin().await?;
        self.app.identity().forgot_password(&mut *uow, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Set a new password with the token of a mail
    ///
    /// Use this after `forgotPassword`. It ends every session of the account.
    #[oai(path = "/reset-password", method = "post", operation_id = "resetPassword")]
    async fn reset_password(
        &self,
        caller: Caller,
        body: Body<ResetPasswordRequest>,
    ) -> ApiResult<NoContent, { codes(&[InvalidToken, RateLimited, Overloaded]) }> {
        caller.limit(&self.app, Limit::MailedTokensPerAddress).await?;
        let (token, password) = &body.0;
        self.app.identity().reset_password(token, password, caller.client()).await?;
        Ok(NoContent::Done)
    }

    /// Get the caller's account
    ///
    /// Returns the profile, and whether the address refuses mail.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn me(&self, auth: BearerAuth) -> ApiResult<Versioned<User>> {
        let mut uow = auth.read(&self.app).await?;
        let account = self.app.identity().account(&mut *uow, auth.actor()).await?;
        Ok(Versioned::new(account))
    }

    /// Update the caller's account
    ///
    /// Changes the name or the picture that others see. The address cannot be changed.
    #[oai(path = "/me", method = "patch", operation_id = "updateMe")]
    async fn update_me(
        &self,
        auth: BearerAuth,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateMeRequest>,
    ) -> ApiResult<Versioned<User>, STALE> {
        let mut uow = auth.begin(&self.app).await?;
        let expected = if_match(condition.0.as_deref());
        self.app.identity().update_profile(&mut *uow, auth.actor(), &body.0, expected).await?;
        let account = self.app.identity().account(&mut *uow, auth.actor()).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(account))
    }

    /// Change the caller's password
    ///
    /// Ends all other sessions of the caller. After five wrong current passwords, further attempts in this session must wait: first
    /// 15 seconds, at most 15 minutes.
    #[oai(path = "/change-password", method = "post", operation_id = "changePassword")]
    async fn change_password(
        &self,
        auth: BearerAuth,
        caller: Caller,
        body: Body<ChangePasswordRequest>,
    ) -> ApiResult<NoContent, { codes(&[InvalidCredentials, RateLimited, Overloaded]) }> {
        caller.limit_by(&self.app, Limit::PasswordChangesPerUser, &auth.actor().user.to_string()).await?;
        let (current, new) = &body.0;
        self.app.identity().change_password(auth.actor(), current, new).await?;
        Ok(NoContent::Done)
    }

    /// List the caller's sessions
    ///
    /// Returns the logins that are still valid, newest first, and which of them made this request.
    #[oai(path = "/sessions", method = "get", operation_id = "listSessions")]
    async fn sessions(&self, auth: BearerAuth) -> ApiResult<Reply<SessionList>> {
        let mut uow = auth.read(&self.app).await?;
        let sessions = self.app.identity().sessions(&mut *uow, auth.actor()).await?;
        let current = auth.actor().session;
        let sessions = sessions.into_iter().map(|session| {
            let is_current = session.id == current;
            Session::from((session, is_current))
        });
        Ok(Reply::new(SessionList { sessions: sessions.collect(), next_cursor: Nullable(None) }))
    }

    /// End a session of the caller
    ///
    /// Logs out another device, for example a lost one. Its access and refresh tokens stop working.
    #[oai(path = "/sessions/:session_id", method = "delete", operation_id = "endSession")]
    async fn end_session(
        &self,
        auth: BearerAuth,
        session_id: Path<Id<SessionId>>,
    ) -> ApiResult<NoContent, { codes(&[SessionNotFound]) }> {
        let id = session_id.read()?;
        let mut uow = auth.begin(&self.app).await?;
        self.app.identity().end_session(&mut *uow, auth.actor(), id).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// End all other sessions of the caller
    ///
    /// Logs out every other device. The session of this request remains.
    #[oai(path = "/sessions", method = "delete", operation_id = "endOtherSessions")]
    async fn end_other_sessions(&self, auth: BearerAuth) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        self.app.identity().end_other_sessions(&mut *uow, auth.actor()).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Verify an address with the token of a mail
    ///
    /// Use this with the token of the link that registration or `resendVerification` sends. It needs no login.
    #[oai(path = "/verify-email", method = "post", operation_id = "verifyEmail")]
    async fn verify_email(
        &self,
        caller: Caller,
        body: Body<VerifyEmailRequest>,
    ) -> ApiResult<NoContent, { codes(&[InvalidToken, RateLimited]) }> {
        caller.limit(&self.app, Limit::MailedTokensPerAddress).await?;
        let mut uow = self.app.begin().await?;
        self.app.identity().verify_email(&mut *uow, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Send the link that verifies the caller's address again
    ///
    /// Sends nothing to a verified address, unless it refused the last mail: then the use of the link proves that it accepts mail
    /// again.
    #[oai(path = "/verify-email/resend", method = "post", operation_id = "resendVerification")]
    async fn resend_verification(
        &self,
        auth: BearerAuth,
        caller: Caller,
    ) -> ApiResult<NoContent, { codes(&[RateLimited]) }> {
        caller.limit_by(&self.app, Limit::VerificationsPerUser, &auth.actor().user.to_string()).await?;
        let mut uow = auth.begin(&self.app).await?;
        self.app.identity().resend_verification(&mut *uow, auth.actor()).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}

/// The path of the caller's account.
const ME: &str = "/api/v1/auth/me";

/// The responses to a registration.
#[derive(ApiResponse)]
pub enum RegisterResponse {
    /// The account was created, and the user is logged in.
    #[oai(status = 201)]
    Registered(
        Json<Tokens>,
        /// The path of the account.
        #[oai(header = "Location")]
        String,
    ),
    /// Under the policy `verify_first`: a mail was sent, whether or not the account existed before.
    #[oai(status = 202)]
    MailSent,
}

answers! {
    /// A person with an account.
    User of user: identity::User {
        /// The id of the user.
        id: Uuid,
        /// The e-mail address, in lower case.
        email: Email,
        /// The name that others see.
        display_name: PersonName,
        /// The URL of the picture.
        avatar_url: Nullable<PictureUrl>,
        /// Whether the user has proved that the address is theirs.
        email_verified: bool,
        /// Whether the address refused the last mail, so that notifications no longer come by mail. Only the responses of
        /// `/auth/me` have it.
        #[oai(skip_serializing_if_is_none)]
        #[serde(skip_serializing_if = "Option::is_none")]
        email_bouncing: Option<bool> = None::<bool>,
        /// When the account was created.
        created_at: Time,
        /// When the account was last changed.
        updated_at: Time,
    }
}

impl From<identity::Account> for User {
    fn from(account: identity::Account) -> Self {
        Self { email_bouncing: Some(account.email_bouncing), ..account.user.into() }
    }
}

/// How to send an access token.
#[derive(Enum, Serialize)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum TokenType {
    /// In an `Authorization: Bearer` header.
    Bearer,
}

answers! {
    /// The tokens of a login.
    Tokens of tokens: IssuedTokens {
        /// The access token, a JWT. Send it as `Authorization: Bearer`.
        access_token: String = tokens.access_token.expose(),
        /// The refresh token, which can be used once to get new tokens.
        refresh_token: Token = tokens.refresh_token.expose(),
        /// Always `bearer`.
        token_type: TokenType = TokenType::Bearer,
        /// How long the access token is valid, in seconds.
        expires_in: i64,
        /// The user.
        user: User,
    }
}

answers! {
    /// One login.
    Session of (session, current): (identity::Session, bool) {
        /// The id of the session.
        id: Uuid = session.id,
        /// When the session began.
        created_at: Time = session.created_at,
        /// When its refresh token was last used.
        last_used_at: Time = session.last_used_at,
        /// The address from which the user logged in.
        ip: Nullable<Ip> = session.client.ip,
        /// The name that the client sends.
        user_agent: Nullable<UserAgent> = session.client.user_agent,
        /// Whether it is the session of this request.
        current: bool = current,
    }
}

/// The caller's sessions, newest first: at most 100.
#[derive(Object, Serialize)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Always null: the list is complete.
    pub next_cursor: Nullable<String>,
}

inputs! {
    /// A new account.
    RegisterRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        display_name: Required<PersonName>,
        /// An e-mail address. Upper and lower case are the same.
        #[oai(validator(max_length = 254))]
        email: Required<Email>,
        /// 8–128 characters. It must not be a common password.
        #[oai(validator(min_length = 8, max_length = 128))]
        password: Required<Password>,
    } => Register = Register { email, display_name, password };

    /// The address and the password of an account.
    LoginRequest {
        /// The address of the account.
        email: Required<Email>,
        /// The password of the account.
        password: Required<Password>,
    } => (String, Secret) = (email, password);

    /// A refresh token.
    RefreshRequest {
        /// The refresh token of the last login or refresh.
        refresh_token: Required<Token>,
    } => String = refresh_token;

    /// The account whose password was forgotten.
    ForgotPasswordRequest {
        /// The address of the account.
        email: Required<Email>,
    } => String = email;

    /// A new password, with the token of a mail.
    ResetPasswordRequest {
        /// The token of the link in the mail.
        token: Required<Token>,
        /// 8–128 characters. It must not be a common password.
        #[oai(validator(min_length = 8, max_length = 128))]
        new_password: Required<Password>,
    } => (String, Secret) = (token, new_password);

    /// A new password, with the current one.
    ChangePasswordRequest {
        /// The current password.
        current_password: Required<Password>,
        /// 8–128 characters. It must not be a common password.
        #[oai(validator(min_length = 8, max_length = 128))]
        new_password: Required<Password>,
    } => (Secret, Secret) = (current_password, new_password);

    /// The token of a mail.
    VerifyEmailRequest {
        /// The token of the link in the mail.
        token: Required<Token>,
    } => String = token;

    /// A change of the caller's profile. A field that is left out does not change.
    UpdateMeRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        display_name: Patch<PersonName>,
        /// A URL that begins with `https://` or `http://`; null removes the picture.
        #[oai(validator(max_length = 2048))]
        avatar_url: Clearable<PictureUrl>,
    } => ProfileChange = ProfileChange { display_name, avatar_url };
}
