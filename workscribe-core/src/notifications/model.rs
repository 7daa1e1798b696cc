//! A notification, and which kinds a person gets by mail.

use crate::clock::Timestamp;
use crate::id::{JobId, NotificationId, OrgId, UserId};
use crate::identity::Person;
use crate::named::names;
use crate::tenancy::Slug;

names! {
    /// The reason for a notification.
    NotificationType {
        /// A task was assigned to them.
        TaskAssigned = "TASK_ASSIGNED",
        /// A comment mentions them.
        Mention = "MENTION",
        /// A task was done that they reported or are assigned to.
        TaskDone = "TASK_DONE",
    }
}

names! {
    /// The kind of thing that a notification is about.
    EntityType {
        /// A task.
        Task = "task",
        /// A comment.
        Comment = "comment",
    }
}

/// A notification to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// The organization.
    pub org_id: OrgId,
    /// The organization's slug.
    pub org_slug: Slug,
    /// The organization's name.
    pub org_name: String,
    /// The recipient.
    pub user_id: UserId,
    /// The reason.
    pub kind: NotificationType,
    /// The text, in one line.
    pub title: String,
    /// Further text, if any.
    pub body: Option<String>,
    /// The kind of thing that it is about.
    pub entity_type: EntityType,
    /// The id of that thing.
    pub entity_id: uuid::Uuid,
    /// The user who caused it.
    pub actor: Option<Person>,
    /// Whether it was read.
    pub is_read: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A notification to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Its id.
    pub id: NotificationId,
    /// The recipient.
    pub user_id: UserId,
    /// The reason.
    pub kind: NotificationType,
    /// The text, in one line.
    pub title: String,
    /// Further text, if any.
    pub body: Option<String>,
    /// The kind of thing that it is about.
    pub entity_type: EntityType,
    /// The id of that thing.
    pub entity_id: uuid::Uuid,
    /// Whether it waits for the next digest.
    pub mail: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Which of a person's notifications a list contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// Only those of the organization with this slug.
    pub organization: Option<Slug>,
    /// Only unread ones.
    pub unread: bool,
}

/// Which kinds of notifications are also sent by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preferences {
    /// For [`NotificationType::TaskAssigned`].
    pub task_assigned: bool,
    /// For [`NotificationType::Mention`].
    pub mention: bool,
    /// For [`NotificationType::TaskDone`].
    pub task_done: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { task_assigned: true, mention: true, task_done: true }
    }
}

impl Preferences {
    /// Whether a kind is sent by mail.
    #[must_use]
    pub const fn mails(&self, kind: NotificationType) -> bool {
        match kind {
            NotificationType::TaskAssigned => self.task_assigned,
            NotificationType::Mention => self.mention,
            NotificationType::TaskDone => self.task_done,
        }
    }

    /// Turns the mails of a kind on or off.
    pub const fn set(&mut self, kind: NotificationType, mails: bool) {
        match kind {
            NotificationType::TaskAssigned => self.task_assigned = mails,
            NotificationType::Mention => self.mention = mails,
            NotificationType::TaskDone => self.task_done = mails,
        }
    }
}

/// A person's digest, with the job that sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// The recipient.
    pub user: UserId,
    /// The job.
    pub job: JobId,
}
