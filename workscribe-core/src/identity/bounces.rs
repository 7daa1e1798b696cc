//! Addresses that refuse mail: noted when a server says so, forgotten when one takes a mail.

use crate::error::Error;
use crate::id::JobId;
use crate::storage::UnitOfWork;

use super::email::Email;
use super::model::Bounce;
use super::service::Identity;

/// A longer reason is cut after this many characters.
const LONGEST_REASON: usize = 200;

impl Identity<'_> {
    /// Notes that an address refuses mail. Digests are not sent there from then on; mails that a person has asked for are still
    /// tried, and one that is taken ends it, as do 180 days.
    ///
    /// The mail handlers call it when a transport says so, and `workscribe-http` when Resend tells later that a mail came back.
    /// Other providers' webhooks are for the embedder to listen to; `job` is `None` then, or what the provider kept of it.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn mail_bounced(
        &self,
        uow: &mut dyn UnitOfWork,
        email: &Email,
        reason: &str,
        job: Option<JobId>,
    ) -> Result<(), Error> {
        let reason = reason.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
        let bounce = Bounce { email: email.clone(), reason, job, bounced_at: self.app.now() };
        Ok(uow.bounces().note(&bounce).await?)
    }

    /// Forgets that an address refused mail: it took one, or somebody has shown what came in one.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn mail_arrived(&self, uow: &mut dyn UnitOfWork, email: &Email) -> Result<(), Error> {
        uow.bounces().clear(email).await?;
        Ok(())
    }

    /// Whether an address refused the last mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn is_bouncing(&self, uow: &mut dyn UnitOfWork, email: &Email) -> Result<bool, Error> {
        Ok(uow.bounces().find(email).await?.is_some())
    }
}
