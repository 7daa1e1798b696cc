//! The operations of a person on their own notifications.

use crate::app::WorkScribe;
use crate::error::{Code, Error, Result};
use crate::id::NotificationId;
use crate::identity::Actor;
use crate::limits::Limit;
use crate::page::{Cursor, ITEM_BYTES, Page, PageRequest, json_bytes};
use crate::storage::UnitOfWork;

use super::model::{Notification, NotificationFilter, NotificationType, Preferences};

/// Notifications to people. [`WorkScribe::notifications`] returns it. A person sees only their own, of the organizations of which
/// they are a member.
#[derive(Clone, Copy)]
pub struct Notifications<'a> {
    app: &'a WorkScribe,
}

/// A page of notifications, and the number of unread ones in the same organizations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationPage {
    /// The page.
    pub page: Page<Notification>,
    /// The number of unread notifications on all pages.
    pub unread: i64,
}

/// A change of preferences. `None` leaves a kind unchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PreferencesChange {
    /// For [`NotificationType::TaskAssigned`].
    pub task_assigned: Option<bool>,
    /// For [`NotificationType::Mention`].
    pub mention: Option<bool>,
    /// For [`NotificationType::TaskDone`].
    pub task_done: Option<bool>,
}

impl WorkScribe {
    /// Notifications to people.
    #[must_use]
    pub const fn notifications(&self) -> Notifications<'_> {
        Notifications { app: self }
    }
}

impl<'a> Notifications<'a> {
    /// The caller's own notifications, newest first.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn list(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        filter: &NotificationFilter,
        page: &PageRequest,
    ) -> Result<NotificationPage> {
        let page = &page.within(self.app.limits().of(Limit::PageBytes));
        let rows = uow.notifications().list(actor.user, filter, page).await?;
        let unread = NotificationFilter { unread: true, ..filter.clone() };
        let unread = uow.notifications().count(actor.user, &unread).await?;
        let total = match page.wants_count() {
            true if filter.unread => Some(unread),
            true => Some(uow.notifications().count(actor.user, filter).await?),
            false => None,
        };
        let key = |row: &Notification| Cursor { at: row.created_at, id: row.id.into() };
        let page = page.page_of(rows, total, key, |row| {
            ITEM_BYTES + json_bytes(&row.title) + row.body.as_deref().map_or(0, json_bytes)
        });
        Ok(NotificationPage { page, unread })
    }

    /// Marks a notification as read or unread.
    ///
    /// # Errors
    /// `NOTIFICATION_NOT_FOUND`.
    pub async fn set_read(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        id: NotificationId,
        is_read: bool,
    ) -> Result<Notification> {
        let found = uow.notifications().set_read(actor.user, id, is_read).await?;
        found.ok_or_else(|| Error::new(Code::NotificationNotFound, "You have no notification with this id."))
    }

    /// Marks all matching notifications as read, and returns how many were unread.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn read_all(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        filter: &NotificationFilter,
    ) -> Result<u64> {
        Ok(uow.notifications().read_all(actor.user, filter).await?)
    }

    /// Which kinds are also sent by mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn preferences(&self, uow: &mut dyn UnitOfWork, actor: &Actor) -> Result<Preferences> {
        Ok(uow.notifications().preferences(actor.user).await?)
    }

    /// Turns the mails of kinds on or off. It applies to notifications from now on.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn set_preferences(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        change: &PreferencesChange,
    ) -> Result<Preferences> {
        let kinds = [
            (NotificationType::TaskAssigned, change.task_assigned),
            (NotificationType::Mention, change.mention),
            (NotificationType::TaskDone, change.task_done),
        ];
        for (kind, mails) in kinds {
            if let Some(mails) = mails {
                uow.notifications().set_preference(actor.user, kind, mails).await?;
            }
        }
        self.preferences(uow, actor).await
    }

    pub(super) const fn app(&self) -> &'a WorkScribe {
        self.app
    }
}
