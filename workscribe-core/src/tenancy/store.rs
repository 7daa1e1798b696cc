//! The store traits of organizations, members and invitations.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{InvitationId, OrgId, UserId};
use crate::identity::{Email, TokenHash};
use crate::page::PageRequest;
use crate::portion::Portion;
use crate::store_error::StoreResult;

use super::model::{
    Invitation, InvitationPreview, ListedInvitation, Member, Organization, OrganizationChange, Role, Slug,
};
use super::scope::{InvitationPass, OrgScope, VacatedOrg};

/// Organizations, and the look-up of a membership.
#[async_trait]
pub trait OrganizationStore: Send {
    /// Inserts an organization with its first owner; [`crate::Constraint::OrganizationSlug`] when the slug is taken.
    async fn insert(&mut self, organization: &Organization, owner: UserId) -> StoreResult<()>;
    /// The organization with a slug, and a user's role in it; `None` if the user is not a member. It is one statement.
    async fn membership(&mut self, slug: &Slug, user: UserId) -> StoreResult<Option<(Organization, Role)>>;
    /// A user's own organizations, oldest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list_of(&mut self, user: UserId, page: &PageRequest) -> StoreResult<Vec<(Organization, Role)>>;
    /// The number of organizations of which a user is a member.
    async fn count_of(&mut self, user: UserId) -> StoreResult<i64>;
    /// The number of organizations that a user owns. It takes the user's lock until the end of the transaction, so that
    /// organizations created at the same time are all counted.
    async fn count_owned(&mut self, user: UserId) -> StoreResult<i64>;
    /// Takes the organization's lock until the end of the transaction. Every transaction that counts owners holds it.
    async fn lock(&mut self, scope: &OrgScope) -> StoreResult<()>;
    /// Changes it; [`crate::StoreError::StaleVersion`] when `expected` is not the stored version.
    async fn update(
        &mut self,
        scope: &OrgScope,
        change: &OrganizationChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> StoreResult<Option<Organization>>;
    /// Removes it with everything that belongs to it; [`crate::StoreError::StaleVersion`] as above, `false` when it does not exist.
    async fn delete(&mut self, scope: &OrgScope, expected: Option<i64>) -> StoreResult<bool>;
    /// Whether its tasks with their dependent rows, or the deliveries and messages of its webhooks, are more than a portion. It
    /// reads no more rows than necessary.
    async fn is_larger_than(&mut self, scope: &OrgScope, portion: Portion) -> StoreResult<bool>;
    /// Sets a slug that nobody can look up, and removes its members, pending invitations and webhooks, in statements of up to
    /// `rows` rows each. [`crate::StoreError::StaleVersion`] as above, `false` when it does not exist.
    async fn vacate(
        &mut self,
        scope: &OrgScope,
        expected: Option<i64>,
        slug: &Slug,
        rows: u32,
    ) -> StoreResult<bool>;
    /// The look-up of [`VacatedOrg::enter`]: whether the organization has this slug.
    async fn is_vacated(&mut self, org: OrgId, slug: &Slug) -> StoreResult<bool>;
    /// Removes a portion of its remaining rows, and returns their number; at 0 the organization itself was removed.
    async fn clear(&mut self, vacated: &VacatedOrg, portion: Portion) -> StoreResult<u64>;
}

/// Members of an organization.
#[async_trait]
pub trait MemberStore: Send {
    /// Members in the order in which they joined (`joined_at`, `user_id`), up to [`PageRequest::fetch`] rows.
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> StoreResult<Vec<Member>>;
    /// The number of members.
    async fn count(&mut self, scope: &OrgScope) -> StoreResult<i64>;
    /// Finds a member.
    async fn find(&mut self, scope: &OrgScope, user: UserId) -> StoreResult<Option<Member>>;
    /// Finds a member and locks the membership until the end of the transaction: a removal of the member waits.
    async fn hold(&mut self, scope: &OrgScope, user: UserId) -> StoreResult<Option<Member>>;
    /// Those of the users who are members, by id. It is one statement.
    async fn among(&mut self, scope: &OrgScope, users: &[UserId]) -> StoreResult<Vec<UserId>>;
    /// Finds a member by address.
    async fn find_by_email(&mut self, scope: &OrgScope, email: &Email) -> StoreResult<Option<Member>>;
    /// The number of owners. Take the organization's lock first.
    async fn count_owners(&mut self, scope: &OrgScope) -> StoreResult<i64>;
    /// Sets a member's role; [`crate::StoreError::StaleVersion`] when `expected` is not the stored version.
    async fn set_role(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        role: Role,
        expected: Option<i64>,
    ) -> StoreResult<Option<Member>>;
    /// Removes a member; [`crate::StoreError::StaleVersion`] as above, `false` when there is no such member.
    async fn remove(&mut self, scope: &OrgScope, user: UserId, expected: Option<i64>) -> StoreResult<bool>;
    /// Adds the bearer of an invitation; [`crate::Constraint::Membership`] when they are already a member.
    async fn join(&mut self, pass: &InvitationPass, user: UserId, now: Timestamp) -> StoreResult<()>;
}

/// Invitations into an organization.
#[async_trait]
pub trait InvitationStore: Send {
    /// Inserts a pending invitation, and replaces a pending one to the same address, in one statement.
    async fn put_pending(&mut self, scope: &OrgScope, invitation: &Invitation) -> StoreResult<()>;
    /// Invitations, newest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows, each with whether its address refuses
    /// mail.
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> StoreResult<Vec<ListedInvitation>>;
    /// The number of pending invitations to other addresses than the given one. Take the organization's lock first.
    async fn count_pending(&mut self, scope: &OrgScope, besides: &Email) -> StoreResult<i64>;
    /// The number of invitations.
    async fn count(&mut self, scope: &OrgScope) -> StoreResult<i64>;
    /// Finds an invitation.
    async fn find(&mut self, scope: &OrgScope, id: InvitationId) -> StoreResult<Option<Invitation>>;
    /// Gives a pending invitation a new token and a new expiry; `None` when it is not pending.
    async fn renew(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        token_hash: &TokenHash,
        expires_at: Timestamp,
    ) -> StoreResult<Option<Invitation>>;
    /// Revokes a pending invitation; `false` when it is not pending. [`crate::StoreError::StaleVersion`] as elsewhere.
    async fn revoke(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        expected: Option<i64>,
    ) -> StoreResult<bool>;
    /// Revokes all pending invitations of an inviter, and returns their number.
    async fn revoke_of(&mut self, scope: &OrgScope, inviter: UserId) -> StoreResult<u64>;
    /// Finds the invitation of a token in its organization, in any status, with what its bearer may see.
    async fn find_by_token(
        &mut self,
        org: OrgId,
        token_hash: &TokenHash,
    ) -> StoreResult<Option<InvitationPreview>>;
    /// Takes the organization's lock, and marks a pending invitation as accepted if it still has the redeemed token and the inviter
    /// still has the role that was looked up. Of many calls at the same time, one succeeds. A removal or a role change of the
    /// inviter waits for it, or it waits for them.
    async fn accept(&mut self, pass: &InvitationPass, now: Timestamp) -> StoreResult<bool>;
    /// Removes up to `limit` invitations of all organizations that were not accepted and expired before a time, and returns their
    /// number.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64>;
}
