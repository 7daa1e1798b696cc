//! The digest: the mail that bundles the notifications of one person.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{JobId, UserId};
use crate::identity::{Account, User};
use crate::outbox::{Job, JobPriority};

use super::model::{Digest, Notification};
use super::service::Notifications;

/// Sends a person one mail with their notifications, five minutes after the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendDigest {
    /// The recipient.
    pub user: UserId,
}

impl Job for SendDigest {
    const KIND: &'static str = "mail.digest";
    const QUEUE: &'static str = crate::outbox::MAIL_QUEUE;
    // It comes after mails for which a person waits.
    const PRIORITY: JobPriority = JobPriority::LOW;
}

/// The content of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedDigest {
    /// The recipient.
    pub user: User,
    /// Its notifications, oldest first.
    pub notifications: Vec<Notification>,
}

/// The maximum number of notifications in one mail.
const MOST: u32 = 50;

impl Notifications<'_> {
    /// Closes the digest of a job in a separate transaction, and returns its content; `None` when there is nothing to send: all
    /// notifications were read or removed, the account is disabled, or its address refuses mail. The notifications stay in the
    /// list. A repeated call for the same job returns the same content, so that two mails with one id are the same mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn prepare_digest(&self, job: JobId, user: UserId) -> Result<Option<PreparedDigest>> {
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

    /// Stores that a digest was sent.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn digest_sent(&self, job: JobId, user: UserId) -> Result<()> {
        let mut uow = self.app().begin().await?;
        uow.notifications().digest_sent(&Digest { user, job }).await?;
        self.app().commit(uow).await
    }
}
