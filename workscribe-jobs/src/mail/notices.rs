//! What the templates of mails get and return: the data of each kind of mail, and its content.

use chrono::TimeDelta;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::identity::{Email, User};
use workscribe_core::notifications::Notification;
use workscribe_core::tenancy::Role;
use workscribe_core::webhooks::DisabledReason;

/// The content of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The subject line. Control characters in it are removed before the mail is sent.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part: a whole document. Escape all texts from users with [`escape_html`](super::escape_html).
    pub html: String,
}

/// The person who will read a mail, as [`MailTemplates::language`](super::MailTemplates::language) gets it.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Their address.
    pub email: &'a Email,
    /// Their account; `None` for the recipient of an invitation, who may or may not have one.
    pub user: Option<UserId>,
    /// The organization that invites them; `None` in other mails, and in invitations that a previous version enqueued.
    pub organization: Option<OrgId>,
    /// The person who invites them; `None` as for `organization`.
    pub inviter: Option<UserId>,
}

impl<'a> Reader<'a> {
    /// The holder of an account.
    #[must_use]
    pub const fn of(user: &'a User) -> Self {
        Self { email: &user.email, user: Some(user.id), organization: None, inviter: None }
    }
}

/// The data of a mail to the holder of an account.
#[derive(Debug, Clone, Copy)]
pub struct AccountNotice<'a> {
    /// The recipient.
    pub user: &'a User,
    /// The language, as [`MailTemplates::language`](super::MailTemplates::language) returned it.
    pub language: Option<&'a str>,
    /// The link for the recipient.
    pub link: &'a str,
    /// How long the link is valid; `None` if it does not expire.
    pub good_for: Option<TimeDelta>,
}

/// The data of an invitation.
#[derive(Debug, Clone, Copy)]
pub struct InvitationNotice<'a> {
    /// The address of the recipient.
    pub email: &'a Email,
    /// The language, as [`MailTemplates::language`](super::MailTemplates::language) returned it.
    pub language: Option<&'a str>,
    /// The name of the organization, as its members wrote it.
    pub org_name: &'a str,
    /// The name of the inviter, as they wrote it.
    pub inviter_name: &'a str,
    /// The role that the invitation gives.
    pub role: Role,
    /// The link for the recipient.
    pub link: &'a str,
    /// How long the link is valid.
    pub good_for: TimeDelta,
}

/// The data of a digest.
#[derive(Debug, Clone, Copy)]
pub struct DigestNotice<'a> {
    /// The recipient.
    pub user: &'a User,
    /// The language, as [`MailTemplates::language`](super::MailTemplates::language) returned it.
    pub language: Option<&'a str>,
    /// The notifications, oldest first; at least one. Their titles are English. A translation uses `kind`, `actor` and `body`; the
    /// body has the title of the task or the text of the comment.
    pub notifications: &'a [Notification],
    /// The link to all notifications and to the mail preferences.
    pub link: &'a str,
}

/// The data of a mail about an endpoint that was turned off.
#[derive(Debug, Clone, Copy)]
pub struct WebhookNotice<'a> {
    /// The recipient: an owner of the organization.
    pub user: &'a User,
    /// The language, as [`MailTemplates::language`](super::MailTemplates::language) returned it.
    pub language: Option<&'a str>,
    /// The name of the organization, as its members wrote it.
    pub org_name: &'a str,
    /// The host of the endpoint. The rest of its URL may be a secret.
    pub host: &'a str,
    /// Why the endpoint was turned off.
    pub reason: DisabledReason,
    /// The link to turn the endpoint on again.
    pub link: &'a str,
}
