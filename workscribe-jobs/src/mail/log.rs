//! The mail transport for development: [`LogMailer`] writes mails to the log.

use async_trait::async_trait;
use workscribe_core::ports::{Mail, MailError, Mailer};

/// Writes the recipient, subject and link of each mail to the log at level `info`. It sends nothing.
///
/// **For development only**: a reader of the log can use the links and take over accounts. It is the default in development, so
/// a newcomer needs no mail server to follow a link.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogMailer;

#[async_trait]
impl Mailer for LogMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let link = mail.link.as_deref().unwrap_or("none");
        tracing::info!(mail.id = %mail.id, to = mail.to, subject = mail.subject, link, "mail (not sent, only logged)");
        Ok(())
    }
}
