//! The doors into an organization. The look-up of a membership makes an [`In`], the look-up of an invitation's token makes an
//! [`InvitationPass`], and the look-up of a removed organization makes a [`VacatedOrg`].

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::{OrgId, UserId};
use crate::identity::{Person, TokenHash};
use crate::storage::{Party, UnitOfWork};

use super::invitations::org_of_token;
use super::model::{InvitationStatus, Organization, Role, Slug};
use super::permission::{Action, Authorizer};
use super::scope::{In, InvitationPass, OrgScope, VacatedOrg};

impl In<Organization> {
    /// The door to an organization: looks up the membership in one statement.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`, the same for a user who is not a member as for a slug that does not exist.
    pub async fn organization(uow: &mut dyn UnitOfWork, slug: &str, actor: UserId) -> Result<Self> {
        let found = match Slug::existing(slug) {
            Some(slug) => uow.organizations().membership(&slug, actor).await?,
            None => None,
        };
        let (organization, role) = found.ok_or_else(no_such_organization)?;
        uow.on_behalf_of(Party::Organization(organization.id));
        Ok(Self::new(OrgScope::of_member(organization.id, actor, role), None, organization))
    }
}

impl<T: Sync> In<T> {
    /// The caller as others see them. It looks them up if the door did not.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND` when they were removed in the meantime.
    pub async fn person(&self, uow: &mut dyn UnitOfWork) -> Result<Person> {
        if let Some(person) = self.known_person() {
            return Ok(person.clone());
        }
        let member =
            uow.members().find(self.scope(), self.actor()).await?.ok_or_else(no_such_organization)?;
        let (display_name, avatar_url) = (member.display_name, member.avatar_url);
        Ok(Person { id: member.user_id, display_name, avatar_url })
    }
}

/// The refusal when the caller has no such organization.
pub(crate) fn no_such_organization() -> Error {
    Error::new(
        Code::OrganizationNotFound,
        "There is no organization with this slug that you are a member of.",
    )
}

impl InvitationPass {
    /// Looks up a token. An invitation is valid only while its inviter may make it: they must still be a member whose role may
    /// invite, and the invited role may not be above their own.
    ///
    /// # Errors
    /// `INVITATION_NOT_FOUND` for an unknown, revoked or used token, or when the inviter may not invite any more;
    /// `INVITATION_EXPIRED`.
    pub async fn redeem(
        uow: &mut dyn UnitOfWork,
        authorizer: &dyn Authorizer,
        token: &str,
        now: Timestamp,
    ) -> Result<Self> {
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
}

/// Whether a member with a role may invite somebody as another role.
pub(super) fn may_invite(authorizer: &dyn Authorizer, inviter: Role, role: Role) -> bool {
    authorizer.allows(inviter, Action::ManageInvitations) && role <= inviter
}

/// The refusal of an invitation that is not valid any more.
pub(super) fn ended() -> Error {
    Error::new(Code::InvitationNotFound, "This invitation is not valid any more. Ask for a new one.")
}

impl VacatedOrg {
    /// Looks up an organization; `None` when it has members or does not exist.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn enter(uow: &mut dyn UnitOfWork, org: OrgId) -> Result<Option<Self>> {
        uow.on_behalf_of(Party::Organization(org));
        Ok(uow.organizations().is_vacated(org, &Self::slug(org)).await?.then_some(Self { org }))
    }
}
