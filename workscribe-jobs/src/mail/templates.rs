use async_trait::async_trait;
use chrono::TimeDelta;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::identity::{Email, User};
use workscribe_core::notifications::Notification;
use workscribe_core::tenancy::Role;
use workscribe_core::webhooks::DisabledReason;

use crate::handler::Failure;

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The subject line. Control characters in it are removed before the mail is sent.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part: a whole document. Whatever a user has entered must be escaped: [`escape_html`].
    pub html: String,
}

/// Who will read a mail: what their language can be found by.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Their address.
    pub email: &'a Email,
    /// Their account; `None` for who is invited, whether or not they have one.
    pub user: Option<UserId>,
    /// The organization that invites them; `None` in other mails, and in invitations that an earlier version enqueued.
    pub organization: Option<OrgId>,
    /// Who invites them; `None` as above.
    pub inviter: Option<UserId>,
}

impl<'a> Reader<'a> {
    /// The holder of an account.
    #[must_use]
    pub const fn of(user: &'a User) -> Self {
        Self { email: &user.email, user: Some(user.id), organization: None, inviter: None }
    }
}

/// What a mail to the holder of an account is made from.
#[derive(Debug, Clone, Copy)]
pub struct AccountNotice<'a> {
    /// To whom.
    pub user: &'a User,
    /// In which language: what [`MailTemplates::language`] said.
    pub language: Option<&'a str>,
    /// The link they are to follow.
    pub link: &'a str,
    /// How long the link is good; `None` if it does not end.
    pub good_for: Option<TimeDelta>,
}

/// What an invitation is made from.
#[derive(Debug, Clone, Copy)]
pub struct InvitationNotice<'a> {
    /// To whom.
    pub email: &'a Email,
    /// In which language: what [`MailTemplates::language`] said.
    pub language: Option<&'a str>,
    /// Into which organization, as its members wrote it.
    pub org_name: &'a str,
    /// From whom, as they wrote it.
    pub inviter_name: &'a str,
    /// As what.
    pub role: Role,
    /// The link they are to follow.
    pub link: &'a str,
    /// How long the link is good.
    pub good_for: TimeDelta,
}

/// What a digest is made from.
#[derive(Debug, Clone, Copy)]
pub struct DigestNotice<'a> {
    /// To whom.
    pub user: &'a User,
    /// In which language: what [`MailTemplates::language`] said.
    pub language: Option<&'a str>,
    /// What happened, oldest first; at least one. Titles are English; who translates says it by `kind`, `actor` and `body`, in
    /// which the title of the task or the words of the comment are.
    pub notifications: &'a [Notification],
    /// Where they see all of their notifications, and turn mails of a kind off.
    pub link: &'a str,
}

/// What a mail about an endpoint that was turned off is made from.
#[derive(Debug, Clone, Copy)]
pub struct WebhookNotice<'a> {
    /// To whom: an owner of the organization.
    pub user: &'a User,
    /// In which language: what [`MailTemplates::language`] said.
    pub language: Option<&'a str>,
    /// The organization, as its members wrote it.
    pub org_name: &'a str,
    /// The endpoint's host. The rest of its URL may be a secret.
    pub host: &'a str,
    /// Why it was turned off.
    pub reason: DisabledReason,
    /// Where it is turned on again.
    pub link: &'a str,
}

/// How WorkScribe's mails read. Replace it to translate them or to give them another look.
///
/// The same notice must give the same content, since a mail may be sent more than once under one id: a provider with idempotency
/// keys refuses other words under a key that it knows. When a language changes between two attempts, the second may be refused; then
/// the first has gone.
#[async_trait]
pub trait MailTemplates: Send + Sync {
    /// In which language a reader wants their mails, as the templates name it, such as a tag of RFC 5646. Asked once for each
    /// attempt, before the mail is written, and handed on in the notice. WorkScribe keeps no languages; an embedder looks it up
    /// where it does, which may wait. Unless replaced it is `None`.
    ///
    /// # Errors
    /// [`Failure`], which becomes that of the job: [`Failure::retry`] when it cannot be found out now.
    async fn language(&self, reader: &Reader<'_>) -> Result<Option<String>, Failure> {
        let _ = reader;
        Ok(None)
    }
    /// A link to verify the address of an account.
    fn verify_email(&self, notice: &AccountNotice<'_>) -> Content;
    /// A link to a new password.
    fn reset_password(&self, notice: &AccountNotice<'_>) -> Content;
    /// Somebody tried to register with the address of this account. The link leads to the application.
    fn already_registered(&self, notice: &AccountNotice<'_>) -> Content;
    /// An invitation into an organization.
    fn invitation(&self, notice: &InvitationNotice<'_>) -> Content;
    /// What happened within five minutes, in one mail.
    fn digest(&self, notice: &DigestNotice<'_>) -> Content;
    /// An endpoint of the reader's organization was turned off, since it takes no messages.
    fn webhook_disabled(&self, notice: &WebhookNotice<'_>) -> Content;
}

/// The English mails, under the name of a product.
#[derive(Debug, Clone)]
pub struct DefaultTemplates {
    product: String,
}

impl DefaultTemplates {
    /// With the name that the mails speak of.
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
            // Fixed: a stranger chose the names, and must not write a subject in ours.
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
            .map(|told| {
                let body: String = told.body.as_deref().unwrap_or_default().chars().take(200).collect();
                (format!("{} ({})", one_line(&told.title), one_line(&told.org_name)), one_line(&body))
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

/// One mail of the default templates; text and HTML say the same.
struct Letter<'a> {
    subject: String,
    greeting: String,
    opening: String,
    /// A list after the opening: a line, and what more there is to say.
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

/// A greeting by name, once the address is known to be the account's: before that a stranger may have chosen the name.
fn hello(user: &User) -> String {
    if user.email_verified { format!("Hello {}", one_line(&user.display_name)) } else { "Hello".into() }
}

/// How many characters are shown of a name that a stranger chose.
const STRANGE_NAME_CHARS: usize = 60;

/// A name that a stranger chose, for who does not know them: on one line, shortened, and without anything that a mail program makes
/// a link of: within an address, a domain or a URL there is a zero-width space (U+200B) after each `.`, `:`, `/` and `@`.
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

/// A time in English: `one hour`, `48 hours`, `30 minutes`. In days from three days on; rounded down, never below a minute.
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

/// Writes a text so that HTML shows it as it is, within elements and within quoted attributes.
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

/// A text without control characters, and without the marks that turn the direction of writing (Unicode Standard
/// Annex 9), with which a name could make the words around it read as something else.
pub(super) fn one_line(text: &str) -> String {
    let turning =
        |c| matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|&c| !c.is_control() && !turning(c)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
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
