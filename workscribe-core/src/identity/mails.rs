//! The mail jobs of identity. No payload contains a token: the worker derives it from the token's id.

use serde::{Deserialize, Serialize};

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{JobId, OneTimeTokenId};
use crate::outbox::{Job, JobPriority};
use crate::storage::UnitOfWork;

use super::email::Email;
use super::model::{OneTimeToken, Purpose, User};
use super::secrets::TokenHash;

/// The reason for a mail to the owner of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountMail {
    /// A link to verify the address.
    VerifyEmail,
    /// A link to set a new password. The request names an address. The worker finds out whether there is an account, so that the
    /// response time reveals nothing.
    ResetPassword,
    /// Somebody tried to register with the address of this account (under `verify_first`).
    AlreadyRegistered,
}

/// Sends a mail to an account's address, if there is an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendAccountMail {
    /// The reason for it.
    pub mail: AccountMail,
    /// The recipient.
    pub email: Email,
}

impl Job for SendAccountMail {
    const KIND: &'static str = "mail.account";
    const QUEUE: &'static str = crate::outbox::MAIL_QUEUE;
    // A person waits for it, so it comes before invitations and digests.
    const PRIORITY: JobPriority = JobPriority::HIGH;
}

/// A mail about an account, with its token, if it has one.
pub struct PreparedAccountMail {
    /// The recipient.
    pub user: User,
    /// The token for the link.
    pub token: Option<String>,
    /// Whether the address refused the last mail. This mail is sent anyway, since a person asked for it.
    pub email_bouncing: bool,
}

impl SendAccountMail {
    /// Looks up the account and makes the token; `None` when there is no such account, or the mail is not needed any more.
    ///
    /// The token has the id of the job, so a job that runs twice mails the same token twice. The token's lifetime begins when the
    /// mail is requested: a mail that is too late is not sent, since its link would be expired.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn prepare(
        &self,
        app: &WorkScribe,
        job: JobId,
        uow: &mut dyn UnitOfWork,
    ) -> Result<Option<PreparedAccountMail>> {
        let Some(found) = uow.users().credentials_by_email(&self.email).await? else { return Ok(None) };
        let user = found.user;
        if user.disabled_at.is_some() {
            return Ok(None);
        }
        let email_bouncing = app.identity().is_bouncing(uow, &user.email).await?;
        let (purpose, ttl) = match self.mail {
            AccountMail::AlreadyRegistered => {
                return Ok(Some(PreparedAccountMail { user, token: None, email_bouncing }));
            }
            AccountMail::VerifyEmail if user.email_verified && !email_bouncing => return Ok(None),
            AccountMail::VerifyEmail => (Purpose::VerifyEmail, app.settings().verify_ttl),
            AccountMail::ResetPassword => (Purpose::ResetPassword, app.settings().reset_ttl),
        };
        let expires_at = job.made_at().unwrap_or_else(|| app.now()) + ttl;
        if expires_at <= app.now() {
            return Ok(None);
        }
        let token = issue(app, uow, &user, purpose, expires_at, job.as_uuid().into()).await?;
        Ok(Some(PreparedAccountMail { user, token: Some(token), email_bouncing }))
    }
}

async fn issue(
    app: &WorkScribe,
    uow: &mut dyn UnitOfWork,
    user: &User,
    purpose: Purpose,
    expires_at: Timestamp,
    id: OneTimeTokenId,
) -> Result<String> {
    let token = app
        .secrets()
        .one_time(None, purpose, id.as_uuid())
        .ok_or_else(|| Error::internal("the key in use is gone"))?;
    let row = OneTimeToken {
        id,
        hash: TokenHash::of(&token),
        purpose,
        user_id: user.id,
        email: user.email.clone(),
        expires_at,
    };
    uow.tokens().put_one_time(&row).await?;
    Ok(token)
}
