//! The store trait of exports and imports.

use async_trait::async_trait;
use uuid::Uuid;

use crate::id::{TaskId, UserId};
use crate::store_error::StoreResult;
use crate::tenancy::{OrgScope, Slug};

use super::record::{Kind, Record};
use super::rows::UserRow;

/// Whole organizations, as stored rows.
#[async_trait]
pub trait TransferStore: Send {
    /// The owner who has been a member for the longest time, of an organization that an operator names.
    async fn first_owner(&mut self, slug: &Slug) -> StoreResult<Option<UserId>>;
    /// The rows of a kind whose ids are after `after`, by id, at most `limit`.
    async fn page(
        &mut self,
        scope: &OrgScope,
        kind: Kind,
        after: Option<Uuid>,
        limit: u32,
    ) -> StoreResult<Vec<Record>>;
    /// The accounts of some people, by id.
    async fn people(&mut self, users: &[UserId]) -> StoreResult<Vec<UserRow>>;
    /// Writes rows unchanged. Rows that belong to no table of an organization (header, organization, users and end) are skipped.
    /// A membership replaces an existing one of the same person. A referenced row must come first, except the parent of a task in
    /// the same call; otherwise the result is [`crate::Constraint::Reference`]. An id that is taken is a fault of the rows. The
    /// counts of a task are written as given.
    async fn restore(&mut self, scope: &OrgScope, rows: &[Record]) -> StoreResult<()>;
    /// Sets the parents of tasks without changing any counts: for parents that are restored after their subtasks.
    async fn adopt(&mut self, scope: &OrgScope, parents: &[(TaskId, TaskId)]) -> StoreResult<()>;
}
