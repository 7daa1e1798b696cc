//! Addresses that refuse mail: marked when a mail server refuses a mail, unmarked when a mail is accepted.

use crate::error::Result;
use crate::id::JobId;
use crate::storage::UnitOfWork;

use super::email::Email;
use super::model::Bounce;
use super::service::Identity;

/// A longer reason is cut to this many characters.
const LONGEST_REASON: usize = 200;

impl Identity<'_> {
    /// Marks an address that refuses mail. It gets no digests from then on. Mails that a person asks for are still sent; when the
    /// address accepts one, the mark is removed. A mark also expires after 180 days.
    ///
    /// The mail handlers call it when a transport reports a refusal, and `workscribe-http` when Resend reports a bounce later. For
    /// other providers, an embedder must receive their webhooks; `job` is then `None`, or the id that the provider returns.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn mail_bounced(
        &self,
        uow: &mut dyn UnitOfWork,
        email: &Email,
        reason: &str,
        job: Option<JobId>,
    ) -> Result<()> {
        let reason = reason.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
        let bounce = Bounce { email: email.clone(), reason, job, bounced_at: self.app.now() };
        Ok(uow.bounces().note(&bounce).await?)
    }

    /// Removes the mark of an address: it accepted a mail, or somebody used the token of one.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn mail_arrived(&self, uow: &mut dyn UnitOfWork, email: &Email) -> Result<()> {
        uow.bounces().clear(email).await?;
        Ok(())
    }

    /// Whether an address refused the last mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn is_bouncing(&self, uow: &mut dyn UnitOfWork, email: &Email) -> Result<bool> {
        Ok(uow.bounces().find(email).await?.is_some())
    }
}
