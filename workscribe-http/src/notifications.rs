//! One's notifications over HTTP, and how they come.

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
    /// One's notifications, of all organizations.
    NotificationsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Notifications")]
impl NotificationsApi {
    /// List one's notifications
    ///
    /// Of all organizations, the newest first.
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

    /// Mark a notification as read, or as unread
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

    /// Mark all of one's notifications as read
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

    /// Get how notifications come
    #[oai(path = "/notifications/preferences", method = "get", operation_id = "getNotificationPreferences")]
    async fn preferences(&self, auth: BearerAuth) -> ApiResult<Reply<NotificationPreferences>> {
        let mut uow = auth.read(&self.app).await?;
        let preferences = self.app.notifications().preferences(&mut *uow, auth.actor()).await?;
        Ok(Reply::new(preferences))
    }

    /// Change how notifications come
    ///
    /// It holds for notifications from then on.
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

params! {
    /// Which notifications to list.
    NotificationsQuery {
        organization: Slug,
        /// Whether to list only what is unread.
        unread: bool,
    } => NotificationFilter = NotificationFilter { organization, unread: unread.unwrap_or(false) };

    /// Which notifications to mark.
    OfOrganization { organization: Slug } => NotificationFilter = NotificationFilter { organization, unread: false };
}

/// A slug that no organization of the caller has fits nothing.
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
