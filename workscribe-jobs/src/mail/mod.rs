//! The mails of WorkScribe: their templates, their links, and the transports that send them.
//!
//! | file | what |
//! |---|---|
//! | `templates.rs` | [`MailTemplates`], which an embedder may replace, and the English [`DefaultTemplates`] |
//! | `notices.rs` | the data of each kind of mail, and its content |
//! | `links.rs` | [`Links`]: from the configured public URL, never from a request |
//! | `handlers.rs` | [`workscribe_jobs`]: the handlers of WorkScribe's own jobs |
//! | `message.rs` | the message of a mail, for SMTP and the folder |
//! | `log.rs`, `folder.rs`, `smtp.rs`, `resend.rs` | the transports: [`LogMailer`], [`FileMailer`], [`SmtpMailer`], [`ResendMailer`] |
//!
//! A mail is sent at least once. Its id is the id of its job, and its content is the same in every attempt. So a provider with
//! idempotency keys sends it once, and the recipient's mail program sees one `Message-ID`.
//!
//! An address that refuses a mail is marked as bouncing. Mails that a person asks for are still sent to it, but no digests. The
//! mark ends when the address accepts a mail, or when somebody uses a token from a mail to it.

mod folder;
mod handlers;
mod links;
mod log;
mod message;
mod notices;
mod resend;
mod smtp;
mod templates;

pub use folder::FileMailer;
pub use handlers::workscribe_jobs;
pub use links::Links;
pub use log::LogMailer;
pub use notices::{AccountNotice, Content, DigestNotice, InvitationNotice, Reader, WebhookNotice};
pub use resend::ResendMailer;
pub use smtp::SmtpMailer;
pub use templates::{DefaultTemplates, MailTemplates, escape_html, spell_out};

/// Why a mail transport or the links cannot be set up. The text quotes no password and no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The URL cannot be used.
    #[error("the URL cannot be used: {0}")]
    Url(String),
    /// The sender is not a mailbox such as `WorkScribe <no-reply@example.com>`.
    #[error("the sender must be an address such as \"WorkScribe <no-reply@example.com>\"")]
    From,
    /// The HTTP or TLS client cannot be made, or the key has characters that a header cannot contain.
    #[error("the client cannot be made: {0}")]
    Client(String),
}
