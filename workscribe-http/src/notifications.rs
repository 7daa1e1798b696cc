//! The caller's notifications over HTTP, and the settings for their mails.

use poem_openapi::registry::MetaSchema;
use workscribe_core::Code::NotificationNotFound;
use workscribe_core::error::Fault;
use workscribe_core::id::NotificationId;
use workscribe_core::notifications::{self, NotificationFilter, NotificationPage, PreferencesChange};
use workscribe_core::tenancy::Slug;

use crate::body::nested;
use crate::prelude::*;
use crate::work::Person;

api! {
    /// The caller's notifications, from all organizations.
    NotificationsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Notifications")]
impl NotificationsApi {
    /// List the caller's notifications
    ///
    /// Returns the notifications from all organizations of which the caller is a member, newest first.
    #[oai(path = "/notifications", method = "get", operation_id = "listNotifications")]
    async fn list(
        &self,
        auth: BearerAuth,
        asked: Asked<(NotificationsQuery, Paging)>,
    ) -> ApiResult<Reply<NotificationList>> {
        let (filter, page) = asked.0;
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.notifications().list(&mut *uow, auth.actor(), &filter, &page).await?;
        Ok(Reply::new(found))
    }

    /// Mark a notification as read or unread
    ///
    /// Without a body, it marks the notification as read. It changes nothing for other people.
    #[oai(
        path = "/notifications/:notification_id/read",
        method = "patch",
        operation_id = "markNotificationRead"
    )]
    async fn read(
        &self,
        auth: BearerAuth,
        notification_id: Path<Id<NotificationId>>,
        body: OptionalBody<ReadNotificationRequest>,
    ) -> ApiResult<Reply<Notification>, { codes(&[NotificationNotFound]) }> {
        let id = notification_id.read()?;
        let mut uow = auth.begin(&self.app).await?;
        let marked = self.app.notifications().set_read(&mut *uow, auth.actor(), id, body.0).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(marked))
    }

    /// Mark all notifications of the caller as read
    ///
    /// Marks those of all organizations, or of the one that `organization` names, and returns how many were unread.
    #[oai(path = "/notifications/mark-all-read", method = "post", operation_id = "markAllNotificationsRead")]
    async fn read_all(
        &self,
        auth: BearerAuth,
        filter: Asked<OfOrganization>,
    ) -> ApiResult<Reply<ReadNotifications>> {
        let mut uow = auth.begin(&self.app).await?;
        let updated = self.app.notifications().read_all(&mut *uow, auth.actor(), &filter).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(updated))
    }

    /// Get the caller's notification settings
    ///
    /// Returns which kinds of notifications also come by mail.
    #[oai(path = "/notifications/preferences", method = "get", operation_id = "getNotificationPreferences")]
    async fn preferences(&self, auth: BearerAuth) -> ApiResult<Reply<NotificationPreferences>> {
        let mut uow = auth.read(&self.app).await?;
        let preferences = self.app.notifications().preferences(&mut *uow, auth.actor()).await?;
        Ok(Reply::new(preferences))
    }

    /// Update the caller's notification settings
    ///
    /// Turns mails on or off for each kind. It applies to notifications from now on.
    #[oai(
        path = "/notifications/preferences",
        method = "patch",
        operation_id = "updateNotificationPreferences"
    )]
    async fn update_preferences(
        &self,
        auth: BearerAuth,
        body: Body<UpdatePreferencesRequest>,
    ) -> ApiResult<Reply<NotificationPreferences>> {
        let mut uow = auth.begin(&self.app).await?;
        let preferences = self.app.notifications().set_preferences(&mut *uow, auth.actor(), &body.0).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(preferences))
    }
}

named! {
    /// The reason for a notification.
    NotificationType = notifications::NotificationType;

    /// The kind of thing that a notification is about.
    EntityType = notifications::EntityType;
}

answers! {
    /// The organization from which a notification comes.
    NotificationOrganization of (slug, name): (Slug, String) {
        /// The name of the organization in URLs.
        slug: OrgSlug = slug,
        /// The name of the organization.
        name: Title = name,
    }
}

answers! {
    /// A notification.
    Notification of notification: notifications::Notification {
        /// The id of the notification.
        id: Uuid,
        /// The id of the organization.
        org_id: Uuid,
        /// The organization.
        organization: NotificationOrganization = (notification.org_slug, notification.org_name),
        /// The reason.
        kind as "type": NotificationType,
        /// The text, in one line.
        title: String,
        /// Further text.
        body: Nullable<String>,
        /// The kind of thing that it is about.
        entity_type: EntityType,
        /// The id of that thing. The thing may be deleted.
        entity_id: Uuid,
        /// The user who caused it.
        actor: Nullable<Person>,
        /// Whether the notification was read.
        is_read: bool,
        /// When the notification was created.
        created_at: Time,
    }
}

answers! {
    /// A page of notifications, newest first.
    NotificationList of found: NotificationPage {
        /// The notifications.
        notifications: Vec<Notification> = found.page.items.into_iter().map(Notification::from).collect::<Vec<_>>(),
        /// The `cursor` for the next page; null on the last page.
        next_cursor: Nullable<String> = found.page.next_cursor,
        /// The number of unread notifications on all pages: of one organization if the request names one.
        unread_count: i64 = found.unread,
        /// The number of all notifications of the list. The response has it if the request has `count=true`.
        #[oai(skip_serializing_if_is_none)]
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<i64> = found.page.total,
    }
}

inputs! {
    /// Whether the notification was read.
    ReadNotificationRequest {
        /// Whether it was read. The default is `true`.
        is_read: Patch<bool>,
    } => bool = is_read.unwrap_or(true);
}

answers! {
    /// The result of marking all notifications as read.
    ReadNotifications of updated: u64 {
        /// How many of them were unread.
        updated: u64 = updated,
    }
}

answers! {
    /// How a kind of notification comes, besides in the list.
    Channels of email: bool {
        /// Whether it also comes by mail.
        email: bool = email,
    }
}

answers! {
    /// How notifications come, by kind.
    NotificationPreferences of preferences: notifications::Preferences {
        /// A task was assigned to the caller.
        task_assigned: Channels,
        /// A comment mentions the caller.
        mention: Channels,
        /// A task was finished that the caller reported or is assigned to.
        task_done: Channels,
    }
}

inputs! {
    /// A change of how a kind of notification comes.
    ChannelsChange {
        /// Whether it also comes by mail.
        email: Patch<bool>,
    } => Option<bool> = email;

    /// A change of how notifications come. A field that is left out does not change.
    UpdatePreferencesRequest(faults) {
        /// A task was assigned to the caller.
        task_assigned: Patch<ChannelsChange>,
        /// A comment mentions the caller.
        mention: Patch<ChannelsChange>,
        /// A task was finished that the caller reported or is assigned to.
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

params! {
    /// Which notifications to list.
    NotificationsQuery {
        organization: Slug,
        /// Whether to list only unread notifications.
        unread: bool,
    } => NotificationFilter = NotificationFilter { organization, unread: unread.unwrap_or(false) };

    /// Which notifications to mark as read.
    OfOrganization { organization: Slug } => NotificationFilter = NotificationFilter { organization, unread: false };
}

/// A slug that no organization of the caller has matches no notification.
impl Parameter for Slug {
    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("Only those from the organization of this slug."),
            min_length: Some(3),
            max_length: Some(30),
            example: Some("analytical-engines".into()),
            ..MetaSchema::new("string")
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        Self::existing(text).ok_or_else(|| Fault::new("INVALID_SLUG", "Give the slug of an organization."))
    }
}
