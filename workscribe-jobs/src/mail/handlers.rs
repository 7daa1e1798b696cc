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
use super::templates::{
    AccountNotice, Content, DigestNotice, InvitationNotice, MailTemplates, Reader, WebhookNotice, one_line,
};
use crate::handler::{Failure, Handler, JobContext, with_sources};
use crate::registry::Registry;
use crate::upkeep::{Sweep, clear_organization, sweep, unassign_former};

/// The handlers of WorkScribe's own jobs, but for [`crate::webhooks::WebhookSender`]. Register it and an embedder's beside them, or
/// in their place.
///
/// Every mail is prepared in a transaction and sent after its commit, so no transaction waits for a mail server. An address that
/// refuses mail is marked, and its job buried; see [`Identity::mail_bounced`](workscribe_core::identity::Identity::mail_bounced).
#[must_use]
pub fn workscribe_jobs(mailer: Arc<dyn Mailer>, templates: Arc<dyn MailTemplates>, links: Links) -> Registry {
    let post = Arc::new(Post { mailer, templates, links });
    Registry::new()
        .register::<SendAccountMail>(AccountMails(Arc::clone(&post)))
        .register::<SendInvitationMail>(InvitationMails(Arc::clone(&post)))
        .register::<SendDigest>(Digests(Arc::clone(&post)))
        .register::<SendWebhookMail>(WebhookMails(post))
        .register::<Sweep>(sweep)
        .register::<ClearOrganization>(clear_organization)
        .register::<UnassignFormer>(unassign_former)
}

struct Post {
    mailer: Arc<dyn Mailer>,
    templates: Arc<dyn MailTemplates>,
    links: Links,
}

/// A mail's way to its address.
struct Outgoing<'a> {
    to: &'a Email,
    /// Whether the address refused the last mail.
    was_bouncing: bool,
    content: Content,
    link: String,
}

impl Post {
    async fn send(&self, context: &JobContext, mail: Outgoing<'_>) -> Result<(), Failure> {
        let Outgoing { to, was_bouncing, content: Content { subject, text, html }, link } = mail;
        let subject = one_line(&subject);
        let mail = Mail { id: context.id, to: to.as_str().to_owned(), subject, text, html, link: Some(link) };
        match self.mailer.send(&mail).await {
            Ok(()) => {
                // The mail has gone: it is not sent again for the sake of the mark.
                if was_bouncing && let Err(error) = arrived(context, to).await {
                    tracing::warn!(
                        job.id = %context.id, error = with_sources(&error),
                        "an address that takes mail again stays marked until the next mail"
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

struct AccountMails(Arc<Post>);

#[async_trait]
impl Handler<SendAccountMail> for AccountMails {
    async fn handle(&self, context: JobContext, job: SendAccountMail) -> Result<(), Failure> {
        let app = &context.app;
        let mut uow = app.begin().await?;
        let prepared = job.prepare(app, context.id, &mut *uow).await?;
        app.commit(uow).await?;
        // Nobody to write to, or no need any more.
        let Some(prepared) = prepared else { return Ok(()) };

        let Post { templates, links, .. } = &*self.0;
        let token = || prepared.token.as_deref().ok_or_else(|| Failure::bury("the mail has no token"));
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

struct InvitationMails(Arc<Post>);

#[async_trait]
impl Handler<SendInvitationMail> for InvitationMails {
    async fn handle(&self, context: JobContext, job: SendInvitationMail) -> Result<(), Failure> {
        let token = job.token(&context.app).ok_or_else(|| Failure::bury("the key is gone"))?;
        let ends = job.token_id.made_at().map(|made| made + context.app.settings().invitation_ttl);
        if ends.is_some_and(|ends| ends <= context.app.now()) {
            return Err(Failure::bury("the invitation has expired before its mail could be sent"));
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

struct Digests(Arc<Post>);

#[async_trait]
impl Handler<SendDigest> for Digests {
    async fn handle(&self, context: JobContext, job: SendDigest) -> Result<(), Failure> {
        let notifications = context.app.notifications();
        let Some(prepared) = notifications.prepare_digest(context.id, job.user).await? else {
            return Ok(());
        };
        let Post { templates, links, .. } = &*self.0;
        let link = links.notifications();
        let (user, notifications) = (&prepared.user, &prepared.notifications[..]);
        let language = templates.language(&Reader::of(user)).await?;
        let language = language.as_deref();
        let content = templates.digest(&DigestNotice { user, language, notifications, link: &link });
        // No digest is made for an address that refuses mail.
        self.0.send(&context, Outgoing { to: &user.email, was_bouncing: false, content, link }).await?;
        // A crash before this repeats the mail under the same id, which the provider knows.
        Ok(context.app.notifications().digest_sent(context.id, job.user).await?)
    }
}

struct WebhookMails(Arc<Post>);

#[async_trait]
impl Handler<SendWebhookMail> for WebhookMails {
    async fn handle(&self, context: JobContext, job: SendWebhookMail) -> Result<(), Failure> {
        let Some(user) = job.recipient(&context.app).await? else { return Ok(()) };
        let Post { templates, links, .. } = &*self.0;
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
