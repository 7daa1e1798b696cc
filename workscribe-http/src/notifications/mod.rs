//! One's notifications over HTTP.

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use workscribe_core::id::NotificationId;
use workscribe_core::notifications::NotificationFilter;
use workscribe_core::tenancy::Slug;
use workscribe_core::{Code, Error, WorkScribe};

use crate::auth::BearerAuth;
use crate::body::{Body, OptionalBody, not_null};
use crate::problem::ApiResult;
use crate::query::{Text, flag, page, read};
use crate::reply::Reply;
use crate::tags::Tags;

pub use dto::*;

/// One's notifications, of all organizations.
pub struct NotificationsApi {
    app: WorkScribe,
}

impl NotificationsApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

/// A slug that no organization of the caller has fits nothing.
fn organization(text: Text) -> Result<Option<Slug>, Error> {
    read("organization", text, "INVALID_SLUG", "Give the slug of an organization.", Slug::existing)
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
        /// Only those from the organization of this slug.
        organization: Query<Option<String>>,
        /// Whether to list only what is unread.
        unread: Query<Option<String>>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<NotificationList>> {
        let unread = flag("unread", unread)?.unwrap_or(false);
        let filter = NotificationFilter { organization: self::organization(organization)?, unread };
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.notifications().list(&mut *uow, auth.actor(), &filter, &page).await?;
        let (page, unread_count) = (found.page, found.unread);
        Ok(Reply::new(NotificationList {
            notifications: page.items.into_iter().map(Notification::from).collect(),
            next_cursor: page.next_cursor,
            unread_count,
            total: page.total,
        }))
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
        /// The notification's id.
        notification_id: Path<String>,
        body: OptionalBody<ReadNotificationRequest>,
    ) -> ApiResult<Reply<Notification>> {
        let id: NotificationId = notification_id
            .0
            .parse()
            .map_err(|_| Error::new(Code::NotificationNotFound, "You have no notification with this id."))?;
        let is_read = not_null("/is_read", body.0.is_read)?.unwrap_or(true);
        let mut uow = auth.begin(&self.app).await?;
        let marked = self.app.notifications().set_read(&mut *uow, auth.actor(), id, is_read).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(marked.into()))
    }

    /// Mark all of one's notifications as read
    #[oai(path = "/notifications/mark-all-read", method = "post", operation_id = "markAllNotificationsRead")]
    async fn read_all(
        &self,
        auth: BearerAuth,
        /// Only those from the organization of this slug.
        organization: Query<Option<String>>,
    ) -> ApiResult<Reply<ReadNotifications>> {
        let filter = NotificationFilter { organization: self::organization(organization)?, unread: false };
        let mut uow = auth.begin(&self.app).await?;
        let updated = self.app.notifications().read_all(&mut *uow, auth.actor(), &filter).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(ReadNotifications { updated }))
    }

    /// Get how notifications come
    #[oai(path = "/notifications/preferences", method = "get", operation_id = "getNotificationPreferences")]
    async fn preferences(&self, auth: BearerAuth) -> ApiResult<Reply<NotificationPreferences>> {
        let mut uow = auth.read(&self.app).await?;
        let preferences = self.app.notifications().preferences(&mut *uow, auth.actor()).await?;
        Ok(Reply::new(preferences.into()))
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
        let change = body.0.into_change()?;
        let mut uow = auth.begin(&self.app).await?;
        let notifications = self.app.notifications();
        let preferences = notifications.set_preferences(&mut *uow, auth.actor(), &change).await?;
        self.app.commit(uow).await?;
        Ok(Reply::new(preferences.into()))
    }
}
