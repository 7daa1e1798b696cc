//! The proofs that services and stores take, which only a look-up makes: [`OrgScope`] of a membership, [`In`] of a membership and a
//! thing, [`InvitationPass`] of an invitation, [`VacatedOrg`] of a removed organization.

use std::ops::Deref;

use crate::error::{Code, Error, Result};
use crate::id::{OrgId, UserId};
use crate::identity::Person;

use super::model::{Invitation, InvitationPreview, Role, Slug};
use super::permission::{Action, Authorizer};

/// Proof that a user is a member of an organization. Only the look-up of the membership makes it: the doors of [`In`].
///
/// Every tenant-scoped call of a store takes one. Its fields are private and it has no public constructor, so code without
/// the look-up does not compile:
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
    /// The scope of a user whose membership was just looked up or written in the same unit of work: for doors, and for services
    /// that add a member.
    pub(crate) const fn of_member(org: OrgId, actor: UserId, role: Role) -> Self {
        Self { org, actor, role }
    }

    /// The scope of work that a member began and a job continues. The user may have left since then, so the scope has the lowest
    /// role, which is enough for such jobs.
    pub(crate) const fn of_begun_work(org: OrgId, actor: UserId) -> Self {
        Self { org, actor, role: Role::Member }
    }

    /// The organization.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The user who acts.
    #[must_use]
    pub const fn actor(&self) -> UserId {
        self.actor
    }

    /// The user's role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Refuses an action that the role may not do.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub fn require(&self, authorizer: &dyn Authorizer, action: Action) -> Result<()> {
        require(authorizer, self.role, action)
    }
}

/// The result of a door: proof that the caller is a member, and the thing that was looked up, to which it dereferences. Every
/// service that works on one thing takes it.
///
/// [`In::organization`], [`In::project`] and [`In::task`] are the doors.
#[derive(Debug, Clone, PartialEq)]
pub struct In<T> {
    scope: OrgScope,
    person: Option<Person>,
    it: T,
}

impl<T> In<T> {
    /// The result of a look-up; `person` is the caller as others see them, if the look-up returned it.
    pub(crate) const fn new(scope: OrgScope, person: Option<Person>, it: T) -> Self {
        Self { scope, person, it }
    }

    /// The proof, for calls about the organization.
    #[must_use]
    pub const fn scope(&self) -> &OrgScope {
        &self.scope
    }

    /// The user who acts.
    #[must_use]
    pub const fn actor(&self) -> UserId {
        self.scope.actor
    }

    /// The caller as others see them, if the door returned it.
    pub(crate) const fn known_person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// The thing that was looked up.
    pub fn into_it(self) -> T {
        self.it
    }
}

impl<T> In<Option<T>> {
    /// The thing that was looked up, if it exists.
    pub(crate) fn transpose(self) -> Option<In<T>> {
        let Self { scope, person, it } = self;
        it.map(|it| In { scope, person, it })
    }
}

impl<T> Deref for In<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.it
    }
}

/// Refuses an action that a role may not do.
pub(super) fn require(authorizer: &dyn Authorizer, role: Role, action: Action) -> Result<()> {
    if authorizer.allows(role, action) {
        return Ok(());
    }
    Err(Error::new(
        Code::InsufficientRole,
        "Your role in this organization does not allow this. Ask an owner or admin.",
    )
    .with_param("role", role.as_str()))
}

/// Proof that the caller has the token of a valid invitation. Only the look-up of the token makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationPass {
    pub(super) preview: InvitationPreview,
}

impl InvitationPass {
    /// The inviter's role at the look-up.
    #[must_use]
    pub const fn inviter_role(&self) -> Option<Role> {
        self.preview.inviter_role
    }

    /// The invitation.
    #[must_use]
    pub const fn invitation(&self) -> &Invitation {
        &self.preview.invitation
    }

    /// What the bearer may see.
    #[must_use]
    pub fn into_preview(self) -> InvitationPreview {
        self.preview
    }
}

/// Proof that an organization was removed and has no members any more. Only its look-up makes it, for the worker that removes the
/// remaining rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacatedOrg {
    pub(super) org: OrgId,
}

impl VacatedOrg {
    /// The slug of a vacated organization. No person can choose it or look it up.
    #[must_use]
    pub fn slug(org: OrgId) -> Slug {
        Slug::from_stored(format!("~{}", org.as_uuid().simple()))
    }

    /// The organization.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }
}
