//! Login, refresh and logout, and authentication by access token.

use crate::app::RegistrationPolicy;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::events::DomainEvent;
use crate::id::SessionId;
use crate::ports::{AccessClaims, Secret, Verdict};
use crate::storage::UnitOfWork;

use super::delay::LoginPlace;
use super::email::Email;
use super::hashing::Asker;
use super::model::{Actor, Client, Credentials, Session, User};
use super::secrets::RefreshToken;
use super::service::{Identity, parse_email};
use super::store::Rotation;
use super::throttle;

/// The tokens of a login.
#[derive(Debug, Clone)]
pub struct IssuedTokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token.
    pub refresh_token: Secret,
    /// The lifetime of the access token in seconds.
    pub expires_in: i64,
    /// The user.
    pub user: User,
}

impl Identity<'_> {
    /// Logs in with an address and a password.
    ///
    /// An unknown address takes the same steps as a wrong password, and as much time. During the delay after failures from its
    /// network ([`super::LoginDelay`]), the right password is refused too, also when the failures happen while it is checked:
    /// otherwise many guesses sent at the same time would all be checked.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS`; `ACCOUNT_DISABLED` and `EMAIL_NOT_VERIFIED` only after a right password; `RATE_LIMITED`
    /// during the delay; `OVERLOADED`.
    pub async fn login(&self, email: &str, password: &Secret, client: &Client) -> Result<IssuedTokens> {
        // A text that cannot be an address has no account. It is refused like an address without an account.
        let email =
            Email::parse(email).unwrap_or_else(|_| Email::from_stored(email.chars().take(300).collect()));
        let place = LoginPlace::of_login(&email, client);
        throttle::check(self.app, &place).await?;
        let found = self.app.read().await?.users().credentials_by_email(&email).await?;
        let (user, stored) = match found {
            Some(Credentials { user, password_hash }) => (Some(user), password_hash),
            None => (None, None),
        };
        let verdict = self.app.hasher().verify(Asker::at(client), password, stored.as_deref()).await?;
        let (Some(user), false) = (user, verdict == Verdict::Wrong) else {
            throttle::failed(self.app, &place).await?;
            return Err(Error::new(Code::InvalidCredentials, "The e-mail address or the password is wrong."));
        };
        throttle::check(self.app, &place).await?;
        if user.disabled_at.is_some() {
            return Err(Error::new(
                Code::AccountDisabled,
                "This account is disabled. Ask the operator of this service.",
            ));
        }
        if self.app.settings().registration == RegistrationPolicy::VerifyFirst && !user.email_verified {
            return Err(Error::new(
                Code::EmailNotVerified,
                "Follow the link in the mail we sent you, then log in.",
            ));
        }
        let upgraded = match (verdict, stored) {
            (Verdict::RightButOutdated, Some(old)) => {
                Some((old, self.app.hasher().hash(Asker::at(client), password).await?))
            }
            _ => None,
        };
        let mut uow = self.app.begin().await?;
        if let Some((old, new)) = upgraded {
            uow.users().rehash(user.id, &old, &new).await?;
        }
        let tokens = self.start_session(&mut *uow, user, client).await?;
        self.app.commit(uow).await?;
        Ok(tokens)
    }

    /// Begins a session, in the caller's unit of work, for a user whom the caller has authenticated.
    ///
    /// # Errors
    /// When the session cannot be stored.
    pub async fn start_session(
        &self,
        uow: &mut dyn UnitOfWork,
        user: User,
        client: &Client,
    ) -> Result<IssuedTokens> {
        let now = self.app.now();
        let id: SessionId = self.app.new_id();
        let refresh = RefreshToken::first(self.app.secrets(), id, self.app.entropy());
        let session = Session {
            id,
            user_id: user.id,
            epoch: user.session_epoch,
            refresh_hash: refresh.hash(),
            created_at: now,
            last_used_at: now,
            expires_at: now + self.app.settings().refresh_ttl,
            client: Client {
                ip: client.ip,
                user_agent: client
                    .user_agent
                    .as_ref()
                    .map(|agent| agent.chars().filter(|c| !c.is_control()).take(512).collect()),
            },
        };
        uow.tokens().insert_session(&session).await?;
        // This network is known to the account from now on: failures of strangers in other networks cause no delay here.
        uow.attempts().succeeded(&LoginPlace::of_login(&user.email, client), now).await?;
        self.tokens(user, id, &refresh, now)
    }

    /// Exchanges a refresh token for new tokens (OAuth 2.0 refresh token rotation, RFC 9700 §4.14.2).
    ///
    /// Within the grace period, while the successor is unused, the same successor is returned again. So a lost response, or two
    /// tabs that refresh at the same time, do not end the session. Any other reuse ends it.
    ///
    /// # Errors
    /// `INVALID_TOKEN` (401) for an unknown or expired token, `TOKEN_REUSED` when it was used before: the session is ended.
    pub async fn refresh(&self, token: &str) -> Result<IssuedTokens> {
        let presented = RefreshToken::decode(token).ok_or_else(invalid_refresh_token)?;
        let (now, settings) = (self.app.now(), self.app.settings());
        let rotates = settings.refresh_rotation;
        let answered = if rotates { presented.successor(self.app.secrets()) } else { presented.clone() };
        let rotation = Rotation {
            session: presented.session,
            presented: presented.hash(),
            successor: answered.hash(),
            now,
            grace_since: now - settings.refresh_grace,
            expires_at: now + settings.refresh_ttl,
        };
        let mut uow = self.app.begin().await?;
        let Some(rotated) = uow.tokens().rotate(&rotation).await? else {
            return self.refused(uow, &presented, now).await;
        };
        let user = uow.users().find(rotated.session.user_id).await?.ok_or_else(invalid_refresh_token)?;
        if !is_live(&rotated.session, &user) {
            return Err(invalid_refresh_token());
        }
        self.app.commit(uow).await?;
        self.tokens(user, presented.session, &answered, now)
    }

    /// Ends the session of a token that this server made and that was used again.
    async fn refused(
        &self,
        mut uow: Box<dyn UnitOfWork>,
        presented: &RefreshToken,
        now: Timestamp,
    ) -> Result<IssuedTokens> {
        let session = uow.tokens().session(presented.session, now).await?;
        let Some(session) = session.filter(|_| presented.is_ours(self.app.secrets())) else {
            return Err(invalid_refresh_token());
        };
        if !self.app.settings().refresh_rotation {
            // Without rotation, an earlier token comes from an old client, not from a thief. Only the request is refused.
            return Err(invalid_refresh_token());
        }
        uow.tokens().delete_session(session.user_id, session.id).await?;
        self.app.sessions().forget(session.user_id, now);
        tracing::warn!(user_id = %session.user_id, session_id = %session.id, "a refresh token was used again; its session is ended");
        self.app
            .emit(&mut *uow, &DomainEvent::RefreshTokenReused { user: session.user_id, session: session.id })
            .await?;
        self.app.commit(uow).await?;
        Err(Error::new(
            Code::TokenReused,
            "This refresh token was used before, so its session was ended. Log in again.",
        ))
    }

    /// Ends the session of the caller, with its refresh tokens.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn logout(&self, uow: &mut dyn UnitOfWork, actor: &Actor) -> Result<()> {
        self.app.sessions().forget(actor.user, self.app.now());
        uow.tokens().delete_session(actor.user, actor.session).await?;
        Ok(())
    }

    /// Authenticates an access token. Signature, session, epoch and account are checked; the last three were read at most
    /// [`crate::Settings::session_cache_ttl`] ago.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub async fn authenticate(&self, access_token: &str) -> Result<Actor> {
        let now = self.app.now();
        let claims = self.app.issuer().verify(access_token, now).ok_or_else(unauthenticated)?;
        let actor = Actor { user: claims.user, session: claims.session };
        if self.app.sessions().get(&actor.session, now) == Some(actor.user) {
            return Ok(actor);
        }
        let found = self.app.read().await?.tokens().session_with_user(actor.session, now).await?;
        match found {
            Some((session, user)) if session.user_id == actor.user && is_live(&session, &user) => {
                self.app.sessions().keep(actor.session, actor.user, actor.user, now);
                Ok(actor)
            }
            _ => Err(unauthenticated()),
        }
    }

    fn tokens(
        &self,
        user: User,
        session: SessionId,
        refresh: &RefreshToken,
        now: Timestamp,
    ) -> Result<IssuedTokens> {
        let ttl = self.app.settings().access_ttl;
        let claims = AccessClaims { user: user.id, session, issued_at: now, expires_at: now + ttl };
        let jti: crate::id::RequestId = self.app.new_id();
        Ok(IssuedTokens {
            access_token: Secret::new(self.app.issuer().issue(&claims, jti.as_uuid())?),
            refresh_token: Secret::new(refresh.encode()),
            expires_in: ttl.num_seconds(),
            user,
        })
    }

    /// Finds the user of an address, for embedders whose users may log in another way than with a password.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when the text is not an address.
    pub async fn find_by_email(&self, uow: &mut dyn UnitOfWork, email: &str) -> Result<Option<User>> {
        let email = parse_email(email)?;
        Ok(uow.users().credentials_by_email(&email).await?.map(|found| found.user))
    }
}

/// Whether a session is valid for its user's current state.
fn is_live(session: &Session, user: &User) -> bool {
    session.epoch == user.session_epoch && user.disabled_at.is_none()
}

pub(crate) fn unauthenticated() -> Error {
    Error::new(Code::Unauthenticated, "Send a valid access token: Authorization: Bearer <token>.")
}

fn invalid_refresh_token() -> Error {
    Error::new(Code::InvalidRefreshToken, "This refresh token is not valid any more. Log in again.")
}
