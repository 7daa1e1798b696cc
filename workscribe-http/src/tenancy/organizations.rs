//! Organizations over HTTP: the tenants.

use workscribe_core::Code::{OrganizationNotFound, SlugTaken};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{self, NewOrganization};

use super::members::Role;
use crate::prelude::*;

api! {
    /// Organizations.
    OrganizationsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Organizations")]
impl OrganizationsApi {
    /// Create an organization
    ///
    /// The caller becomes its owner and only member.
    #[oai(path = "/organizations", method = "post", operation_id = "createOrganization")]
    async fn create(
        &self,
        auth: BearerAuth,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<CreateOrganizationRequest>,
    ) -> ApiResult<Created<Organization>, { CREATES | codes(&[SlugTaken]) }> {
        let once = Once::new(&self.app, &auth, key, "createOrganization", &body);
        let made = once.run(|mut uow| async move {
            let made = self.app.organizations().create(&mut *uow, auth.actor(), &body.0).await?;
            let location = location(made.slug.as_str());
            Ok((uow, Created::new(made.into_it(), location)))
        });
        Ok(made.await?)
    }

    /// List the caller's organizations
    ///
    /// Returns the organizations of which the caller is a member, with their role in each, oldest first.
    #[oai(path = "/organizations", method = "get", operation_id = "listOrganizations")]
    async fn list(&self, auth: BearerAuth, page: Asked<Paging>) -> ApiResult<Reply<OrganizationList>> {
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.organizations().list(&mut *uow, auth.actor(), &page).await?;
        Ok(Reply::new(found))
    }

    /// List the names of the caller's organizations
    ///
    /// Returns the first 100 as a bare array, for clients of an earlier server. Use `GET /organizations` instead.
    #[oai(path = "/auth/orgs", method = "get", operation_id = "listOrganizationNames", deprecated)]
    async fn names(&self, auth: BearerAuth) -> ApiResult<Reply<Vec<OrganizationName>>> {
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.organizations().list(&mut *uow, auth.actor(), &PageRequest::largest()).await?;
        let names = found.items.into_iter().map(|(org, _)| OrganizationName::from(org));
        Ok(Reply::new(names.collect::<Vec<_>>()))
    }

    /// Get an organization
    ///
    /// Finds an organization of which the caller is a member, by its slug.
    #[oai(path = "/organizations/:slug", method = "get", operation_id = "getOrganization")]
    async fn get(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
    ) -> ApiResult<Versioned<Organization>, { codes(&[OrganizationNotFound]) }> {
        let mut uow = auth.read(&self.app).await?;
        Ok(Versioned::new(auth.enter(&mut *uow, &slug).await?.into_it()))
    }

    /// Update an organization
    ///
    /// Changes the name or the slug. After a change of the slug, the old URLs stop working. Requires an admin or an owner.
    #[oai(path = "/organizations/:slug", method = "patch", operation_id = "updateOrganization")]
    async fn update(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateOrganizationRequest>,
    ) -> ApiResult<Versioned<Organization>, { IN_ORGANIZATION | STALE | codes(&[SlugTaken]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let expected = if_match(condition.0.as_deref());
        let updated = self.app.organizations().update(&mut *uow, at.scope(), &body.0, expected).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(updated))
    }

    /// Delete an organization
    ///
    /// Removes the organization with everything that belongs to it. This cannot be undone. Requires an owner.
    #[oai(path = "/organizations/:slug", method = "delete", operation_id = "deleteOrganization")]
    async fn delete(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { IN_ORGANIZATION | STALE }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        self.app.organizations().delete(&mut *uow, at.scope(), if_match(condition.0.as_deref())).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}

answers! {
    /// An organization: a tenant.
    Organization of org: tenancy::Organization {
        /// The id of the organization.
        id: Uuid,
        /// The name.
        name: Title,
        /// The name in URLs.
        slug: OrgSlug,
        /// When the organization was created.
        created_at: Time,
        /// When the organization was last changed.
        updated_at: Time,
    }

    /// An organization, and the caller's role in it.
    OwnOrganization of (org, role): (tenancy::Organization, tenancy::Role) {
        /// The id of the organization.
        id: Uuid = org.id,
        /// The name.
        name: Title = org.name,
        /// The name in URLs.
        slug: OrgSlug = org.slug,
        /// The caller's role.
        role: Role = role,
        /// When the organization was created.
        created_at: Time = org.created_at,
        /// When the organization was last changed.
        updated_at: Time = org.updated_at,
    }

    /// The names of an organization.
    OrganizationName of org: tenancy::Organization {
        /// The id of the organization.
        id: Uuid,
        /// The name.
        name: Title,
        /// The name in URLs.
        slug: OrgSlug,
    }
}

lists! {
    /// A page of the caller's organizations, oldest first.
    OrganizationList {
        /// The organizations.
        organizations: OwnOrganization
    }
}

inputs! {
    /// A new organization.
    CreateOrganizationRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Required<Title>,
        /// 3–30 lower-case letters and digits, with single hyphens between them. Some words are reserved.
        #[oai(validator(min_length = 3, max_length = 30, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
        slug: Required<OrgSlug>,
    } => NewOrganization = NewOrganization { name, slug };

    /// A change of an organization. A field that is left out does not change.
    UpdateOrganizationRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Patch<Title>,
        /// 3–30 lower-case letters and digits, with single hyphens between them. Some words are reserved.
        #[oai(validator(min_length = 3, max_length = 30, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
        slug: Patch<OrgSlug>,
    } => tenancy::OrganizationEdit = tenancy::OrganizationEdit { name, slug };
}

/// The path of an organization.
pub(super) fn location(slug: &str) -> String {
    format!("/api/v1/organizations/{slug}")
}
