//! The members of an organization and their roles.

use crate::error::{Code, Error, Result};
use crate::events::DomainEvent;
use crate::id::UserId;
use crate::page::{Cursor, Page, PageRequest};
use crate::storage::UnitOfWork;
use crate::target::{Target, expect_version};

use super::model::{Member, Role};
use super::organizations::Organizations;
use super::permission::Action;
use super::scope::OrgScope;

impl Organizations<'_> {
    /// The members, in the order in which they joined.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn members(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        page: &PageRequest,
    ) -> Result<Page<Member>> {
        scope.require(self.app.authorizer(), Action::ViewOrganization)?;
        let rows = uow.members().list(scope, page).await?;
        let total = if page.wants_count() { Some(uow.members().count(scope).await?) } else { None };
        Ok(page.page(rows, total, |member| Cursor { at: member.joined_at, id: member.user_id.into() }))
    }

    /// Sets the role of a member, and returns the member; `None` does not change the role. If the member may not invite any more,
    /// their pending invitations are revoked.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` unless an admin makes a member an admin, or an owner makes any change; `MEMBER_NOT_FOUND`;
    /// `LAST_OWNER`; `STALE_VERSION`.
    pub async fn set_role(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        member: Target<UserId>,
        role: Option<Role>,
    ) -> Result<Member> {
        let Target { id: user, version: expected } = member;
        scope.require(self.app.authorizer(), Action::ManageMembers)?;
        let (member, actor_role) = self.lock_and_find(uow, scope, user).await?;
        let Some(role) = role else {
            expect_version(expected, member.version)?;
            return Ok(member);
        };
        if member.role > Role::Member || role == Role::Owner {
            self.require_as(actor_role, Action::ManageAdmins)?;
        }
        if member.role == Role::Owner && role != Role::Owner {
            self.keep_an_owner(uow, scope).await?;
        }
        let changed =
            uow.members().set_role(scope, user, role, expected).await?.ok_or_else(no_such_member)?;
        // The invitations of a member who may not invite are not valid, so they are revoked. As for a removal, there is one event
        // for the member and none for each invitation.
        if !self.app.authorizer().allows(role, Action::ManageInvitations) {
            uow.invitations().revoke_of(scope, user).await?;
        }
        if role != member.role {
            let event = DomainEvent::MemberRoleChanged { org: scope.org(), user, role };
            self.app.announce(uow, scope, &event).await?;
        }
        Ok(changed)
    }

    /// Removes a member, or the caller. Their open tasks become unassigned, in a job ([`crate::work::UnassignFormer`]) if they
    /// are many. Their pending invitations are revoked. What they wrote stays. After the commit nobody can assign a task to
    /// them.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` unless callers remove themselves, an admin removes a member, or an owner removes anyone;
    /// `MEMBER_NOT_FOUND`; `LAST_OWNER`; `STALE_VERSION`.
    pub async fn remove_member(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        member: Target<UserId>,
    ) -> Result<()> {
        let Target { id: user, version: expected } = member;
        let oneself = user == scope.actor();
        if !oneself {
            scope.require(self.app.authorizer(), Action::ManageMembers)?;
        }
        let (member, actor_role) = self.lock_and_find(uow, scope, user).await?;
        if !oneself && member.role > Role::Member {
            self.require_as(actor_role, Action::ManageAdmins)?;
        }
        if member.role == Role::Owner {
            self.keep_an_owner(uow, scope).await?;
        }
        if !uow.members().remove(scope, user, expected).await? {
            return Err(no_such_member());
        }
        uow.invitations().revoke_of(scope, user).await?;
        // The removal above waits for every transaction that assigns a task to them, so this sees all their tasks.
        crate::work::unassign_former(self.app, uow, scope, user).await?;
        self.app.announce(uow, scope, &DomainEvent::MemberRemoved { org: scope.org(), user }).await
    }

    /// Takes the organization's lock, and then reads the member and the caller's role: what the door read may have changed during
    /// the wait for the lock.
    async fn lock_and_find(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        user: UserId,
    ) -> Result<(Member, Role)> {
        uow.organizations().lock(scope).await?;
        let actor = uow.members().find(scope, scope.actor()).await?.ok_or_else(super::organizations::gone)?;
        if user == scope.actor() {
            let role = actor.role;
            return Ok((actor, role));
        }
        self.require_as(actor.role, Action::ManageMembers)?;
        let member = uow.members().find(scope, user).await?.ok_or_else(no_such_member)?;
        Ok((member, actor.role))
    }

    /// Refuses to remove or demote the last owner. The caller holds the organization's lock.
    async fn keep_an_owner(&self, uow: &mut dyn UnitOfWork, scope: &OrgScope) -> Result<()> {
        if uow.members().count_owners(scope).await? > 1 {
            return Ok(());
        }
        Err(Error::new(Code::LastOwner, "An organization needs an owner. Make somebody else an owner first."))
    }

    fn require_as(&self, role: Role, action: Action) -> Result<()> {
        super::scope::require(self.app.authorizer(), role, action)
    }
}

fn no_such_member() -> Error {
    Error::new(Code::MemberNotFound, "This organization has no member with this id.")
}
