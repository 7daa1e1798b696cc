//! The templates of WorkScribe's mails: [`MailTemplates`], and the English [`DefaultTemplates`].

use async_trait::async_trait;
use chrono::TimeDelta;
use workscribe_core::identity::User;
use workscribe_core::tenancy::Role;
use workscribe_core::webhooks::DisabledReason;

use super::notices::{AccountNotice, Content, DigestNotice, InvitationNotice, Reader, WebhookNotice};
use crate::handler::JobError;

/// The templates of WorkScribe's mails. Implement it to translate the mails or to change their design.
///
/// The same notice must give the same content, since a mail may be sent more than once under one id: a provider with idempotency
/// keys refuses different content under a known key. When the language changes between two attempts, the provider may refuse the
/// second one. Then it has already accepted the first one.
#[async_trait]
pub trait MailTemplates: Send + Sync {
    /// The language of a reader's mails, such as a tag of RFC 5646; the templates choose the format. Each attempt calls it once,
    /// before the mail is written, and passes the result on in the notice. WorkScribe stores no languages: an embedder looks them
    /// up in its own storage, and may wait for it. The default is `None`.
    ///
    /// # Errors
    /// [`JobError`], which becomes the error of the job: [`JobError::retry`] when the language cannot be looked up now.
    async fn language(&self, reader: &Reader<'_>) -> Result<Option<String>, JobError> {
        let _ = reader;
        Ok(None)
    }
    /// A mail with a link to verify the address of an account.
    fn verify_email(&self, notice: &AccountNotice<'_>) -> Content;
    /// A mail with a link to choose a new password.
    fn reset_password(&self, notice: &AccountNotice<'_>) -> Content;
    /// A mail after somebody tried to register with the address of this account. The link leads to the application.
    fn already_registered(&self, notice: &AccountNotice<'_>) -> Content;
    /// An invitation into an organization.
    fn invitation(&self, notice: &InvitationNotice<'_>) -> Content;
    /// A mail with the notifications of five minutes.
    fn digest(&self, notice: &DigestNotice<'_>) -> Content;
    /// A mail about an endpoint of the reader's organization that was turned off, since it accepts no messages.
    fn webhook_disabled(&self, notice: &WebhookNotice<'_>) -> Content;
}

/// The English templates, with the name of a product.
#[derive(Debug, Clone)]
pub struct DefaultTemplates {
    product: String,
}

impl DefaultTemplates {
    /// Templates with the name of a product.
    pub fn new(product: impl Into<String>) -> Self {
        Self { product: product.into() }
    }
}

impl Default for DefaultTemplates {
    fn default() -> Self {
        Self::new("WorkScribe")
    }
}

impl MailTemplates for DefaultTemplates {
    fn verify_email(&self, notice: &AccountNotice<'_>) -> Content {
        Letter {
            subject: format!("Verify your e-mail address for {}", self.product),
            greeting: hello(notice.user),
            opening: format!(
                "please confirm that this address is yours, so that {} can use it.",
                self.product
            ),
            items: Vec::new(),
            link: notice.link,
            button: "Verify this address",
            closing: format!(
                "{}If you did not make an account, ignore this mail; nothing happens then.",
                good_for(notice.good_for)
            ),
        }
        .write()
    }

    fn reset_password(&self, notice: &AccountNotice<'_>) -> Content {
        Letter {
            subject: format!("Choose a new password for {}", self.product),
            greeting: hello(notice.user),
            opening: "somebody, probably you, asked for a new password for your account.".into(),
            items: Vec::new(),
            link: notice.link,
            button: "Choose a new password",
            closing: format!(
                "{}It can be used once. If it was not you, ignore this mail; your password stays as it is.",
                good_for(notice.good_for)
            ),
        }
        .write()
    }

    fn already_registered(&self, notice: &AccountNotice<'_>) -> Content {
        Letter {
            subject: format!("You have a {} account already", self.product),
            greeting: hello(notice.user),
            opening:
                "somebody, probably you, tried to register with this address. It has an account already, so \
                      just log in. If the password is forgotten, ask for a new one there."
                    .into(),
            items: Vec::new(),
            link: notice.link,
            button: "Log in",
            closing: "If it was not you, ignore this mail; nothing was changed.".into(),
        }
        .write()
    }

    fn invitation(&self, notice: &InvitationNotice<'_>) -> Content {
        let (org, inviter) = (strange_name(notice.org_name), strange_name(notice.inviter_name));
        let role = match notice.role {
            Role::Member => "a member",
            Role::Admin => "an admin",
            Role::Owner => "an owner",
        };
        Letter {
            // A fixed subject: a stranger chose the names, and must not control the subject of our mail.
            subject: format!("You are invited to an organization on {}", self.product),
            greeting: "Hello".into(),
            opening: format!("{inviter} invites you to join {org} on {} as {role}.", self.product),
            items: Vec::new(),
            link: notice.link,
            button: "Accept the invitation",
            closing: format!(
                "{}If you do not know the sender, ignore this mail; nothing happens then.",
                good_for(Some(notice.good_for))
            ),
        }
        .write()
    }

    fn digest(&self, notice: &DigestNotice<'_>) -> Content {
        let items: Vec<(String, String)> = notice
            .notifications
            .iter()
            .map(|notification| {
                let body: String =
                    notification.body.as_deref().unwrap_or_default().chars().take(200).collect();
                (
                    format!("{} ({})", one_line(&notification.title), one_line(&notification.org_name)),
                    one_line(&body),
                )
            })
            .collect();
        let subject = match notice.notifications {
            [only] => one_line(&only.title),
            many => format!("{} notifications on {}", many.len(), self.product),
        };
        Letter {
            subject,
            greeting: hello(notice.user),
            opening: format!("this happened on {}:", self.product),
            items,
            link: notice.link,
            button: "See your notifications",
            closing: "You can turn mails like this off in your preferences.".into(),
        }
        .write()
    }

    fn webhook_disabled(&self, notice: &WebhookNotice<'_>) -> Content {
        let (org, host) = (one_line(notice.org_name), one_line(notice.host));
        let why = match notice.reason {
            DisabledReason::Gone => "it answered that it wants no more messages (410)",
            DisabledReason::Failing => "it took no message for more than a day",
            DisabledReason::Manual => "an admin turned it off",
        };
        Letter {
            subject: format!("A webhook of {org} was turned off"),
            greeting: hello(notice.user),
            opening: format!("the webhook of {org} to {host} was turned off, because {why}."),
            items: Vec::new(),
            link: notice.link,
            button: "See your webhooks",
            closing: "Once the endpoint works again, turn the webhook on, and send again what it missed."
                .into(),
        }
        .write()
    }
}

/// A mail of the default templates. Its text and its HTML part have the same content.
struct Letter<'a> {
    subject: String,
    greeting: String,
    opening: String,
    /// A list after the opening: each item is a line and its details.
    items: Vec<(String, String)>,
    link: &'a str,
    button: &'static str,
    closing: String,
}

impl Letter<'_> {
    fn write(self) -> Content {
        let Self { subject, greeting, opening, items, link, button, closing } = self;
        let plain: String = items.iter().map(|(line, more)| format!("- {line}\n  {more}\n")).collect();
        let separator = if plain.is_empty() { "" } else { "\n" };
        let text = format!("{greeting},\n\n{opening}\n\n{plain}{separator}{button}:\n{link}\n\n{closing}\n");
        let list: String = items
            .iter()
            .map(|(line, more)| format!("<li>{}<br>{}</li>\n", escape_html(line), escape_html(more)))
            .collect();
        let list = if list.is_empty() { list } else { format!("<ul>\n{list}</ul>\n") };
        let [title, greeting, opening, link, closing] =
            [&subject, &greeting, &opening, link, &closing].map(escape_html);
        let html = format!(
            "<!DOCTYPE html>\n\
             <html lang=\"en\">\n\
             <head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body style=\"margin:0;padding:24px;font-family:sans-serif;font-size:16px;line-height:1.5;color:#1f2328\">\n\
             <p>{greeting},</p>\n\
             <p>{opening}</p>\n\
             {list}\
             <p><a href=\"{link}\" style=\"display:inline-block;padding:10px 16px;background:#1f5fbf;color:#ffffff;\
             text-decoration:none;border-radius:6px\">{button}</a></p>\n\
             <p style=\"font-size:14px;color:#57606a\">Or open this address: {link}</p>\n\
             <p style=\"font-size:14px;color:#57606a\">{closing}</p>\n\
             </body>\n\
             </html>\n"
        );
        Content { subject, text, html }
    }
}

/// A greeting by name if the address is verified. Before that, a stranger may have chosen the name.
fn hello(user: &User) -> String {
    if user.email_verified { format!("Hello {}", one_line(&user.display_name)) } else { "Hello".into() }
}

/// The maximum length of a name that a stranger chose, in characters.
const STRANGE_NAME_CHARS: usize = 60;

/// Makes a name that a stranger chose safe to show: on one line, truncated, and without links. A zero-width space (U+200B) after
/// each `.`, `:`, `/` and `@` stops mail programs from making a link of an address, a domain or a URL.
fn strange_name(name: &str) -> String {
    let line = one_line(name);
    let mut shown = String::new();
    for (number, c) in line.chars().enumerate() {
        if number == STRANGE_NAME_CHARS {
            shown.push('…');
            break;
        }
        shown.push(c);
        if matches!(c, '.' | ':' | '/' | '@') {
            shown.push('\u{200b}');
        }
    }
    shown
}

fn good_for(time: Option<TimeDelta>) -> String {
    time.map(|time| format!("The link is good for {}. ", spell_out(time))).unwrap_or_default()
}

/// A duration in English: `one hour`, `48 hours`, `30 minutes`. It is in days from three days on, rounded down, and at least one
/// minute.
#[must_use]
pub fn spell_out(time: TimeDelta) -> String {
    let minutes = time.num_minutes().max(1);
    let (number, unit) = match minutes {
        0..60 => (minutes, "minute"),
        _ if minutes % 60 != 0 && minutes < 3 * 60 => (minutes, "minute"),
        _ if minutes < 72 * 60 => (minutes / 60, "hour"),
        _ => (minutes / (24 * 60), "day"),
    };
    if number == 1 { format!("one {unit}") } else { format!("{number} {unit}s") }
}

/// Escapes a text for HTML, in elements and in quoted attributes.
#[must_use]
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Removes control characters and bidirectional formatting characters (Unicode Standard Annex 9). With the latter, a name could
/// change how the text around it reads.
pub(super) fn one_line(text: &str) -> String {
    let is_bidi =
        |c| matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|&c| !c.is_control() && !is_bidi(c)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use workscribe_core::identity::Email;

    use super::*;

    fn invitation(org_name: &str, inviter_name: &str) -> Content {
        DefaultTemplates::default().invitation(&InvitationNotice {
            email: &Email::parse("ada@example.com").unwrap(),
            language: None,
            org_name,
            inviter_name,
            role: Role::Admin,
            link: "https://example.com/invitations/t/accept?a=1&b=2",
            good_for: TimeDelta::hours(48),
        })
    }

    #[test]
    fn names_are_escaped_in_html_and_plain_in_text() {
        let content = invitation("<script>alert(1)<b>", "\"Tom\" & 'Jerry'");
        assert!(!content.html.contains("<script>"), "{}", content.html);
        assert!(content.html.contains("&lt;script&gt;alert(1)&lt;b&gt;"));
        assert!(content.html.contains("&quot;Tom&quot; &amp; &#39;Jerry&#39;"));
        assert!(content.text.contains("\"Tom\" & 'Jerry' invites you to join <script>alert(1)<b>"));
        assert!(content.html.contains("href=\"https://example.com/invitations/t/accept?a=1&amp;b=2\""));
    }

    #[test]
    fn a_name_adds_no_line_and_turns_no_direction() {
        let content = invitation("Acme\r\nBcc: eve@example.com", "Ada\u{202e}\0");
        assert_eq!(content.subject, "You are invited to an organization on WorkScribe");
        let line = "Ada invites you to join AcmeBcc:\u{200b} eve@\u{200b}example.\u{200b}com on WorkScribe as an admin.";
        assert!(content.text.contains(line), "{}", content.text);
    }

    #[test]
    fn the_words_of_strangers_are_no_subject_and_no_link_and_not_long() {
        let long = "x".repeat(100);
        for words in ["https://evil.example/login", "www.evil.example", "evil@evil.example", &long] {
            let content = invitation(words, words);
            assert_eq!(content.subject, "You are invited to an organization on WorkScribe");
            for part in [&content.text, &content.html] {
                assert!(!part.contains(words), "{part}");
                assert!(!part.contains("evil.example") && !part.contains("https://evil"), "{part}");
            }
        }
        assert!(invitation(&long, "Ada").text.contains(&format!("{}… on", "x".repeat(60))));
    }

    #[test]
    fn a_mail_says_until_when_its_link_is_good() {
        let content = invitation("Acme", "Ada");
        for part in [&content.text, &content.html] {
            assert!(part.contains("The link is good for 48 hours."), "{part}");
        }
    }

    #[test]
    fn times_are_spelled_out() {
        let times = [
            (TimeDelta::seconds(20), "one minute"),
            (TimeDelta::minutes(30), "30 minutes"),
            (TimeDelta::hours(1), "one hour"),
            (TimeDelta::minutes(90), "90 minutes"),
            (TimeDelta::hours(48), "48 hours"),
            (TimeDelta::days(7), "7 days"),
        ];
        for (time, text) in times {
            assert_eq!(spell_out(time), text);
        }
    }
}
