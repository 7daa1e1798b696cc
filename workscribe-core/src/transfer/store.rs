//! The store trait of exports and imports.

use async_trait::async_trait;
use uuid::Uuid;

use crate::id::{TaskId, UserId};
use crate::store_error::StoreError;
use crate::tenancy::{OrgScope, Slug};

use super::record::{Kind, Record, UserRow};

/// Whole organizations, row by row as they are stored.
#[async_trait]
pub trait TransferStore: Send {
    /// The owner who has been a member for longest, of an organization that an operator names.
    async fn first_owner(&mut self, slug: &Slug) -> Result<Option<UserId>, StoreError>;
    /// The rows of a kind, by id after `after`, at most `limit`.
    async fn page(
        &mut self,
        scope: &OrgScope,
        kind: Kind,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError>;
    /// The accounts of some people, by id.
    async fn people(&mut self, users: &[UserId]) -> Result<Vec<UserRow>, StoreError>;
    /// Writes rows as they are. Those that have no place in an organization's own tables (header, organization, users and
    /// end) are passed over, and a membership takes the place of one of the same person. A row that is referred to, other
    /// than the parent of a task in the same call, comes first; [`crate::Constraint::Reference`] when it does not. An id that is
    /// taken is a fault of whoever made the rows. The counts of a task are taken as they are given.
    async fn restore(&mut self, scope: &OrgScope, rows: &[Record]) -> Result<(), StoreError>;
    /// Says of which task each of some tasks is a part, and counts nothing: for parents that are restored later than their parts.
    async fn adopt(&mut self, scope: &OrgScope, parents: &[(TaskId, TaskId)]) -> Result<(), StoreError>;
}
