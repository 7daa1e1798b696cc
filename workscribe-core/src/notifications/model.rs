//! What a notification is, and which kinds a person gets by mail.

use crate::clock::Timestamp;
use crate::id::{JobId, NotificationId, OrgId, UserId};
use crate::identity::Person;
use crate::named::names;
use crate::tenancy::Slug;

names! {
    /// Why somebody is told.
    NotificationType {
        /// A task was given to them.
        TaskAssigned = "TASK_ASSIGNED",
        /// A comment names them.
        Mention = "MENTION",
        /// A task that they made or do was finished.
        TaskDone = "TASK_DONE",
    }
}

names! {
    /// What a notification is about.
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
    /// From which organization.
    pub org_id: OrgId,
    /// The organization's slug.
    pub org_slug: Slug,
    /// The organization's name.
    pub org_name: String,
    /// To whom.
    pub user_id: UserId,
    /// Why.
    pub kind: NotificationType,
    /// One line.
    pub title: String,
    /// What more there is to say.
    pub body: Option<String>,
    /// What it is about.
    pub entity_type: EntityType,
    /// Which one.
    pub entity_id: uuid::Uuid,
    /// Who caused it.
    pub actor: Option<Person>,
    /// Whether it was read.
    pub is_read: bool,
    /// When.
    pub created_at: Timestamp,
}

/// A notification to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Its id.
    pub id: NotificationId,
    /// To whom.
    pub user_id: UserId,
    /// Why.
    pub kind: NotificationType,
    /// One line.
    pub title: String,
    /// What more there is to say.
    pub body: Option<String>,
    /// What it is about.
    pub entity_type: EntityType,
    /// Which one.
    pub entity_id: uuid::Uuid,
    /// Whether it waits for the next digest.
    pub mail: bool,
    /// When.
    pub created_at: Timestamp,
}

/// Which notifications of a person are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// From the organization of this slug.
    pub organization: Option<Slug>,
    /// Not yet read.
    pub unread: bool,
}

/// Which kinds of notification come by mail too.
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
    /// Whether a kind comes by mail.
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

/// The digest that gathers a person's notifications: the job that will send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// Whose.
    pub user: UserId,
    /// Which job.
    pub job: JobId,
}
