//! The mail that gathers the notifications of one person.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::id::{JobId, UserId};
use crate::identity::{Account, User};
use crate::outbox::{Job, JobPriority};

use super::model::{Digest, Notification};
use super::service::Notifications;

/// Sends a person one mail with what happened since the first of the notifications in it, five minutes before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendDigest {
    /// To whom.
    pub user: UserId,
}

impl Job for SendDigest {
    const KIND: &'static str = "mail.digest";
    const QUEUE: &'static str = crate::outbox::MAIL_QUEUE;
    // After what somebody waits for.
    const PRIORITY: JobPriority = JobPriority::LOW;
}

/// A digest that is ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedDigest {
    /// To whom.
    pub user: User,
    /// What it says, oldest first.
    pub notifications: Vec<Notification>,
}

/// How many notifications one mail lists.
const MOST: u32 = 50;

impl Notifications<'_> {
    /// Closes the digest of a job, in a transaction of its own, and answers what it is to say; `None` when there is nothing:
    /// all was read or removed meanwhile, the account is disabled, or its address refuses mail; what it would have said stays in
    /// the list. Called again for the same job it answers the same, so that a mail that is sent twice under one id is one mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn prepare_digest(&self, job: JobId, user: UserId) -> Result<Option<PreparedDigest>, Error> {
        let digest = Digest { user, job };
        let mut uow = self.app().begin().await?;
        uow.notifications().close_digest(&digest).await?;
        let notifications = uow.notifications().digest(&digest, MOST).await?;
        let account = uow.users().account(user).await?;
        self.app().commit(uow).await?;
        let reachable = |account: &Account| account.user.disabled_at.is_none() && !account.email_bouncing;
        Ok(account
            .filter(|account| reachable(account) && !notifications.is_empty())
            .map(|account| PreparedDigest { user: account.user, notifications }))
    }

    /// Notes that a digest was sent.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn digest_sent(&self, job: JobId, user: UserId) -> Result<(), Error> {
        let mut uow = self.app().begin().await?;
        uow.notifications().digest_sent(&Digest { user, job }).await?;
        self.app().commit(uow).await
    }
}
