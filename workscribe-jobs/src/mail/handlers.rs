//! The handlers of WorkScribe's own jobs: [`workscribe_jobs`].

use std::sync::Arc;

use async_trait::async_trait;
use workscribe_core::Error;
use workscribe_core::identity::{AccountMail, Email, SendAccountMail};
use workscribe_core::notifications::SendDigest;
use workscribe_core::ports::{Mail, MailError, Mailer};
use workscribe_core::tenancy::{ClearOrganization, SendInvitationMail};
use workscribe_core::webhooks::SendWebhookMail;
use workscribe_core::work::UnassignFormer;

use super::links::Links;
use super::notices::{AccountNotice, Content, DigestNotice, InvitationNotice, Reader, WebhookNotice};
use super::templates::{MailTemplates, one_line};
use crate::handler::{Handler, JobContext, JobError, with_sources};
use crate::registry::Registry;
use crate::upkeep::{Sweep, clear_organization, sweep, unassign_former};

/// The handlers of WorkScribe's own jobs, except [`crate::webhooks::WebhookSender`]. Register that handler too, and an embedder's
/// own, which may replace these.
///
/// A handler prepares its mail in a transaction and sends it after the commit, so no transaction waits for a mail server. When an
/// address refuses mail, the handler marks it as bouncing and the job is buried; see
/// [`Identity::mail_bounced`](workscribe_core::identity::Identity::mail_bounced).
#[must_use]
pub fn workscribe_jobs(mailer: Arc<dyn Mailer>, templates: Arc<dyn MailTemplates>, links: Links) -> Registry {
    let sender = Arc::new(MailSender { mailer, templates, links });
    Registry::new()
        .register::<SendAccountMail>(AccountMails(Arc::clone(&sender)))
        .register::<SendInvitationMail>(InvitationMails(Arc::clone(&sender)))
        .register::<SendDigest>(Digests(Arc::clone(&sender)))
        .register::<SendWebhookMail>(WebhookMails(sender))
        .register::<Sweep>(sweep)
        .register::<ClearOrganization>(clear_organization)
        .register::<UnassignFormer>(unassign_former)
}

/// Sends the mails of all handlers.
struct MailSender {
    mailer: Arc<dyn Mailer>,
    templates: Arc<dyn MailTemplates>,
    links: Links,
}

/// A mail and its recipient.
struct Outgoing<'a> {
    to: &'a Email,
    /// Whether the address is marked as bouncing.
    was_bouncing: bool,
    content: Content,
    link: String,
}

impl MailSender {
    async fn send(&self, context: &JobContext, mail: Outgoing<'_>) -> Result<(), JobError> {
        let Outgoing { to, was_bouncing, content: Content { subject, text, html }, link } = mail;
        let subject = one_line(&subject);
        let mail = Mail { id: context.id, to: to.as_str().to_owned(), subject, text, html, link: Some(link) };
        match self.mailer.send(&mail).await {
            Ok(()) => {
                // The mail is sent. A failed update of the mark must not send it again.
                if was_bouncing && let Err(error) = arrived(context, to).await {
                    tracing::warn!(
                        job.id = %context.id, error = with_sources(&error),
                        "an address that accepts mail again stays marked as bouncing until the next mail"
                    );
                }
                Ok(())
            }
            Err(MailError::Address { reason }) => {
                bounced(context, to, &reason).await?;
                Err(MailError::Address { reason }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn bounced(context: &JobContext, email: &Email, reason: &str) -> Result<(), Error> {
    let mut uow = context.app.begin().await?;
    context.app.identity().mail_bounced(&mut *uow, email, reason, Some(context.id)).await?;
    context.app.commit(uow).await
}

async fn arrived(context: &JobContext, email: &Email) -> Result<(), Error> {
    let mut uow = context.app.begin().await?;
    context.app.identity().mail_arrived(&mut *uow, email).await?;
    context.app.commit(uow).await
}

struct AccountMails(Arc<MailSender>);

#[async_trait]
impl Handler<SendAccountMail> for AccountMails {
    async fn handle(&self, context: JobContext, job: SendAccountMail) -> Result<(), JobError> {
        let app = &context.app;
        let mut uow = app.begin().await?;
        let prepared = job.prepare(app, context.id, &mut *uow).await?;
        app.commit(uow).await?;
        // There is no recipient, or the mail is no longer needed.
        let Some(prepared) = prepared else { return Ok(()) };

        let MailSender { templates, links, .. } = &*self.0;
        let token = || prepared.token.as_deref().ok_or_else(|| JobError::bury("the mail has no token"));
        let (link, good_for) = match job.mail {
            AccountMail::VerifyEmail => (links.verify_email(token()?), Some(app.settings().verify_ttl)),
            AccountMail::ResetPassword => (links.reset_password(token()?), Some(app.settings().reset_ttl)),
            AccountMail::AlreadyRegistered => (links.home(), None),
        };
        let language = templates.language(&Reader::of(&prepared.user)).await?;
        let language = language.as_deref();
        let notice = AccountNotice { user: &prepared.user, language, link: &link, good_for };
        let content = match job.mail {
            AccountMail::VerifyEmail => templates.verify_email(&notice),
            AccountMail::ResetPassword => templates.reset_password(&notice),
            AccountMail::AlreadyRegistered => templates.already_registered(&notice),
        };
        let (to, was_bouncing) = (&prepared.user.email, prepared.email_bouncing);
        self.0.send(&context, Outgoing { to, was_bouncing, content, link }).await
    }
}

struct InvitationMails(Arc<MailSender>);

#[async_trait]
impl Handler<SendInvitationMail> for InvitationMails {
    async fn handle(&self, context: JobContext, job: SendInvitationMail) -> Result<(), JobError> {
        let token = job
            .token(&context.app)
            .ok_or_else(|| JobError::bury("the key of the token is no longer configured"))?;
        let ends = job.token_id.made_at().map(|made| made + context.app.settings().invitation_ttl);
        if ends.is_some_and(|ends| ends <= context.app.now()) {
            return Err(JobError::bury("the invitation has expired before its mail could be sent"));
        }
        let was_bouncing = {
            let mut uow = context.app.read().await?;
            context.app.identity().is_bouncing(&mut *uow, &job.email).await?
        };
        let link = self.0.links.accept_invitation(&token);
        let reader =
            Reader { email: &job.email, user: None, organization: job.org_id, inviter: job.inviter_id };
        let language = self.0.templates.language(&reader).await?;
        let content = self.0.templates.invitation(&InvitationNotice {
            email: &job.email,
            language: language.as_deref(),
            org_name: &job.org_name,
            inviter_name: &job.inviter_name,
            role: job.role,
            link: &link,
            good_for: context.app.settings().invitation_ttl,
        });
        self.0.send(&context, Outgoing { to: &job.email, was_bouncing, content, link }).await
    }
}

struct Digests(Arc<MailSender>);

#[async_trait]
impl Handler<SendDigest> for Digests {
    async fn handle(&self, context: JobContext, job: SendDigest) -> Result<(), JobError> {
        let notifications = context.app.notifications();
        let Some(prepared) = notifications.prepare_digest(context.id, job.user).await? else {
            return Ok(());
        };
        let MailSender { templates, links, .. } = &*self.0;
        let link = links.notifications();
        let (user, notifications) = (&prepared.user, &prepared.notifications[..]);
        let language = templates.language(&Reader::of(user)).await?;
        let language = language.as_deref();
        let content = templates.digest(&DigestNotice { user, language, notifications, link: &link });
        // No digest is prepared for a bouncing address.
        self.0.send(&context, Outgoing { to: &user.email, was_bouncing: false, content, link }).await?;
        // After a crash before this line the mail is sent again under the same id, which the provider recognizes.
        Ok(context.app.notifications().digest_sent(context.id, job.user).await?)
    }
}

struct WebhookMails(Arc<MailSender>);

#[async_trait]
impl Handler<SendWebhookMail> for WebhookMails {
    async fn handle(&self, context: JobContext, job: SendWebhookMail) -> Result<(), JobError> {
        let Some(user) = job.recipient(&context.app).await? else { return Ok(()) };
        let MailSender { templates, links, .. } = &*self.0;
        let link = links.webhooks(&job.org_slug);
        let language = templates.language(&Reader::of(&user)).await?;
        let content = templates.webhook_disabled(&WebhookNotice {
            user: &user,
            language: language.as_deref(),
            org_name: &job.org_name,
            host: &job.host,
            reason: job.reason,
            link: &link,
        });
        self.0.send(&context, Outgoing { to: &user.email, was_bouncing: false, content, link }).await
    }
}
