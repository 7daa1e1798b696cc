//! The mail transport for SMTP: [`SmtpMailer`].

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use workscribe_core::ports::{Mail, MailError, Mailer};

use super::{SetupError, message};

/// How long one command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a whole mail may take: half of the default lease.
const MAIL_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends mail over SMTP. It reuses connections.
///
/// SMTP has no idempotency key. If the worker crashes after the server has accepted a mail and before the attempt is settled, the
/// mail is sent twice. Both mails have the same `Message-ID` (`<job id@sender's domain>`).
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// A mailer with the URL of a server, and a sender such as `WorkScribe <no-reply@example.com>`.
    ///
    /// | URL | encryption | default port |
    /// |---|---|---|
    /// | `smtps://user:password@host` | TLS from the start (RFC 8314) | 465 |
    /// | `smtp://user:password@host?tls=required` | STARTTLS; without it nothing is sent | 587 |
    /// | `smtp://user:password@host?tls=opportunistic` | STARTTLS if the server supports it | 587 |
    /// | `smtp://host` | none: for a server on the same machine | 25 |
    ///
    /// Percent-encode the user and the password. A path, as in `smtp://host/mail.example.com`, sets the name in `EHLO`.
    ///
    /// # Errors
    /// [`SetupError::Url`], [`SetupError::From`].
    pub fn from_url(url: &str, from: &str) -> Result<Self, SetupError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| {
                SetupError::Url(
                    "it must look like smtps://user:password@host or smtp://host:port?tls=required".into(),
                )
            })?
            .timeout(Some(COMMAND_TIMEOUT))
            .build();
        Ok(Self { transport, from: message::sender(from)? })
    }

    /// Connects to the server to check the configuration. Sends no mail.
    ///
    /// # Errors
    /// [`MailError`], as for a mail.
    pub async fn check(&self) -> Result<(), MailError> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(temporary("the server did not answer as it should".into())),
            Err(error) => Err(translate(&error)),
        }
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = message::build(mail, &self.from)?;
        match tokio::time::timeout(MAIL_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(translate(&error)),
            Err(_) => Err(temporary("the server took too long".into())),
        }
    }
}

/// Enhanced status codes for an address that accepts no mail (RFC 3463 §3.2 and §3.3; RFC 7505 for 5.1.10): no such mailbox, no
/// such host, no valid address, moved without a forwarding address, a domain that accepts no mail, and a disabled mailbox.
const REFUSED_ADDRESS: [&str; 6] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];

/// 4xx replies and connection errors are temporary. 5xx replies (RFC 5321 §4.2.1) and missing capabilities of the server are
/// permanent. The text of the reply is left out, since it often quotes the address; only its first word is used, which is the
/// enhanced status code (RFC 2034 §4).
fn translate(error: &smtp::Error) -> MailError {
    // A refused login (RFC 4954 §6) is the operator's to correct. The mail waits until then.
    let login = error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538));
    let code = error.status().map(|code| format!("the server answered {code}"));
    let enhanced = error.source().map(ToString::to_string).unwrap_or_default();
    let enhanced = enhanced.split_whitespace().next().unwrap_or_default();
    let refused = REFUSED_ADDRESS.into_iter().find(|known| *known == enhanced);
    if let (true, false, Some(code), Some(refused)) = (error.is_permanent(), login, &code, refused) {
        MailError::Address { reason: format!("{code} {refused}") }
    } else if error.is_permanent() && !login {
        MailError::Permanent { reason: code.unwrap_or_else(|| "the server refused it".into()) }
    } else if error.is_client() {
        MailError::Permanent {
            reason: "the server lacks what this mail or its login needs (SMTPUTF8, or a way to log in)"
                .into(),
        }
    } else if let Some(code) = code {
        temporary(code)
    } else if error.is_tls() {
        temporary("no encrypted connection to the server".into())
    } else if error.is_timeout() {
        temporary("the server took too long".into())
    } else {
        temporary("no connection to the server, or it broke".into())
    }
}

fn temporary(reason: String) -> MailError {
    MailError::Temporary { reason, retry_after: None }
}
