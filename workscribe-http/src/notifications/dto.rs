use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workscribe_core::Error;
use workscribe_core::notifications::{self, PreferencesChange};

use crate::body::{not_null, object_or_null};
use crate::tasks::Person;
use crate::time::Time;
use crate::wire::wire_names;

wire_names! {
    /// Why somebody is told.
    NotificationType = notifications::NotificationType {
        /// A task was given to them.
        TaskAssigned = "TASK_ASSIGNED",
        /// A comment names them.
        Mention = "MENTION",
        /// A task that they made or do was finished.
        TaskDone = "TASK_DONE",
    }

    /// What a notification is about.
    EntityType = notifications::EntityType {
        /// A task.
        Task = "task",
        /// A comment.
        Comment = "comment",
    }
}

/// From which organization a notification comes.
#[derive(Object, Serialize)]
pub struct NotificationOrganization {
    /// Its name in URLs.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// A notification.
#[derive(Object, Serialize)]
pub struct Notification {
    /// Its id.
    pub id: Uuid,
    /// From which organization.
    pub org_id: Uuid,
    /// From which organization.
    pub organization: NotificationOrganization,
    /// Why.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: NotificationType,
    /// One line.
    pub title: String,
    /// What more there is to say.
    pub body: Option<String>,
    /// What it is about.
    pub entity_type: EntityType,
    /// Which one. It may be gone.
    pub entity_id: Uuid,
    /// Who caused it.
    pub actor: Option<Person>,
    /// Whether it was read.
    pub is_read: bool,
    /// When.
    pub created_at: Time,
}

impl From<notifications::Notification> for Notification {
    fn from(notification: notifications::Notification) -> Self {
        let organization =
            NotificationOrganization { slug: notification.org_slug.to_string(), name: notification.org_name };
        Self {
            id: notification.id.into(),
            org_id: notification.org_id.into(),
            organization,
            kind: notification.kind.into(),
            title: notification.title,
            body: notification.body,
            entity_type: notification.entity_type.into(),
            entity_id: notification.entity_id,
            actor: notification.actor.map(Person::from),
            is_read: notification.is_read,
            created_at: notification.created_at.into(),
        }
    }
}

/// A page of notifications, the newest first.
#[derive(Object, Serialize)]
pub struct NotificationList {
    /// The notifications.
    pub notifications: Vec<Notification>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many are unread, on whichever page; those of one organization when one is asked for.
    pub unread_count: i64,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// Whether a notification was read.
#[derive(Object, Deserialize, Default)]
pub struct ReadNotificationRequest {
    /// `true` unless given.
    #[serde(default)]
    pub is_read: MaybeUndefined<bool>,
}

/// What marking all as read did.
#[derive(Object, Serialize)]
pub struct ReadNotifications {
    /// How many were unread.
    pub updated: u64,
}

/// How one kind of notification comes, besides in the list.
#[derive(Object, Serialize)]
pub struct Channels {
    /// By mail.
    pub email: bool,
}

/// How notifications come, by kind.
#[derive(Object, Serialize)]
pub struct NotificationPreferences {
    /// A task was given to one.
    pub task_assigned: Channels,
    /// A comment names one.
    pub mention: Channels,
    /// A task that one made or does was finished.
    pub task_done: Channels,
}

impl From<notifications::Preferences> for NotificationPreferences {
    fn from(preferences: notifications::Preferences) -> Self {
        Self {
            task_assigned: Channels { email: preferences.task_assigned },
            mention: Channels { email: preferences.mention },
            task_done: Channels { email: preferences.task_done },
        }
    }
}

/// A change of how one kind comes.
#[derive(Object, Deserialize)]
pub struct ChannelsChange {
    /// By mail.
    #[serde(default)]
    pub email: MaybeUndefined<bool>,
}

/// A change of how notifications come. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdatePreferencesRequest {
    /// A task was given to one.
    #[serde(default, deserialize_with = "object_or_null")]
    pub task_assigned: MaybeUndefined<ChannelsChange>,
    /// A comment names one.
    #[serde(default, deserialize_with = "object_or_null")]
    pub mention: MaybeUndefined<ChannelsChange>,
    /// A task that one made or does was finished.
    #[serde(default, deserialize_with = "object_or_null")]
    pub task_done: MaybeUndefined<ChannelsChange>,
}

impl UpdatePreferencesRequest {
    pub(super) fn into_change(self) -> Result<PreferencesChange, Error> {
        let email = |pointer: &str, change| match not_null(pointer, change)? {
            Some(ChannelsChange { email }) => not_null(&format!("{pointer}/email"), email),
            None => Ok(None),
        };
        Ok(PreferencesChange {
            task_assigned: email("/task_assigned", self.task_assigned)?,
            mention: email("/mention", self.mention)?,
            task_done: email("/task_done", self.task_done)?,
        })
    }
}
