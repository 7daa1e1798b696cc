//! The mails of WorkScribe: how they read, where their links lead, and how they are sent.
//!
//! | file | what |
//! |---|---|
//! | `templates.rs` | [`MailTemplates`], to be replaced or translated, and the English [`DefaultTemplates`] |
//! | `links.rs` | [`Links`]: from the configured public URL, never from a request |
//! | `handlers.rs` | [`workscribe_jobs`]: the handlers of the mail jobs |
//! | `message.rs` | the message that SMTP and the folder share |
//! | `log.rs`, `folder.rs`, `smtp.rs`, `resend.rs` | the transports: [`LogMailer`], [`FileMailer`], [`SmtpMailer`], [`ResendMailer`] |
//!
//! A mail is sent at least once. Its id is that of its job, and what it says is the same in every attempt, so a
//! provider with idempotency keys sends it once, and a reader's mail program sees one `Message-ID`.
//!
//! An address that refuses a mail is marked. Digests are not sent there until it takes one of the mails that people ask for,
//! which are tried all the same, or until somebody shows a token that came in one.

mod folder;
mod handlers;
mod links;
mod log;
mod message;
mod resend;
mod smtp;
mod templates;

pub use folder::FileMailer;
pub use handlers::workscribe_jobs;
pub use links::Links;
pub use log::LogMailer;
pub use resend::ResendMailer;
pub use smtp::SmtpMailer;
pub use templates::{
    AccountNotice, Content, DefaultTemplates, DigestNotice, InvitationNotice, MailTemplates, Reader,
    WebhookNotice, escape_html, spell_out,
};

/// Why a mail transport or the links cannot be set up. The text quotes no password and no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The URL cannot be used.
    #[error("the URL cannot be used: {0}")]
    Url(String),
    /// The sender is not a mailbox such as `WorkScribe <no-reply@example.com>`.
    #[error("the sender must be an address such as \"WorkScribe <no-reply@example.com>\"")]
    From,
    /// The HTTP or TLS client cannot be made, or the key cannot stand in a header.
    #[error("the client cannot be made: {0}")]
    Client(String),
}
