//! One's notifications over HTTP.

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::registry::MetaSchema;
use workscribe_core::Code::NotificationNotFound;
use workscribe_core::WorkScribe;
use workscribe_core::error::Fault;
use workscribe_core::id::NotificationId;
use workscribe_core::notifications::NotificationFilter;
use workscribe_core::tenancy::Slug;

use crate::auth::BearerAuth;
use crate::body::{Body, OptionalBody};
use crate::problem::{ApiResult, codes};
use crate::query::{Asked, Id, PageCount, PageCursor, PageLimit, Parameter, page, read};
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

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Notifications")]
impl NotificationsApi {
    /// List one's notifications
    ///
    /// Of all organizations, the newest first.
    #[oai(path = "/notifications", method = "get", operation_id = "listNotifications")]
    async fn list(
        &self,
        auth: BearerAuth,
        organization: Asked<Slug>,
        /// Whether to list only what is unread.
        unread: Asked<bool>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<NotificationList>> {
        let (filter, page) = read(|faults| {
            let organization = organization.read(faults);
            let unread = unread.read(faults).unwrap_or(false);
            (NotificationFilter { organization, unread }, page((limit, cursor, count), faults))
        })?;
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
        organization: Asked<Slug>,
    ) -> ApiResult<Reply<ReadNotifications>> {
        let organization = read(|faults| organization.read(faults))?;
        let filter = NotificationFilter { organization, unread: false };
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
