//! Notifications and how they come, on the wire.

use uuid::Uuid;
use workscribe_core::notifications::{self, NotificationPage, PreferencesChange};
use workscribe_core::tenancy::Slug;

use crate::body::nested;
use crate::dto::{answers, inputs};
use crate::field::{Nullable, Patch};
use crate::tasks::Person;
use crate::time::Time;
use crate::wire::{OrgSlug, Title, named};

named! {
    /// Why somebody is told.
    NotificationType = notifications::NotificationType;

    /// What a notification is about.
    EntityType = notifications::EntityType;
}

answers! {
    /// From which organization a notification comes.
    NotificationOrganization of (slug, name): (Slug, String) {
        /// Its name in URLs.
        slug: OrgSlug = slug,
        /// Its name.
        name: Title = name,
    }
}

answers! {
    /// A notification.
    Notification of notification: notifications::Notification {
        /// Its id.
        id: Uuid,
        /// From which organization.
        org_id: Uuid,
        /// From which organization.
        organization: NotificationOrganization = (notification.org_slug, notification.org_name),
        /// Why.
        kind as "type": NotificationType,
        /// One line.
        title: String,
        /// What more there is to say.
        body: Nullable<String>,
        /// What it is about.
        entity_type: EntityType,
        /// Which one. It may be gone.
        entity_id: Uuid,
        /// Who caused it.
        actor: Nullable<Person>,
        /// Whether it was read.
        is_read: bool,
        /// When.
        created_at: Time,
    }
}

answers! {
    /// A page of notifications, the newest first.
    NotificationList of found: NotificationPage {
        /// The notifications.
        notifications: Vec<Notification> = found.page.items.into_iter().map(Notification::from).collect::<Vec<_>>(),
        /// What to ask for the next page with; null on the last.
        next_cursor: Nullable<String> = found.page.next_cursor,
        /// How many are unread, on whichever page; those of one organization when one is asked for.
        unread_count: i64 = found.unread,
        /// How many there are in all, when asked with `count=true`.
        #[oai(skip_serializing_if_is_none)]
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<i64> = found.page.total,
    }
}

inputs! {
    /// Whether a notification was read.
    ReadNotificationRequest {
        /// `true` unless given.
        is_read: Patch<bool>,
    } => bool = is_read.unwrap_or(true);
}

answers! {
    /// What marking all as read did.
    ReadNotifications of updated: u64 {
        /// How many were unread.
        updated: u64 = updated,
    }
}

answers! {
    /// How one kind of notification comes, besides in the list.
    Channels of email: bool {
        /// By mail.
        email: bool = email,
    }
}

answers! {
    /// How notifications come, by kind.
    NotificationPreferences of preferences: notifications::Preferences {
        /// A task was given to one.
        task_assigned: Channels,
        /// A comment names one.
        mention: Channels,
        /// A task that one made or does was finished.
        task_done: Channels,
    }
}

inputs! {
    /// A change of how one kind comes.
    ChannelsChange {
        /// By mail.
        email: Patch<bool>,
    } => Option<bool> = email;

    /// A change of how notifications come. What is left out stays as it is.
    UpdatePreferencesRequest(faults) {
        /// A task was given to one.
        task_assigned: Patch<ChannelsChange>,
        /// A comment names one.
        mention: Patch<ChannelsChange>,
        /// A task that one made or does was finished.
        task_done: Patch<ChannelsChange>,
    } => PreferencesChange = {
        let mut email = |change: Option<ChannelsChange>, within| change?.read(within, faults);
        PreferencesChange {
            task_assigned: email(task_assigned, "/task_assigned"),
            mention: email(mention, "/mention"),
            task_done: email(task_done, "/task_done"),
        }
    };
}

nested!(ChannelsChange);
