//! Proofs, which services and stores take and which only looking something up makes: [`OrgScope`] of a membership, [`In`] of a
//! membership and a thing, [`InvitationPass`] of an invitation, [`VacatedOrg`] of an organization that was removed.

use std::ops::Deref;

use crate::error::{Code, Error};
use crate::id::{OrgId, UserId};
use crate::identity::Person;

use super::model::{Invitation, InvitationPreview, Role, Slug};
use super::permission::{Action, Authorizer};

/// Proof that a user is a member of an organization, made by looking the membership up: the doors of [`In`].
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
    /// The scope of somebody whose membership was looked up or written a moment ago, in the same unit of work: for doors, and for
    /// services that make a member.
    pub(crate) const fn of_member(org: OrgId, actor: UserId, role: Role) -> Self {
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

/// What a door answers: proof that the caller is a member, and what they asked for, to which it dereferences. Every service that works
/// on one thing takes it.
///
/// [`In::organization`], [`In::project`] and [`In::task`] are the doors.
#[derive(Debug, Clone, PartialEq)]
pub struct In<T> {
    scope: OrgScope,
    person: Option<Person>,
    it: T,
}

impl<T> In<T> {
    /// What was looked up with the membership; `person` is the caller as others see them, where the look-up told.
    pub(crate) const fn new(scope: OrgScope, person: Option<Person>, it: T) -> Self {
        Self { scope, person, it }
    }

    /// The proof, for what belongs to the organization.
    #[must_use]
    pub const fn scope(&self) -> &OrgScope {
        &self.scope
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> UserId {
        self.scope.actor
    }

    /// The caller as others see them, if the door told.
    pub(crate) const fn known_person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// What was asked for.
    pub fn into_it(self) -> T {
        self.it
    }
}

impl<T> In<Option<T>> {
    /// What was asked for, if it is there.
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
    pub(super) preview: InvitationPreview,
}

impl InvitationPass {
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

/// Proof that an organization was removed and that nobody is in it any more, made by looking it up: what a worker has that clears
/// what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacatedOrg {
    pub(super) org: OrgId,
}

impl VacatedOrg {
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
