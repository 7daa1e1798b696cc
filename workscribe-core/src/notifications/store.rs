//! The store trait of notifications.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{NotificationId, UserId};
use crate::page::PageRequest;
use crate::store_error::StoreError;
use crate::tenancy::OrgScope;

use super::model::{
    Digest, NewNotification, Notification, NotificationFilter, NotificationType, Preferences,
};

/// Notifications to people, over all of their organizations. What belongs to an organization that a person is not a member
/// of any more is not there for them: every statement joins the membership.
#[async_trait]
pub trait NotificationStore: Send {
    /// Adds notifications from the scope's organization and caused by its actor, in one statement however many.
    async fn add(&mut self, scope: &OrgScope, new: &[NewNotification]) -> Result<(), StoreError>;
    /// A person's notifications, newest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        user: UserId,
        filter: &NotificationFilter,
        page: &PageRequest,
    ) -> Result<Vec<Notification>, StoreError>;
    /// How many of a person's notifications fit a filter.
    async fn count(&mut self, user: UserId, filter: &NotificationFilter) -> Result<i64, StoreError>;
    /// Marks one as read, or as not; `None` when the person has no such notification.
    async fn set_read(
        &mut self,
        user: UserId,
        id: NotificationId,
        is_read: bool,
    ) -> Result<Option<Notification>, StoreError>;
    /// Marks all that fit a filter and are not read as read; answers how many.
    async fn read_all(&mut self, user: UserId, filter: &NotificationFilter) -> Result<u64, StoreError>;

    /// What a person has set; the default for what they have not.
    async fn preferences(&mut self, user: UserId) -> Result<Preferences, StoreError>;
    /// The same of many at once, in the order of `users`.
    async fn preferences_of(&mut self, users: &[UserId]) -> Result<Vec<Preferences>, StoreError>;
    /// Turns the mails of a kind on or off for a person.
    async fn set_preference(
        &mut self,
        user: UserId,
        kind: NotificationType,
        mails: bool,
    ) -> Result<(), StoreError>;

    /// Opens a digest unless the person has an open one: `true` when this one was opened, and its job is to be enqueued.
    /// Of many at once, one is. Take them in the order of the users' ids, and last in the transaction: each is a lock.
    async fn open_digest(&mut self, digest: &Digest) -> Result<bool, StoreError>;
    /// Closes a digest, and gives it the person's notifications that wait for a mail: those that were read meanwhile, and
    /// those of organizations that they left, are dropped from it. A digest that is closed already stays as it is, so that a
    /// job that runs twice sends the same.
    async fn close_digest(&mut self, digest: &Digest) -> Result<(), StoreError>;
    /// What a closed digest is to say, oldest first, at most `limit` of it.
    async fn digest(&mut self, digest: &Digest, limit: u32) -> Result<Vec<Notification>, StoreError>;
    /// Notes that a digest was sent.
    async fn digest_sent(&mut self, digest: &Digest) -> Result<(), StoreError>;
    /// Removes up to `limit` notifications that were made before a time; answers how many.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
