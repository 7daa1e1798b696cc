//! The members of an organization and their roles.

use crate::error::{Code, Error};
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
    /// The members, by time of joining.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn members(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        page: &PageRequest,
    ) -> Result<Page<Member>, Error> {
        scope.require(self.app.authorizer(), Action::ViewOrganization)?;
        let rows = uow.members().list(scope, page).await?;
        let total = if page.wants_count() { Some(uow.members().count(scope).await?) } else { None };
        Ok(page.page(rows, total, |member| Cursor { at: member.joined_at, id: member.user_id.into() }))
    }

    /// Gives a member a role; `None` leaves it as it is, and answers the member. The invitations of who may not invite any more
    /// are revoked.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` unless an admin makes a member an admin, or an owner does anything; `MEMBER_NOT_FOUND`;
    /// `LAST_OWNER`; `STALE_VERSION`.
    pub async fn set_role(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        member: Target<UserId>,
        role: Option<Role>,
    ) -> Result<Member, Error> {
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
        // Who may not invite any more has no invitation that is good any more. Like a removal it tells one event, and not one for
        // each invitation.
        if !self.app.authorizer().allows(role, Action::ManageInvitations) {
            uow.invitations().revoke_of(scope, user).await?;
        }
        if role != member.role {
            let event = DomainEvent::MemberRoleChanged { org: scope.org(), user, role };
            self.app.announce(uow, scope, &event).await?;
        }
        Ok(changed)
    }

    /// Removes a member, or oneself. Their open tasks are nobody's then, by a job ([`crate::work::UnassignFormer`])
    /// where they are many, and their pending invitations are revoked; what they wrote stays. Nobody can give them a task from the
    /// commit on.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE` unless it is oneself, an admin removes a member, or an owner anyone; `MEMBER_NOT_FOUND`;
    /// `LAST_OWNER`; `STALE_VERSION`.
    pub async fn remove_member(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        member: Target<UserId>,
    ) -> Result<(), Error> {
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
        // After the membership is gone, so that whoever gave them a task a moment ago has been waited for.
        crate::work::unassign_former(self.app, uow, scope, user).await?;
        self.app.announce(uow, scope, &DomainEvent::MemberRemoved { org: scope.org(), user }).await
    }

    /// Takes the organization's lock, and reads the member and the caller's role under it: what was true at the door may
    /// have changed while the lock was waited for.
    async fn lock_and_find(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        user: UserId,
    ) -> Result<(Member, Role), Error> {
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

    /// Refuses to let the last owner go. The caller holds the organization's lock.
    async fn keep_an_owner(&self, uow: &mut dyn UnitOfWork, scope: &OrgScope) -> Result<(), Error> {
        if uow.members().count_owners(scope).await? > 1 {
            return Ok(());
        }
        Err(Error::new(Code::LastOwner, "An organization needs an owner. Make somebody else an owner first."))
    }

    fn require_as(&self, role: Role, action: Action) -> Result<(), Error> {
        super::scope::require(self.app.authorizer(), role, action)
    }
}

fn no_such_member() -> Error {
    Error::new(Code::MemberNotFound, "This organization has no member with this id.")
}
