use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::id::{OrgId, TaskId, UserId};
use crate::identity::TokenHash;
use crate::ports::Authorizer;
use crate::storage::{Party, UnitOfWork};
use crate::work::{Entered, Project, ProjectRef, Task};

use super::invitations::org_of_token;
use super::model::{Invitation, InvitationPreview, InvitationStatus, Organization, Role, Slug};
use super::permission::Action;

/// Proof that a user is a member of an organization, made by looking the membership up.
///
/// Every tenant-scoped store call takes one. Its fields are private and it has no public constructor, so code that
/// forgets the look-up does not compile:
///
/// ```compile_fail,E0451
/// use workscribe_core::id::{OrgId, UserId};
/// use workscribe_core::tenancy::{OrgScope, Role};
///
/// fn forge(org: OrgId, actor: UserId) -> OrgScope {
///     OrgScope { org, actor, role: Role::Owner }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgScope {
    org: OrgId,
    actor: UserId,
    role: Role,
}

impl OrgScope {
    /// The door: looks the membership up, in one statement.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`, the same for an outsider as for a slug that nobody has.
    pub async fn enter(
        uow: &mut dyn UnitOfWork,
        slug: &str,
        actor: UserId,
    ) -> Result<(Self, Organization), Error> {
        let found = match Slug::existing(slug) {
            Some(slug) => uow.organizations().membership(&slug, actor).await?,
            None => None,
        };
        let (organization, role) = found.ok_or_else(no_such_organization)?;
        uow.on_behalf_of(Party::Organization(organization.id));
        Ok((Self { org: organization.id, actor, role }, organization))
    }

    /// The door to a project: looks the membership and the project up, in one statement.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND` as above, and `PROJECT_NOT_FOUND` for a project that the organization does not have.
    pub async fn enter_project(
        uow: &mut dyn UnitOfWork,
        slug: &str,
        project: &str,
        actor: UserId,
    ) -> Result<(Self, Entered<Project>), Error> {
        let no_such_project =
            || Error::new(Code::ProjectNotFound, "This organization has no project with this id or key.");
        let Some(project) = ProjectRef::parse(project) else {
            Self::enter(uow, slug, actor).await?;
            return Err(no_such_project());
        };
        let entered = match Slug::existing(slug) {
            Some(slug) => uow.projects().enter(&slug, actor, &project).await?,
            None => None,
        };
        let Entered { org, role, actor: person, found } = entered.ok_or_else(no_such_organization)?;
        uow.on_behalf_of(Party::Organization(org));
        let found = found.ok_or_else(no_such_project)?;
        Ok((Self { org, actor, role }, Entered { org, role, actor: person, found }))
    }

    /// The door to a task, by its id alone: looks the task and the membership up, in one statement.
    ///
    /// # Errors
    /// `TASK_NOT_FOUND`, the same for an outsider as for an id that nothing has.
    pub async fn enter_task(
        uow: &mut dyn UnitOfWork,
        task: &str,
        actor: UserId,
    ) -> Result<(Self, Entered<Task>), Error> {
        let entered = match task.parse::<TaskId>() {
            Ok(task) => uow.tasks().enter(actor, task).await?,
            Err(_) => None,
        };
        let entered = entered.ok_or_else(|| {
            Error::new(Code::TaskNotFound, "There is no task with this id in your organizations.")
        })?;
        uow.on_behalf_of(Party::Organization(entered.org));
        Ok((Self { org: entered.org, actor, role: entered.role }, entered))
    }

    /// The scope of somebody whose membership was written a moment ago, in the same unit of work.
    pub(crate) const fn of_new_member(org: OrgId, actor: UserId, role: Role) -> Self {
        Self { org, actor, role }
    }

    /// The scope of work that a member began and a job goes on with. They need not be one any more, so it may do what every member
    /// may, and a job asks for nothing more.
    pub(crate) const fn of_begun_work(org: OrgId, actor: UserId) -> Self {
        Self { org, actor, role: Role::Member }
    }

    /// Which organization.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> UserId {
        self.actor
    }

    /// What they are in it.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Refuses what the role may not do.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub fn require(&self, authorizer: &dyn Authorizer, action: Action) -> Result<(), Error> {
        require(authorizer, self.role, action)
    }
}

fn no_such_organization() -> Error {
    Error::new(
        Code::OrganizationNotFound,
        "There is no organization with this slug that you are a member of.",
    )
}

/// Refuses what a role may not do.
pub(super) fn require(authorizer: &dyn Authorizer, role: Role, action: Action) -> Result<(), Error> {
    if authorizer.allows(role, action) {
        return Ok(());
    }
    Err(Error::new(
        Code::InsufficientRole,
        "Your role in this organization does not allow this. Ask an owner or admin.",
    )
    .with_param("role", role.as_str()))
}

/// Proof that somebody holds the token of an invitation that can be accepted now, made by looking the token up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationPass {
    preview: InvitationPreview,
}

impl InvitationPass {
    /// Looks a token up. An invitation ends with its maker's right to make it: they must still be a member whose role may invite,
    /// and not into a role above their own.
    ///
    /// # Errors
    /// `INVITATION_NOT_FOUND` for an unknown, revoked or used token, or one whose maker may not invite any more;
    /// `INVITATION_EXPIRED`.
    pub async fn redeem(
        uow: &mut dyn UnitOfWork,
        authorizer: &dyn Authorizer,
        token: &str,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let found = match org_of_token(token) {
            Some(org) => uow.invitations().find_by_token(org, &TokenHash::of(token)).await?,
            None => None,
        };
        let preview = found.ok_or_else(ended)?;
        let role = preview.invitation.role;
        if !preview.inviter_role.is_some_and(|inviter| may_invite(authorizer, inviter, role)) {
            return Err(ended());
        }
        match preview.invitation.status(now) {
            InvitationStatus::Pending => Ok(Self { preview }),
            InvitationStatus::Expired => {
                Err(Error::new(Code::InvitationExpired, "This invitation has expired. Ask for a new one."))
            }
            InvitationStatus::Accepted | InvitationStatus::Revoked => Err(ended()),
        }
    }

    /// What its maker was in the organization when it was looked up.
    #[must_use]
    pub const fn inviter_role(&self) -> Option<Role> {
        self.preview.inviter_role
    }

    /// The invitation.
    #[must_use]
    pub const fn invitation(&self) -> &Invitation {
        &self.preview.invitation
    }

    /// What its bearer may see.
    #[must_use]
    pub fn into_preview(self) -> InvitationPreview {
        self.preview
    }
}

/// Whether somebody with a role may invite into another one.
pub(super) fn may_invite(authorizer: &dyn Authorizer, inviter: Role, role: Role) -> bool {
    authorizer.allows(inviter, Action::ManageInvitations) && role <= inviter
}

/// The refusal of an invitation that is no more.
pub(super) fn ended() -> Error {
    Error::new(Code::InvitationNotFound, "This invitation is not valid any more. Ask for a new one.")
}

/// Proof that an organization was removed and that nobody is in it any more, made by looking it up: what a worker has that clears
/// what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacatedOrg {
    org: OrgId,
}

impl VacatedOrg {
    /// Looks an organization up; `None` when people are in it, or when it is gone.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn enter(uow: &mut dyn UnitOfWork, org: OrgId) -> Result<Option<Self>, Error> {
        uow.on_behalf_of(Party::Organization(org));
        Ok(uow.organizations().is_vacated(org, &Self::slug(org)).await?.then_some(Self { org }))
    }

    /// The slug of a vacated organization: none that a person can give or ask for.
    #[must_use]
    pub fn slug(org: OrgId) -> Slug {
        Slug::from_stored(format!("~{}", org.as_uuid().simple()))
    }

    /// Which organization.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }
}
