use std::sync::Arc;

use async_trait::async_trait;
use workscribe_core::identity::{AccountMail, SendAccountMail};
use workscribe_core::notifications::SendDigest;
use workscribe_core::ports::{Mail, Mailer};
use workscribe_core::tenancy::SendInvitationMail;

use super::links::Links;
use super::templates::{AccountNotice, Content, DigestNotice, InvitationNotice, MailTemplates, one_line};
use crate::handler::{Failure, Handler, JobContext};
use crate::registry::Registry;
use crate::upkeep::{Sweep, sweep};

/// The handlers of WorkScribe's own jobs. Register an embedder's beside them, or in their place.
///
/// Every mail is prepared in a transaction and sent after its commit, so no transaction waits for a mail server.
#[must_use]
pub fn workscribe_jobs(mailer: Arc<dyn Mailer>, templates: Arc<dyn MailTemplates>, links: Links) -> Registry {
    let post = Arc::new(Post { mailer, templates, links });
    Registry::new()
        .register::<SendAccountMail>(AccountMails(Arc::clone(&post)))
        .register::<SendInvitationMail>(InvitationMails(Arc::clone(&post)))
        .register::<SendDigest>(Digests(post))
        .register::<Sweep>(sweep)
}

struct Post {
    mailer: Arc<dyn Mailer>,
    templates: Arc<dyn MailTemplates>,
    links: Links,
}

impl Post {
    async fn send(
        &self,
        context: &JobContext,
        to: &str,
        content: Content,
        link: String,
    ) -> Result<(), Failure> {
        let Content { subject, text, html } = content;
        let subject = one_line(&subject);
        let mail = Mail { id: context.id, to: to.to_owned(), subject, text, html, link: Some(link) };
        Ok(self.mailer.send(&mail).await?)
    }
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
        let notice = AccountNotice { user: &prepared.user, link: &link, good_for };
        let content = match job.mail {
            AccountMail::VerifyEmail => templates.verify_email(&notice),
            AccountMail::ResetPassword => templates.reset_password(&notice),
            AccountMail::AlreadyRegistered => templates.already_registered(&notice),
        };
        self.0.send(&context, prepared.user.email.as_str(), content, link).await
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
        let link = self.0.links.accept_invitation(&token);
        let content = self.0.templates.invitation(&InvitationNotice {
            email: &job.email,
            org_name: &job.org_name,
            inviter_name: &job.inviter_name,
            role: job.role,
            link: &link,
            good_for: context.app.settings().invitation_ttl,
        });
        self.0.send(&context, job.email.as_str(), content, link).await
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
        let content = templates.digest(&DigestNotice { user, notifications, link: &link });
        self.0.send(&context, user.email.as_str(), content, link).await?;
        // A crash before this repeats the mail under the same id, which the provider knows.
        Ok(context.app.notifications().digest_sent(context.id, job.user).await?)
    }
}
