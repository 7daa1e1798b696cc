//! The store trait of notifications.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{NotificationId, UserId};
use crate::page::PageRequest;
use crate::store_error::StoreResult;
use crate::tenancy::OrgScope;

use super::model::{
    Digest, NewNotification, Notification, NotificationFilter, NotificationType, Preferences,
};

/// The notifications of people, in all their organizations. Every statement joins the membership, so a person does not see
/// notifications of an organization that they have left.
#[async_trait]
pub trait NotificationStore: Send {
    /// Inserts notifications from the scope's organization, caused by its actor, in one statement for any number.
    async fn add(&mut self, scope: &OrgScope, new: &[NewNotification]) -> StoreResult<()>;
    /// A person's notifications, newest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(
        &mut self,
        user: UserId,
        filter: &NotificationFilter,
        page: &PageRequest,
    ) -> StoreResult<Vec<Notification>>;
    /// The number of a person's notifications that match a filter.
    async fn count(&mut self, user: UserId, filter: &NotificationFilter) -> StoreResult<i64>;
    /// Marks a notification as read or unread; `None` when the person has no such notification.
    async fn set_read(
        &mut self,
        user: UserId,
        id: NotificationId,
        is_read: bool,
    ) -> StoreResult<Option<Notification>>;
    /// Marks all matching unread notifications as read, and returns their number.
    async fn read_all(&mut self, user: UserId, filter: &NotificationFilter) -> StoreResult<u64>;

    /// The preferences of a person; defaults for kinds that the person has not set.
    async fn preferences(&mut self, user: UserId) -> StoreResult<Preferences>;
    /// The same for many people, in the order of `users`.
    async fn preferences_of(&mut self, users: &[UserId]) -> StoreResult<Vec<Preferences>>;
    /// Turns the mails of a kind on or off for a person.
    async fn set_preference(&mut self, user: UserId, kind: NotificationType, mails: bool) -> StoreResult<()>;

    /// Opens a digest unless the person has an open one; `true` when it was opened and its job must be enqueued. Of many calls at
    /// the same time, one succeeds. Each takes a lock: open digests in the order of the users' ids, last in the transaction.
    async fn open_digest(&mut self, digest: &Digest) -> StoreResult<bool>;
    /// Closes a digest, and adds the person's notifications that wait for a mail to it, except those that were read and those of
    /// organizations that the person has left. A digest that is already closed does not change, so that a job that runs twice
    /// sends the same mail.
    async fn close_digest(&mut self, digest: &Digest) -> StoreResult<()>;
    /// The notifications of a closed digest, oldest first, at most `limit`.
    async fn digest(&mut self, digest: &Digest, limit: u32) -> StoreResult<Vec<Notification>>;
    /// Stores that a digest was sent.
    async fn digest_sent(&mut self, digest: &Digest) -> StoreResult<()>;
    /// Removes up to `limit` notifications that were created before a time, and returns their number.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64>;
}
