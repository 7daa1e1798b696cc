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
    /// Register, log in, refresh, log out; one's account, password and sessions.
    IdentityApi
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tags::Identity")]
impl IdentityApi {
    /// Register
    ///
    /// Makes an account and logs it in. A mail with a link verifies the address.
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
    /// After five failures for an account from one network (an IPv4 /24, an IPv6 /64) further tries from there wait, first 15
    /// seconds and at the most 15 minutes; after fifty from anywhere, those from networks in which the account was not logged in
    /// for 30 days wait too.
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

    /// Get new tokens for a refresh token
    ///
    /// A refresh token is used once. Used again within 30 seconds, while its successor is unused, it gives the same
    /// successor; used again later, it ends its session.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        body: Body<RefreshRequest>,
    ) -> ApiResult<Reply<Tokens>, { codes(&[InvalidRefreshToken, TokenReused]) }> {
        Ok(Reply::new(self.app.identity().refresh(&body.0).await?))
    }

    /// Log out
    ///
    /// Ends the session of the access token, its refresh tokens included.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, auth: BearerAuth) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        self.app.identity().logout(&mut *uow, auth.actor()).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Ask for a link to a new password
    ///
    /// Answers the same whether or not there is such an account. The link is good for one hour, once.
    #[oai(path = "/forgot-password", method = "post", operation_id = "forgotPassword")]
    async fn forgot_password(
        &self,
        caller: Caller,
        body: Body<ForgotPasswordRequest>,
    ) -> ApiResult<NoContent, { codes(&[RateLimited]) }> {
        caller.limit(&self.app, Limit::PasswordResetsPerAddress).await?;
        // Cut, since what is no address is counted too, and a limiter keeps what it counts by.
        let account: String = body.0.trim().to_lowercase().chars().take(identity::Email::MAX_BYTES).collect();
        caller.limit_by(&self.app, Limit::PasswordResetsPerAccount, &account).await?;
        let mut uow = self.app.begin().await?;
        self.app.identity().forgot_password(&mut *uow, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Set a new password with the token of a mail
    ///
    /// Ends every session of the account.
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

    /// Get one's account
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn me(&self, auth: BearerAuth) -> ApiResult<Versioned<User>> {
        let mut uow = auth.read(&self.app).await?;
        let account = self.app.identity().account(&mut *uow, auth.actor()).await?;
        Ok(Versioned::new(account))
    }

    /// Change one's account
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

    /// Change one's password
    ///
    /// Ends one's other sessions. After five wrong current passwords further tries in this session wait, first 15 seconds and at
    /// the most 15 minutes.
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

    /// List one's sessions
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

    /// End one of one's sessions
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

    /// End all of one's sessions but the present one
    #[oai(path = "/sessions", method = "delete", operation_id = "endOtherSessions")]
    async fn end_other_sessions(&self, auth: BearerAuth) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        self.app.identity().end_other_sessions(&mut *uow, auth.actor()).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Verify one's address with the token of a mail
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

    /// Send the link that verifies one's address again
    ///
    /// Nothing is sent to an address that is verified, unless it refused the last mail: following the link then shows that it
    /// takes mail again.
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

/// Where one's account is.
const ME: &str = "/api/v1/auth/me";

/// The answers to a registration.
#[derive(ApiResponse)]
pub enum RegisterResponse {
    /// The account is there and logged in.
    #[oai(status = 201)]
    Registered(
        Json<Tokens>,
        /// Where the account is.
        #[oai(header = "Location")]
        String,
    ),
    /// Under the policy `verify_first`: a mail was sent, whether or not there was an account before.
    #[oai(status = 202)]
    MailSent,
}

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
