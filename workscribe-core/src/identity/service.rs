//! Accounts: registration, profile, passwords, and the verification of addresses.

use crate::app::{RegistrationPolicy, WorkScribe};
use crate::error::{Code, Error, Result, Violations};
use crate::events::DomainEvent;
use crate::id::{SessionId, UserId};
use crate::identity::Actor;
use crate::limits::Limit;
use crate::mail_limits;
use crate::names::display_name;
use crate::ports::{Secret, Verdict};
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};

use super::delay::LoginPlace;
use super::email::Email;
use super::hashing::Asker;
use super::mails::{AccountMail, SendAccountMail};
use super::model::{Account, Client, Credentials, NewUser, ProfileChange, Purpose, User, avatar_url};
use super::secrets::TokenHash;
use super::sessions::IssuedTokens;
use super::throttle;

/// Accounts and sessions. [`WorkScribe::identity`] returns it.
///
/// Methods take the caller's unit of work. Methods that hash a password open their own unit after the hash, since hashing
/// takes long and must not keep a transaction open.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    pub(super) app: &'a WorkScribe,
}

/// The input of a registration.
#[derive(Debug, Clone)]
pub struct Register {
    /// Their address.
    pub email: String,
    /// Their name.
    pub display_name: String,
    /// Their password.
    pub password: Secret,
}

/// A checked registration with its hashed password, ready to be written.
#[derive(Clone)]
pub struct PreparedUser {
    email: Email,
    display_name: String,
    password_hash: String,
}

/// The result of a registration.
#[derive(Debug)]
pub enum RegisterOutcome {
    /// The account was created, and the user is logged in.
    Registered(IssuedTokens),
    /// A mail was sent, whether or not the account existed before.
    MailSent,
}

impl WorkScribe {
    /// Users and sessions.
    #[must_use]
    pub const fn identity(&self) -> Identity<'_> {
        Identity { app: self }
    }
}

impl Identity<'_> {
    /// Checks a registration and hashes its password. It opens no unit of work.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with all errors; `OVERLOADED`.
    pub async fn prepare(&self, input: &Register) -> Result<PreparedUser> {
        self.prepare_for(input, &Client::default()).await
    }

    /// The same, for a client: the hash waits in the queue of the client's network.
    pub(crate) async fn prepare_for(&self, input: &Register, client: &Client) -> Result<PreparedUser> {
        let mut violations = Violations::default();
        let email = violations.keep("/email", Email::parse(&input.email));
        let name = violations.keep("/display_name", display_name(&input.display_name));
        violations.keep("/password", self.app.settings().password.check(&input.password));
        violations.into_result()?;
        let (Some(email), Some(display_name)) = (email, name) else {
            return Err(Error::internal("a fault was not noted"));
        };
        let password_hash = self.app.hasher().hash(Asker::at(client), &input.password).await?;
        Ok(PreparedUser { email, display_name, password_hash })
    }

    /// Writes a prepared account in the caller's transaction, and enqueues the mail that verifies its address.
    ///
    /// # Errors
    /// `EMAIL_TAKEN`.
    pub async fn create(
        &self,
        uow: &mut dyn UnitOfWork,
        prepared: PreparedUser,
        email_verified: bool,
    ) -> Result<User> {
        let new = NewUser {
            id: self.app.new_id(),
            email: prepared.email,
            display_name: prepared.display_name,
            password_hash: Some(prepared.password_hash),
            email_verified,
            created_at: self.app.now(),
        };
        self.insert(uow, &new).await
    }

    /// Adds an account without a password, for an embedder whose users log in another way.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, `EMAIL_TAKEN`.
    pub async fn create_without_password(
        &self,
        uow: &mut dyn UnitOfWork,
        email: &str,
        name: &str,
        email_verified: bool,
    ) -> Result<User> {
        let mut violations = Violations::default();
        let email = violations.keep("/email", Email::parse(email));
        let name = violations.keep("/display_name", display_name(name));
        violations.into_result()?;
        let (Some(email), Some(display_name)) = (email, name) else {
            return Err(Error::internal("a fault was not noted"));
        };
        let created_at = self.app.now();
        let new = NewUser {
            id: self.app.new_id(),
            email,
            display_name,
            password_hash: None,
            email_verified,
            created_at,
        };
        self.insert(uow, &new).await
    }

    async fn insert(&self, uow: &mut dyn UnitOfWork, new: &NewUser) -> Result<User> {
        let user = uow.users().insert(new).await.map_err(|error| match error {
            StoreError::Conflict { constraint: Constraint::UserEmail, .. } => Error::new(
                Code::EmailTaken,
                "There is an account with this e-mail address. Log in, or reset the password.",
            ),
            other => other.into(),
        })?;
        if !user.email_verified {
            self.app
                .enqueue(uow, &SendAccountMail { mail: AccountMail::VerifyEmail, email: user.email.clone() })
                .await?;
        }
        self.app.emit(uow, &DomainEvent::UserRegistered { user: user.id }).await?;
        Ok(user)
    }

    /// Registers a user according to the policy. Under `verify_first` a known address takes the same steps, but gets another mail.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, `EMAIL_TAKEN` (under `open`), `OVERLOADED`.
    pub async fn register(&self, input: &Register, client: &Client) -> Result<RegisterOutcome> {
        let prepared = self.prepare_for(input, client).await?;
        let email = prepared.email.clone();
        let mut uow = self.app.begin().await?;
        match (self.create(&mut *uow, prepared, false).await, self.app.settings().registration) {
            (Ok(user), RegistrationPolicy::Open) => {
                let tokens = self.start_session(&mut *uow, user, client).await?;
                self.app.commit(uow).await?;
                Ok(RegisterOutcome::Registered(tokens))
            }
            (Ok(_), RegistrationPolicy::VerifyFirst) => {
                self.app.commit(uow).await?;
                Ok(RegisterOutcome::MailSent)
            }
            (Err(error), RegistrationPolicy::VerifyFirst) if error.code() == Code::EmailTaken => {
                drop(uow);
                let limit = Limit::AlreadyRegisteredMailsPerRecipient;
                if !mail_limits::hit(self.app, limit, &mail_limits::key_of(&email)).await.allowed {
                    return Ok(RegisterOutcome::MailSent);
                }
                let mut uow = self.app.begin().await?;
                self.app
                    .enqueue(&mut *uow, &SendAccountMail { mail: AccountMail::AlreadyRegistered, email })
                    .await?;
                self.app.commit(uow).await?;
                Ok(RegisterOutcome::MailSent)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The account of the caller.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it does not exist.
    pub async fn me(&self, uow: &mut dyn UnitOfWork, actor: &Actor) -> Result<User> {
        uow.users().find(actor.user).await?.ok_or_else(super::sessions::unauthenticated)
    }

    /// The account of the caller, with what only they can see.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it does not exist.
    pub async fn account(&self, uow: &mut dyn UnitOfWork, actor: &Actor) -> Result<Account> {
        uow.users().account(actor.user).await?.ok_or_else(super::sessions::unauthenticated)
    }

    /// Changes the caller's own profile.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, `STALE_VERSION`.
    pub async fn update_profile(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        change: &ProfileChange,
        expected: Option<i64>,
    ) -> Result<User> {
        let mut violations = Violations::default();
        let checked = ProfileChange {
            display_name: change
                .display_name
                .as_deref()
                .and_then(|name| violations.keep("/display_name", display_name(name))),
            avatar_url: change
                .avatar_url
                .as_ref()
                .map(|url| url.as_deref().and_then(|url| violations.keep("/avatar_url", avatar_url(url)))),
        };
        violations.into_result()?;
        uow.users()
            .update_profile(actor.user, &checked, expected, self.app.now())
            .await?
            .ok_or_else(super::sessions::unauthenticated)
    }

    /// Requests a link to set a new password. The answer, and the work before it, are the same for all addresses.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when the text is not an address.
    pub async fn forgot_password(&self, uow: &mut dyn UnitOfWork, email: &str) -> Result<()> {
        let email = parse_email(email)?;
        self.app.enqueue(uow, &SendAccountMail { mail: AccountMail::ResetPassword, email }).await?;
        Ok(())
    }

    /// Sets a new password with a mailed token. It ends all sessions, forgets failed logins, and marks the address as verified,
    /// since the token was sent there.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` (the token stays valid), `INVALID_TOKEN`, `OVERLOADED`.
    pub async fn reset_password(&self, token: &str, password: &Secret, client: &Client) -> Result<()> {
        self.check_password("/new_password", password)?;
        let (now, hash) = (self.app.now(), TokenHash::of(token));
        // The token is looked up before the slow hash. It is taken after the hash, in the transaction.
        if self.app.read().await?.tokens().find_one_time(Purpose::ResetPassword, &hash, now).await?.is_none()
        {
            return Err(invalid_token());
        }
        let password_hash = self.app.hasher().hash(Asker::at(client), password).await?;
        let mut uow = self.app.begin().await?;
        let token = uow
            .tokens()
            .take_one_time(Purpose::ResetPassword, &hash, now)
            .await?
            .ok_or_else(invalid_token)?;
        uow.users().set_password(token.user_id, &password_hash, now).await?.ok_or_else(invalid_token)?;
        uow.users().set_verified(token.user_id, &token.email, now).await?;
        self.mail_arrived(&mut *uow, &token.email).await?;
        uow.tokens().delete_sessions(token.user_id, None).await?;
        uow.tokens().delete_one_time(token.user_id, Purpose::ResetPassword).await?;
        uow.attempts().clear(&LoginPlace::of_login(&token.email, client)).await?;
        self.app.sessions().forget(token.user_id, now);
        self.app.emit(&mut *uow, &DomainEvent::PasswordChanged { user: token.user_id }).await?;
        self.app.commit(uow).await
    }

    /// Changes the caller's own password and ends their other sessions. Wrong current passwords delay further attempts in this
    /// session, as failed logins do in a network. Failed logins of strangers have no effect here.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, with `UNCHANGED` for the current password; `INVALID_CREDENTIALS`, `RATE_LIMITED`, `OVERLOADED`.
    pub async fn change_password(&self, actor: &Actor, current: &Secret, new: &Secret) -> Result<()> {
        self.check_password("/new_password", new)?;
        if current == new {
            let mut violations = Violations::default();
            violations.add("/new_password", "UNCHANGED", "Choose another password than the current one.");
            violations.into_result()?;
        }
        let (place, asker) = (LoginPlace::of_session(actor), Asker::User(actor.user));
        let wrong = || Error::new(Code::InvalidCredentials, "The current password is wrong.");
        let found = self.app.read().await?.users().credentials(actor.user).await?;
        let Credentials { user, password_hash } = found.ok_or_else(super::sessions::unauthenticated)?;
        throttle::check(self.app, &place).await?;
        if self.app.hasher().verify(asker.clone(), current, password_hash.as_deref()).await? == Verdict::Wrong
        {
            throttle::failed(self.app, &place).await?;
            return Err(wrong());
        }
        // Guesses sent at the same time count too; see `login`.
        throttle::check(self.app, &place).await?;
        let hash = self.app.hasher().hash(asker, new).await?;
        let mut uow = self.app.begin().await?;
        let (now, epoch_before) = (self.app.now(), user.session_epoch);
        let user = uow
            .users()
            .set_password(actor.user, &hash, now)
            .await?
            .ok_or_else(super::sessions::unauthenticated)?;
        // Another change or a reset committed first: the password checked above is not the current one, and must not replace it.
        if user.session_epoch != epoch_before + 1 {
            return Err(wrong());
        }
        uow.tokens().delete_sessions(user.id, Some(actor.session)).await?;
        uow.tokens().set_session_epoch(actor.session, user.session_epoch).await?;
        uow.tokens().delete_one_time(user.id, Purpose::ResetPassword).await?;
        self.app.sessions().forget(user.id, now);
        self.app.emit(&mut *uow, &DomainEvent::PasswordChanged { user: user.id }).await?;
        self.app.commit(uow).await
    }

    /// Marks an address as verified, with a mailed token.
    ///
    /// # Errors
    /// `INVALID_TOKEN`.
    pub async fn verify_email(&self, uow: &mut dyn UnitOfWork, token: &str) -> Result<()> {
        let now = self.app.now();
        let hash = TokenHash::of(token);
        let token =
            uow.tokens().take_one_time(Purpose::VerifyEmail, &hash, now).await?.ok_or_else(invalid_token)?;
        if !uow.users().set_verified(token.user_id, &token.email, now).await? {
            return Err(invalid_token());
        }
        self.mail_arrived(uow, &token.email).await
    }

    /// Sends the link to verify the caller's own address again. Nothing happens when the address is verified and accepts mail. When
    /// the address refuses mail, this shows whether it accepts mail again.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn resend_verification(&self, uow: &mut dyn UnitOfWork, actor: &Actor) -> Result<()> {
        let Account { user, email_bouncing } = self.account(uow, actor).await?;
        if !user.email_verified || email_bouncing {
            self.app
                .enqueue(uow, &SendAccountMail { mail: AccountMail::VerifyEmail, email: user.email })
                .await?;
        }
        Ok(())
    }

    /// Disables an account, which ends its sessions at once, or enables it. It is for operators; the HTTP API does not offer it.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when there is no such account.
    pub async fn set_disabled(&self, uow: &mut dyn UnitOfWork, user: UserId, disabled: bool) -> Result<User> {
        let now = self.app.now();
        let changed = uow
            .users()
            .set_disabled(user, disabled, now)
            .await?
            .ok_or_else(super::sessions::unauthenticated)?;
        if disabled {
            uow.tokens().delete_sessions(user, None).await?;
            self.app.sessions().forget(user, now);
        }
        Ok(changed)
    }

    /// The caller's own sessions, newest first.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn sessions(&self, uow: &mut dyn UnitOfWork, actor: &Actor) -> Result<Vec<super::Session>> {
        Ok(uow.tokens().sessions_of(actor.user, self.app.now()).await?)
    }

    /// Ends one of the caller's own sessions.
    ///
    /// # Errors
    /// `SESSION_NOT_FOUND`.
    pub async fn end_session(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        session: SessionId,
    ) -> Result<()> {
        self.app.sessions().forget(actor.user, self.app.now());
        if uow.tokens().delete_session(actor.user, session).await? {
            Ok(())
        } else {
            Err(Error::new(Code::SessionNotFound, "You have no session with this id."))
        }
    }

    /// Ends all of the caller's sessions except the current one.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn end_other_sessions(&self, uow: &mut dyn UnitOfWork, actor: &Actor) -> Result<()> {
        self.app.sessions().forget(actor.user, self.app.now());
        Ok(uow.tokens().delete_sessions(actor.user, Some(actor.session)).await?)
    }

    fn check_password(&self, pointer: &str, password: &Secret) -> Result<()> {
        let mut violations = Violations::default();
        violations.keep(pointer, self.app.settings().password.check(password));
        violations.into_result()
    }
}

pub(crate) fn parse_email(text: &str) -> Result<Email> {
    let mut violations = Violations::default();
    let email = violations.keep("/email", Email::parse(text));
    violations.into_result()?;
    email.ok_or_else(|| Error::internal("a fault was not noted"))
}

fn invalid_token() -> Error {
    Error::new(
        Code::InvalidToken,
        "This link is not valid any more: it was used, or its time is over. Ask for a new one.",
    )
}
