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

/// Organizations, and the look-up behind the door.
#[async_trait]
pub trait OrganizationStore: Send {
    /// Adds an organization with its first owner; [`crate::Constraint::OrganizationSlug`] when the slug is taken.
    async fn insert(&mut self, organization: &Organization, owner: UserId) -> Result<(), StoreError>;
    /// The organization of a slug and what a user is in it; `None` unless they are a member. One statement.
    async fn membership(
        &mut self,
        slug: &Slug,
        user: UserId,
    ) -> Result<Option<(Organization, Role)>, StoreError>;
    /// A user's own organizations by age (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list_of(
        &mut self,
        user: UserId,
        page: &PageRequest,
    ) -> Result<Vec<(Organization, Role)>, StoreError>;
    /// How many organizations a user is in.
    async fn count_of(&mut self, user: UserId) -> Result<i64, StoreError>;
    /// How many organizations a user is an owner of. Takes the user's lock until the end of the transaction, so that of many
    /// made at once each is counted.
    async fn count_owned(&mut self, user: UserId) -> Result<i64, StoreError>;
    /// Takes the organization's lock until the end of the transaction: whoever counts owners holds it.
    async fn lock(&mut self, scope: &OrgScope) -> Result<(), StoreError>;
    /// Changes it; [`StoreError::StaleVersion`] when `expected` is another version than the stored one.
    async fn update(
        &mut self,
        scope: &OrgScope,
        change: &OrganizationChange,
        expected: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Organization>, StoreError>;
    /// Removes it with all that belongs to it; [`StoreError::StaleVersion`] as above, `false` when it is gone.
    async fn delete(&mut self, scope: &OrgScope, expected: Option<i64>) -> Result<bool, StoreError>;
    /// Whether its tasks, with what is about them, and the deliveries and messages of its webhooks are more than a portion. Reads no
    /// more than it has to.
    async fn is_larger_than(&mut self, scope: &OrgScope, portion: Portion) -> Result<bool, StoreError>;
    /// Gives it a slug that nobody can enter by, and removes what lets anybody in or tells anybody: its members, pending invitations and
    /// webhooks, in statements of up to `rows` each. [`StoreError::StaleVersion`] as above, `false` when it is gone.
    async fn vacate(
        &mut self,
        scope: &OrgScope,
        expected: Option<i64>,
        slug: &Slug,
        rows: u32,
    ) -> Result<bool, StoreError>;
    /// The look-up behind [`VacatedOrg::enter`]: whether an organization has this slug.
    async fn is_vacated(&mut self, org: OrgId, slug: &Slug) -> Result<bool, StoreError>;
    /// Removes a portion of what is left in it, and answers how many rows; at 0 it has removed the organization itself.
    async fn clear(&mut self, vacated: &VacatedOrg, portion: Portion) -> Result<u64, StoreError>;
}

/// Members of an organization.
#[async_trait]
pub trait MemberStore: Send {
    /// Members by time of joining (`joined_at`, `user_id`), up to [`PageRequest::fetch`] rows.
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> Result<Vec<Member>, StoreError>;
    /// How many members there are.
    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError>;
    /// One member.
    async fn find(&mut self, scope: &OrgScope, user: UserId) -> Result<Option<Member>, StoreError>;
    /// One member, whose membership stays until the end of the transaction: who removes them waits.
    async fn hold(&mut self, scope: &OrgScope, user: UserId) -> Result<Option<Member>, StoreError>;
    /// Those of the users who are members, by id. One statement.
    async fn among(&mut self, scope: &OrgScope, users: &[UserId]) -> Result<Vec<UserId>, StoreError>;
    /// A member by address.
    async fn find_by_email(&mut self, scope: &OrgScope, email: &Email) -> Result<Option<Member>, StoreError>;
    /// How many owners there are. Take the organization's lock first.
    async fn count_owners(&mut self, scope: &OrgScope) -> Result<i64, StoreError>;
    /// Gives a member a role; [`StoreError::StaleVersion`] when `expected` is another version than the stored one.
    async fn set_role(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        role: Role,
        expected: Option<i64>,
    ) -> Result<Option<Member>, StoreError>;
    /// Removes a member; [`StoreError::StaleVersion`] as above, `false` when there is none.
    async fn remove(
        &mut self,
        scope: &OrgScope,
        user: UserId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError>;
    /// Adds the bearer of an invitation; [`crate::Constraint::Membership`] when they are a member already.
    async fn join(&mut self, pass: &InvitationPass, user: UserId, now: Timestamp) -> Result<(), StoreError>;
}

/// Invitations into an organization.
#[async_trait]
pub trait InvitationStore: Send {
    /// Adds a pending invitation, in place of a pending one to the same address, in one statement.
    async fn put_pending(&mut self, scope: &OrgScope, invitation: &Invitation) -> Result<(), StoreError>;
    /// Invitations, newest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows, each with whether its address refuses
    /// mail.
    async fn list(
        &mut self,
        scope: &OrgScope,
        page: &PageRequest,
    ) -> Result<Vec<ListedInvitation>, StoreError>;
    /// How many pending invitations there are to others than an address. Take the organization's lock first.
    async fn count_pending(&mut self, scope: &OrgScope, besides: &Email) -> Result<i64, StoreError>;
    /// How many invitations there are.
    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError>;
    /// One invitation.
    async fn find(&mut self, scope: &OrgScope, id: InvitationId) -> Result<Option<Invitation>, StoreError>;
    /// Gives a pending invitation a new token and time; `None` when it is not pending.
    async fn renew(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        token_hash: &TokenHash,
        expires_at: Timestamp,
    ) -> Result<Option<Invitation>, StoreError>;
    /// Takes a pending invitation back; `false` when it is not pending. [`StoreError::StaleVersion`] as elsewhere.
    async fn revoke(
        &mut self,
        scope: &OrgScope,
        id: InvitationId,
        expected: Option<i64>,
    ) -> Result<bool, StoreError>;
    /// Takes every pending invitation back that a user made; answers how many.
    async fn revoke_of(&mut self, scope: &OrgScope, inviter: UserId) -> Result<u64, StoreError>;
    /// The invitation of a token of an organization, whatever its status, with what its bearer may see.
    async fn find_by_token(
        &mut self,
        org: OrgId,
        token_hash: &TokenHash,
    ) -> Result<Option<InvitationPreview>, StoreError>;
    /// Marks a pending invitation as accepted, if its token is still the one redeemed, and its maker still has the role in
    /// which they were found: of many at once, one is. Whoever removes the maker or changes their role waits, or is waited for.
    /// Takes the organization's lock.
    async fn accept(&mut self, pass: &InvitationPass, now: Timestamp) -> Result<bool, StoreError>;
    /// Removes those of all organizations that were not accepted and ended before a time, up to a number of them; answers how
    /// many it removed.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
