//! Organizations, members and invitations over HTTP.

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use workscribe_core::id::{InvitationId, UserId};
use workscribe_core::limits::Limit;
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{self, NewOrganization};
use workscribe_core::{Code, Error, WorkScribe};

use crate::auth::BearerAuth;
use crate::body::{Body, not_null};
use crate::caller::Caller;
use crate::once::{self, Begun, Made, Place};
use crate::problem::ApiResult;
use crate::query::page;
use crate::reply::{Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;

pub use dto::*;

/// Organizations, their members and their invitations.
pub struct OrganizationsApi {
    app: WorkScribe,
}

impl OrganizationsApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

fn location(slug: &str) -> String {
    format!("/api/v1/organizations/{slug}")
}

fn member_id(text: &str) -> Result<UserId, Error> {
    text.parse()
        .map_err(|_| Error::new(Code::MemberNotFound, "This organization has no member with this id."))
}

fn invitation_id(text: &str) -> Result<InvitationId, Error> {
    text.parse()
        .map_err(|_| Error::new(Code::InvitationNotFound, "This organization has no such invitation."))
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
        /// A key of the client's: the same request sent again under it is done once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body<CreateOrganizationRequest>,
    ) -> ApiResult<Created<Organization>> {
        let (actor, digest) = (auth.actor(), body.digest());
        let CreateOrganizationRequest { name, slug } = body.0;
        let new = NewOrganization { name, slug };
        let operation = "createOrganization";
        let (key, place) = (key.0.as_deref(), Place::default());
        let request = once::Request { key, operation, user: actor.user, place, digest };
        let mut once = match once::begin(&self.app, request).await? {
            Begun::Repeated(answer) => return Ok(answer),
            Begun::Fresh(once) => once,
        };
        let made = async {
            let (_, organization) = self.app.organizations().create(once.uow(), actor, &new).await?;
            let (location, version) = (location(organization.slug.as_str()), organization.version);
            Ok(Made { value: Organization::from(organization), location, version })
        };
        let made = made.await;
        once.finish(made).await
    }

    /// List one's organizations
    #[oai(path = "/organizations", method = "get", operation_id = "listOrganizations")]
    async fn list(
        &self,
        auth: BearerAuth,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<OrganizationList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.organizations().list(&mut *uow, auth.actor(), &page).await?;
        let organizations = found.items.into_iter().map(OwnOrganization::from).collect();
        Ok(Reply::new(OrganizationList { organizations, next_cursor: found.next_cursor, total: found.total }))
    }

    /// List one's organizations in short
    ///
    /// For clients of the first server: the first 100, as a bare array. Use `GET /organizations`.
    #[oai(path = "/auth/orgs", method = "get", operation_id = "listOrganizationNames", deprecated)]
    async fn names(&self, auth: BearerAuth) -> ApiResult<Reply<Vec<OrganizationName>>> {
        let mut uow = auth.read(&self.app).await?;
        let found = self.app.organizations().list(&mut *uow, auth.actor(), &PageRequest::largest()).await?;
        let names = found.items.into_iter().map(|(org, _)| OrganizationName {
            id: org.id.into(),
            name: org.name,
            slug: org.slug.to_string(),
        });
        Ok(Reply::new(names.collect()))
    }

    /// Get an organization
    #[oai(path = "/organizations/:slug", method = "get", operation_id = "getOrganization")]
    async fn get(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
    ) -> ApiResult<Versioned<Organization>> {
        let mut uow = auth.read(&self.app).await?;
        let (_, organization) = auth.enter(&mut *uow, &slug.0).await?;
        let version = organization.version;
        Ok(Versioned::new(organization.into(), version))
    }

    /// Change an organization
    ///
    /// For admins and owners.
    #[oai(path = "/organizations/:slug", method = "patch", operation_id = "updateOrganization")]
    async fn update(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateOrganizationRequest>,
    ) -> ApiResult<Versioned<Organization>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let UpdateOrganizationRequest { name, slug: new_slug } = body.0;
        let (name, new_slug) = (not_null("/name", name)?, not_null("/slug", new_slug)?);
        let expected = if_match(condition.0.as_deref());
        let updated = self
            .app
            .organizations()
            .update(&mut *uow, &scope, name.as_deref(), new_slug.as_deref(), expected)
            .await?;
        self.app.commit(uow).await?;
        let version = updated.version;
        Ok(Versioned::new(updated.into(), version))
    }

    /// Remove an organization
    ///
    /// With all that belongs to it. For owners.
    #[oai(path = "/organizations/:slug", method = "delete", operation_id = "deleteOrganization")]
    async fn delete(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        self.app.organizations().delete(&mut *uow, &scope, if_match(condition.0.as_deref())).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// List members
    #[oai(path = "/organizations/:slug/members", method = "get", operation_id = "listMembers")]
    async fn members(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<MemberList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let found = self.app.organizations().members(&mut *uow, &scope, &page).await?;
        let members = found.items.into_iter().map(Member::from).collect();
        Ok(Reply::new(MemberList { members, next_cursor: found.next_cursor, total: found.total }))
    }

    /// Invite somebody
    ///
    /// Sends a mail with a link that is good for 48 hours. A pending invitation to the same address is replaced. For
    /// admins and owners.
    #[oai(path = "/organizations/:slug/invite", method = "post", operation_id = "inviteMember")]
    async fn invite(
        &self,
        auth: BearerAuth,
        caller: Caller,
        /// The organization's slug.
        slug: Path<String>,
        /// A key of the client's: the same request sent again under it is done once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body<InviteRequest>,
    ) -> ApiResult<Created<Invitation>> {
        let (actor, digest) = (auth.actor(), body.digest());
        caller.limit_by(&self.app, Limit::InvitationsPerUser, &actor.user.to_string()).await?;
        let (key, operation) = (key.0.as_deref(), "inviteMember");
        let place = Place::organization(&self.app, key, &slug.0, actor.user).await?;
        let request = once::Request { key, operation, user: actor.user, place, digest };
        let mut once = match once::begin(&self.app, request).await? {
            Begun::Repeated(answer) => return Ok(answer),
            Begun::Fresh(once) => once,
        };
        let made = async {
            let (scope, organization) = auth.enter(once.uow(), &slug.0).await?;
            let InviteRequest { email, role } = &body.0;
            let organizations = self.app.organizations();
            let invited =
                organizations.invite(once.uow(), &scope, &organization, email, (*role).into()).await?;
            let location = format!("{}/invitations/{}", location(organization.slug.as_str()), invited.id);
            Ok(Made { value: Invitation::at(&invited, self.app.now()), location, version: invited.version })
        };
        let made = made.await;
        once.finish(made).await
    }

    /// List invitations
    ///
    /// In every status. For admins and owners.
    #[oai(path = "/organizations/:slug/invitations", method = "get", operation_id = "listInvitations")]
    async fn invitations(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<InvitationList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let found = self.app.organizations().invitations(&mut *uow, &scope, &page).await?;
        let now = self.app.now();
        let invitations = found.items.iter().map(|row| Invitation::listed(row, now)).collect();
        Ok(Reply::new(InvitationList { invitations, next_cursor: found.next_cursor, total: found.total }))
    }

    /// Send an invitation again
    ///
    /// With a new link, good for 48 hours; the old one ends. For admins and owners.
    #[oai(
        path = "/organizations/:slug/invitations/:invitation_id/resend",
        method = "post",
        operation_id = "resendInvitation"
    )]
    async fn resend_invitation(
        &self,
        auth: BearerAuth,
        caller: Caller,
        /// The organization's slug.
        slug: Path<String>,
        /// The invitation's id.
        invitation_id: Path<String>,
    ) -> ApiResult<NoContent> {
        caller.limit_by(&self.app, Limit::InvitationsPerUser, &auth.actor().user.to_string()).await?;
        let mut uow = auth.begin(&self.app).await?;
        let (scope, organization) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::invitation_id(&invitation_id.0)?;
        self.app.organizations().resend_invitation(&mut *uow, &scope, &organization, id).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Take an invitation back
    ///
    /// For admins and owners.
    #[oai(
        path = "/organizations/:slug/invitations/:invitation_id",
        method = "delete",
        operation_id = "revokeInvitation"
    )]
    async fn revoke_invitation(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The invitation's id.
        invitation_id: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::invitation_id(&invitation_id.0)?;
        let expected = if_match(condition.0.as_deref());
        self.app.organizations().revoke_invitation(&mut *uow, &scope, id, expected).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Change a member's role
    ///
    /// Admins make members admins; owners do anything. An owner always remains.
    #[oai(path = "/organizations/:slug/members/:user_id", method = "patch", operation_id = "updateMember")]
    async fn update_member(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The member's user id.
        user_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateMemberRequest>,
    ) -> ApiResult<Versioned<Member>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let user = member_id(&user_id.0)?;
        let role = not_null("/role", body.0.role)?.map(tenancy::Role::from);
        let expected = if_match(condition.0.as_deref());
        let member = self.app.organizations().set_role(&mut *uow, &scope, user, role, expected).await?;
        self.app.commit(uow).await?;
        let version = member.version;
        Ok(Versioned::new(member.into(), version))
    }

    /// Remove a member, or leave
    ///
    /// Anybody may leave; admins remove members; owners remove anybody. An owner always remains.
    #[oai(path = "/organizations/:slug/members/:user_id", method = "delete", operation_id = "removeMember")]
    async fn remove_member(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The member's user id.
        user_id: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let user = member_id(&user_id.0)?;
        let expected = if_match(condition.0.as_deref());
        self.app.organizations().remove_member(&mut *uow, &scope, user, expected).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}
