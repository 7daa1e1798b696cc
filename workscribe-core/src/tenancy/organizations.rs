//! Organizations: creating, changing and removing them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::WorkScribe;
use crate::error::{Code, Error, Result, Violations};
use crate::events::DomainEvent;
use crate::id::OrgId;
use crate::identity::{Actor, display_name};
use crate::limits::Limit;
use crate::outbox::{Job, JobPriority};
use crate::page::{Cursor, Page, PageRequest};
use crate::portion::Portion;
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};

use super::model::{Organization, OrganizationChange, Role, Slug};
use super::permission::Action;
use super::scope::{In, OrgScope, VacatedOrg};

/// How much is removed in one transaction.
const AT_ONCE: Portion = Portion::of(2_000);

/// Removes the remaining rows of a removed organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearOrganization {
    /// The organization.
    pub org_id: OrgId,
}

impl Job for ClearOrganization {
    const KIND: &'static str = "organization.clear";
    const QUEUE: &'static str = crate::outbox::UPKEEP_QUEUE;
    const PRIORITY: JobPriority = JobPriority::IDLE;
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(60 * 60));

    fn org(&self) -> Option<OrgId> {
        Some(self.org_id)
    }
}

/// Organizations, members and invitations. [`WorkScribe::organizations`] returns it.
///
/// All methods take the caller's unit of work. Methods within an organization take its [`OrgScope`].
#[derive(Clone, Copy)]
pub struct Organizations<'a> {
    pub(super) app: &'a WorkScribe,
}

/// The input of a new organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrganization {
    /// Its name.
    pub name: String,
    /// Its name in URLs.
    pub slug: String,
}

/// The input of a change of an organization. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationEdit {
    /// Its name.
    pub name: Option<String>,
    /// Its name in URLs.
    pub slug: Option<String>,
}

impl WorkScribe {
    /// Organizations, members and invitations.
    #[must_use]
    pub const fn organizations(&self) -> Organizations<'_> {
        Organizations { app: self }
    }
}

impl Organizations<'_> {
    /// Creates an organization with the caller as its first owner.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, `SLUG_TAKEN`, `LIMIT_REACHED`.
    pub async fn create(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        new: &NewOrganization,
    ) -> Result<In<Organization>> {
        let mut violations = Violations::default();
        let name = violations.keep("/name", display_name(&new.name));
        let slug = violations.keep("/slug", Slug::parse(&new.slug));
        let (name, slug) = violations.into_values((name, slug))?;
        let there = uow.organizations().count_owned(actor.user).await?;
        self.app.limits().admit(Limit::OrganizationsPerOwner, there)?;
        let now = self.app.now();
        let organization =
            Organization { id: self.app.new_id(), name, slug, version: 1, created_at: now, updated_at: now };
        uow.organizations().insert(&organization, actor.user).await.map_err(slug_taken)?;
        let event =
            DomainEvent::OrganizationCreated { organization: organization.clone(), owner: actor.user };
        self.app.emit(uow, &event).await?;
        Ok(In::new(OrgScope::of_member(organization.id, actor.user, Role::Owner), None, organization))
    }

    /// The caller's own organizations, oldest first, each with the caller's role.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn list(
        &self,
        uow: &mut dyn UnitOfWork,
        actor: &Actor,
        page: &PageRequest,
    ) -> Result<Page<(Organization, Role)>> {
        let rows = uow.organizations().list_of(actor.user, page).await?;
        let total =
            if page.wants_count() { Some(uow.organizations().count_of(actor.user).await?) } else { None };
        Ok(page.page(rows, total, |(org, _)| Cursor { at: org.created_at, id: org.id.into() }))
    }

    /// Changes the name or the slug.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `SLUG_TAKEN`, `STALE_VERSION`.
    pub async fn update(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        edit: &OrganizationEdit,
        expected: Option<i64>,
    ) -> Result<Organization> {
        scope.require(self.app.authorizer(), Action::UpdateOrganization)?;
        let mut violations = Violations::default();
        let change = OrganizationChange {
            name: edit.name.as_deref().and_then(|name| violations.keep("/name", display_name(name))),
            slug: edit.slug.as_deref().and_then(|slug| violations.keep("/slug", Slug::parse(slug))),
        };
        violations.into_result()?;
        let updated =
            uow.organizations().update(scope, &change, expected, self.app.now()).await.map_err(slug_taken)?;
        let organization = updated.ok_or_else(gone)?;
        self.app.emit(uow, &DomainEvent::OrganizationUpdated { organization: organization.clone() }).await?;
        Ok(organization)
    }

    /// Removes the organization with everything that belongs to it. If that is much, the commit removes all members and frees the
    /// slug, and a job ([`ClearOrganization`]) removes the rest.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `STALE_VERSION`.
    pub async fn delete(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        expected: Option<i64>,
    ) -> Result<()> {
        scope.require(self.app.authorizer(), Action::DeleteOrganization)?;
        // The event comes before the removal, so that a hook can still read the rows.
        self.app
            .emit(uow, &DomainEvent::OrganizationDeleted { org: scope.org(), actor: scope.actor() })
            .await?;
        if !uow.organizations().is_larger_than(scope, AT_ONCE).await? {
            return if uow.organizations().delete(scope, expected).await? { Ok(()) } else { Err(gone()) };
        }
        let slug = VacatedOrg::slug(scope.org());
        if !uow.organizations().vacate(scope, expected, &slug, AT_ONCE.rows).await? {
            return Err(gone());
        }
        self.app.enqueue(uow, &ClearOrganization { org_id: scope.org() }).await?;
        Ok(())
    }

    /// Removes the remaining rows of a removed organization in portions, with a transaction for each. A repeated call continues
    /// where the previous one ended.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn clear(&self, job: &ClearOrganization) -> Result<()> {
        loop {
            let mut uow = self.app.begin().await?;
            let Some(vacated) = VacatedOrg::enter(&mut *uow, job.org_id).await? else { return Ok(()) };
            uow.organizations().clear(&vacated, AT_ONCE).await?;
            self.app.commit(uow).await?;
        }
    }
}

fn slug_taken(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::OrganizationSlug, .. } => {
            Error::new(Code::SlugTaken, "Another organization has this slug. Choose another.")
        }
        other => other.into(),
    }
}

/// The refusal when the organization was removed after the door and before the statement.
pub(crate) fn gone() -> Error {
    Error::new(Code::OrganizationNotFound, "This organization does not exist any more.")
}
