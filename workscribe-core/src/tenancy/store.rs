//! The store traits of organizations, members and invitations.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{InvitationId, OrgId, UserId};
use crate::identity::{Email, TokenHash};
use crate::page::PageRequest;
use crate::portion::Portion;
use crate::store_error::StoreError;

use super::model::{
    Invitation, InvitationPreview, ListedInvitation, Member, Organization, OrganizationChange, Role, Slug,
};
use super::scope::{InvitationPass, OrgScope, VacatedOrg};

/// Organizations, and the look-up of a membership.
#[async_trait]
pub trait OrganizationStore: Send {
    /// Inserts an organization with its first owner; [`crate::Constraint::OrganizationSlug`] when the slug is taken.
    async fn insert(&mut self, organization: &Organization, owner: UserId) -> Result<(), StoreError>;
    /// The organization with a slug, and a user's role in it; `None` if the user is not a member. It is one statement.
    async fn membership(
        &mut self,
        slug: &Slug,
        user: UserId,
    ) -> Result<Option<(Organization, Role)>, StoreError>;
    /// A user's own organizations, oldest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list_of(
        &mut self,
        user: UserId,
        page: &PageRequest,
    ) -> Result<Vec<(Organization, Role)>, StoreError>;
    /// The number of organizations of which a user is a member.
    async fn count_of(&mut self, user: UserId) -> Result<i64, StoreError>;
    /// The number of organizations that a user owns. It takes the user's lock until the end of the transaction, so that
    /// organizations created at the same time are all counted.
    async fn count_owned(&mut self, user: UserId) -> Result<i64, StoreError>;
    /// Takes the organization's lock until the end of the transaction. Every transaction that counts owners holds it.
    async fn lock(&mut self, scope: &OrgScope) -> Result<(), StoreError>;
    /// Changes it; [`StoreError::StaleVersion`] when `expected` is not the stored version.
    async fn update(
        &mut self,
        scope: &OrgScope,
        change: &OrganizationChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Organization>, StoreError>;
    /// Removes it with everything that belongs to it; [`StoreError::StaleVersion`] as above, `false` when it does not exist.
    async fn delete(&mut self, scope: &OrgScope, expected: Option<i64>) -> Result<bool, StoreError>;
    /// Whether its tasks with their dependent rows, or the deliveries and messages of its webhooks, are more than a portion. It
    /// reads no more rows than necessary.
    async fn is_larger_than(&mut self, scope: &OrgScope, portion: Portion) -> Result<bool, StoreError>;
    /// Sets a slug that nobody can look up, and removes its members, pending invitations and webhooks, in statements of up to
    /// `rows` rows each. [`StoreError::StaleVersion`] as above, `false` when it does not exist.
    async fn vacate(
        &mut self,
        scope: &OrgScope,
        expected: Option<i64>,
        slug: &Slug,
        rows: u32,
    ) -> Result<bool, StoreError>;
    /// The look-up of [`VacatedOrg::enter`]: whether the organization has this slug.
    async fn is_vacated(&mut self, org: OrgId, slug: &Slug) -> Result<bool, StoreError>;
    /// Removes a portion of its remaining rows, and returns their number; at 0 the organization itself was removed.
    async fn clear(&mut self, vacated: &VacatedOrg, portion: Portion) -> Result<u64, StoreError>;
}

/// Members of an organization.
#[async_trait]
pub trait MemberStore: Send {
    /// Members in the order in which they joined (`joined_at`, `user_id`), up to [`PageRequest::fetch`] rows.
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> Result<Vec<Member>, StoreError>;
    /// The number of members.
    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError>;
    /// Finds a member.
    async fn find(&mut self, scope: &OrgScope, user: UserId) -> Result<Option<Member>, StoreError>;
    /// Finds a member and locks the membership until the end of the transaction: a removal of the member waits.
    async fn hold(&mut self, scope: &OrgScope, user: UserId) -> Result<Option<Member>, StoreError>;
    /// Those of the users who are members, by id. It is one statement.
    async fn among(&mut self, scope: &OrgScope, users: &[UserId]) -> Result<Vec<UserId>, StoreError>;
    /// Finds a member by address.
    async fn find_by_email(&mut self, scope: &OrgScope, email: &Email) -> Result<Option<Member>, StoreError>;
    /// The number of owners. Take the organization's lock first.
    async fn count_owners(&mut self, scope: &OrgScope) -> Result<i64, StoreError>;
    /// Sets a member's role; [`StoreError::StaleVersion`] when `expected` is not the stored version.
    async fn set_role(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        role: Role,
        expected: Option<i64>,
    ) -> Result<Option<Member>, StoreError>;
    /// Removes a member; [`StoreError::StaleVersion`] as above, `false` when there is no such member.
    async fn remove(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError>;
    /// Adds the bearer of an invitation; [`crate::Constraint::Membership`] when they are already a member.
    async fn join(&mut self, pass: &InvitationPass, user: UserId, now: Timestamp) -> Result<(), StoreError>;
}

/// Invitations into an organization.
#[async_trait]
pub trait InvitationStore: Send {
    /// Inserts a pending invitation, and replaces a pending one to the same address, in one statement.
    async fn put_pending(&mut self, scope: &OrgScope, invitation: &Invitation) -> Result<(), StoreError>;
    /// Invitations, newest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows, each with whether its address refuses
    /// mail.
    async fn list(
        &mut self,
        scope: &OrgScope,
        page: &PageRequest,
    ) -> Result<Vec<ListedInvitation>, StoreError>;
    /// The number of pending invitations to other addresses than the given one. Take the organization's lock first.
    async fn count_pending(&mut self, scope: &OrgScope, besides: &Email) -> Result<i64, StoreError>;
    /// The number of invitations.
    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError>;
    /// Finds an invitation.
    async fn find(&mut self, scope: &OrgScope, id: InvitationId) -> Result<Option<Invitation>, StoreError>;
    /// Gives a pending invitation a new token and a new expiry; `None` when it is not pending.
    async fn renew(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        token_hash: &TokenHash,
        expires_at: Timestamp,
    ) -> Result<Option<Invitation>, StoreError>;
    /// Revokes a pending invitation; `false` when it is not pending. [`StoreError::StaleVersion`] as elsewhere.
    async fn revoke(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError>;
    /// Revokes all pending invitations of an inviter, and returns their number.
    async fn revoke_of(&mut self, scope: &OrgScope, inviter: UserId) -> Result<u64, StoreError>;
    /// Finds the invitation of a token in its organization, in any status, with what its bearer may see.
    async fn find_by_token(
        &mut self,
        org: OrgId,
        token_hash: &TokenHash,
    ) -> Result<Option<InvitationPreview>, StoreError>;
    /// Takes the organization's lock, and marks a pending invitation as accepted if it still has the redeemed token and the inviter
    /// still has the role that was looked up. Of many calls at the same time, one succeeds. A removal or a role change of the
    /// inviter waits for it, or it waits for them.
    async fn accept(&mut self, pass: &InvitationPass, now: Timestamp) -> Result<bool, StoreError>;
    /// Removes up to `limit` invitations of all organizations that were not accepted and expired before a time, and returns their
    /// number.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
