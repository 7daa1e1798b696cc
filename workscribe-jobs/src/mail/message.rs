//! The message of a mail, for the SMTP and the folder transport.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use workscribe_core::ports::{Mail, MailError};

use super::SetupError;

/// Parses a sender: `no-reply@example.com` or `WorkScribe <no-reply@example.com>`.
pub(super) fn sender(from: &str) -> Result<Mailbox, SetupError> {
    from.trim().parse().map_err(|_| SetupError::From)
}

/// The message of a mail: `multipart/alternative` with a text and an HTML part in UTF-8.
///
/// Every build of one mail gives the same bytes: `Message-ID`, `Date` and the boundary come from the id, which contains the time
/// when the job was made. `Auto-Submitted` (RFC 3834) stops auto-responders from answering.
///
/// # Errors
/// [`MailError::Address`] when the recipient is not an address, [`MailError::Permanent`] when the mail cannot be written as a
/// message.
pub(super) fn build(mail: &Mail, from: &Mailbox) -> Result<Message, MailError> {
    let permanent = |reason: &str| MailError::Permanent { reason: reason.to_owned() };
    let no_address = |_| MailError::Address { reason: "the recipient is not an address".to_owned() };
    let to: Address = mail.to.parse().map_err(no_address)?;
    let part = |kind, body: &String| SinglePart::builder().header(kind).body(body.clone());
    let body = MultiPart::alternative()
        .boundary(format!("ws-{}", mail.id))
        .singlepart(part(ContentType::TEXT_PLAIN, &mail.text))
        .singlepart(part(ContentType::TEXT_HTML, &mail.html));
    let mut builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject.as_str())
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if let Some(at) = mail.id.as_uuid().get_timestamp() {
        let (seconds, nanos) = at.to_unix();
        builder = builder.date(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos));
    }
    builder.multipart(body).map_err(|_| permanent("the mail cannot be written as a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            id: "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f".parse().unwrap(),
            to: "ada@example.com".into(),
            subject: "Grüße aus Köln".into(),
            text: "Grüße".into(),
            html: "<p>Grüße</p>".into(),
            link: None,
        }
    }

    #[test]
    fn a_repeat_is_the_same_byte_for_byte() {
        let from = sender("WorkScribe <no-reply@example.com>").unwrap();
        let first = build(&mail(), &from).unwrap().formatted();
        assert_eq!(first, build(&mail(), &from).unwrap().formatted());
        let text = String::from_utf8(first).unwrap();
        assert!(
            text.contains("Message-ID: <018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f@example.com>\r\n"),
            "{text}"
        );
        assert!(text.contains("Date: Fri, 03 May 2024"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
    }

    #[test]
    fn a_subject_cannot_add_a_header() {
        let mut mail = mail();
        mail.subject = "Hello\r\nBcc: eve@example.com".into();
        let message = build(&mail, &sender("no-reply@example.com").unwrap()).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(!text.contains("\nBcc:"), "{text}");
    }

    #[test]
    fn what_is_not_an_address_is_refused_for_good() {
        let mut mail = mail();
        mail.to = "ada@example.com\r\nRCPT TO:<eve@example.com>".into();
        let error = build(&mail, &sender("no-reply@example.com").unwrap()).unwrap_err();
        assert!(matches!(error, MailError::Address { .. }));
        assert_eq!(sender("nobody"), Err(SetupError::From));
    }
}
