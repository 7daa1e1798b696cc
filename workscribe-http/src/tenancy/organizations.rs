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
    /// Make an organization
    ///
    /// The caller becomes its owner.
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

    /// List one's organizations
    #[oai(path = "/organizations", method = "get", operation_id = "listOrganizations")]
    async fn list(&self, auth: BearerAuth, page: Asked<Paging>) -> ApiResult<Reply<OrganizationList>> {
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.organizations().list(&mut *uow, auth.actor(), &page).await?;
        Ok(Reply::new(found))
    }

    /// List one's organizations in short
    ///
    /// For clients of the first server: the first 100, as a bare array. Use `GET /organizations`.
    #[oai(path = "/auth/orgs", method = "get", operation_id = "listOrganizationNames", deprecated)]
    async fn names(&self, auth: BearerAuth) -> ApiResult<Reply<Vec<OrganizationName>>> {
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.organizations().list(&mut *uow, auth.actor(), &PageRequest::largest()).await?;
        let names = found.items.into_iter().map(|(org, _)| OrganizationName::from(org));
        Ok(Reply::new(names.collect::<Vec<_>>()))
    }

    /// Get an organization
    #[oai(path = "/organizations/:slug", method = "get", operation_id = "getOrganization")]
    async fn get(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
    ) -> ApiResult<Versioned<Organization>, { codes(&[OrganizationNotFound]) }> {
        let mut uow = auth.read(&self.app).await?;
        Ok(Versioned::new(auth.enter(&mut *uow, &slug).await?.into_it()))
    }

    /// Change an organization
    ///
    /// For admins and owners.
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

    /// Remove an organization
    ///
    /// With all that belongs to it. For owners.
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
        /// Its id.
        id: Uuid,
        /// Its name.
        name: Title,
        /// Its name in URLs.
        slug: OrgSlug,
        /// When it was made.
        created_at: Time,
        /// When it was last changed.
        updated_at: Time,
    }

    /// An organization, and what one is in it.
    OwnOrganization of (org, role): (tenancy::Organization, tenancy::Role) {
        /// Its id.
        id: Uuid = org.id,
        /// Its name.
        name: Title = org.name,
        /// Its name in URLs.
        slug: OrgSlug = org.slug,
        /// What one is in it.
        role: Role = role,
        /// When it was made.
        created_at: Time = org.created_at,
        /// When it was last changed.
        updated_at: Time = org.updated_at,
    }

    /// An organization in short.
    OrganizationName of org: tenancy::Organization {
        /// Its id.
        id: Uuid,
        /// Its name.
        name: Title,
        /// Its name in URLs.
        slug: OrgSlug,
    }
}

lists! {
    /// A page of one's organizations, the oldest first.
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
        /// 3–30 lower-case letters and digits, with single hyphens between them; some words are reserved.
        #[oai(validator(min_length = 3, max_length = 30, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
        slug: Required<OrgSlug>,
    } => NewOrganization = NewOrganization { name, slug };

    /// A change of an organization. What is left out stays as it is.
    UpdateOrganizationRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        name: Patch<Title>,
        /// As for a new organization.
        #[oai(validator(min_length = 3, max_length = 30, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
        slug: Patch<OrgSlug>,
    } => tenancy::OrganizationEdit = tenancy::OrganizationEdit { name, slug };
}

/// The path of an organization.
pub(super) fn location(slug: &str) -> String {
    format!("/api/v1/organizations/{slug}")
}
