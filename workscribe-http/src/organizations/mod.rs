//! Organizations, members and invitations over HTTP.

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use workscribe_core::Code::*;
use workscribe_core::WorkScribe;
use workscribe_core::id::{InvitationId, UserId};
use workscribe_core::limits::Limit;
use workscribe_core::page::{Page, PageRequest};

use crate::auth::BearerAuth;
use crate::body::Body;
use crate::caller::Caller;
use crate::once::Once;
use crate::problem::refuses::{CREATES, IN_ORGANIZATION, STALE};
use crate::problem::{ApiResult, codes};
use crate::query::{Asked, Id, PageCount, PageCursor, PageLimit, only_page};
use crate::reply::{Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;
use crate::wire::{IdempotencyKey, IfMatch, Slug};

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
    async fn list(
        &self,
        auth: BearerAuth,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<OrganizationList>> {
        let page = only_page(limit, cursor, count)?;
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

    /// List members
    #[oai(path = "/organizations/:slug/members", method = "get", operation_id = "listMembers")]
    async fn members(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<MemberList>, { codes(&[OrganizationNotFound]) }> {
        let page = only_page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.organizations().members(&mut *uow, at.scope(), &page).await?;
        Ok(Reply::new(found))
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
        slug: Path<Slug>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<IdempotencyKey>>,
        body: Body<InviteRequest>,
    ) -> ApiResult<
        Created<Invitation>,
        { IN_ORGANIZATION | CREATES | codes(&[EmailNotVerified, AlreadyMember, RateLimited]) },
    > {
        caller.limit_by(&self.app, Limit::InvitationsPerUser, &auth.actor().user.to_string()).await?;
        let once = Once::new(&self.app, &auth, key, "inviteMember", &body).in_organization(&slug).await?;
        let made = once.run(|mut uow| async move {
            let at = auth.enter(&mut *uow, &slug).await?;
            let invited = self.app.organizations().invite(&mut *uow, &at, &body.0).await?;
            let location = format!("{}/invitations/{}", location(at.slug.as_str()), invited.id);
            let answer = Invitation::from((&invited, self.app.now()));
            Ok((uow, Created::of(answer, location, invited.version)))
        });
        Ok(made.await?)
    }

    /// List invitations
    ///
    /// In every status. For admins and owners.
    #[oai(path = "/organizations/:slug/invitations", method = "get", operation_id = "listInvitations")]
    async fn invitations(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<InvitationList>, IN_ORGANIZATION> {
        let page = only_page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.organizations().invitations(&mut *uow, at.scope(), &page).await?;
        let (now, Page { items, next_cursor, total }) = (self.app.now(), found);
        let items = items.iter().map(|row| (row, now)).collect();
        Ok(Reply::new(Page { items, next_cursor, total }))
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
        slug: Path<Slug>,
        invitation_id: Path<Id<InvitationId>>,
    ) -> ApiResult<
        NoContent,
        { IN_ORGANIZATION | codes(&[EmailNotVerified, InvitationNotFound, InvitationAccepted, RateLimited]) },
    > {
        caller.limit_by(&self.app, Limit::InvitationsPerUser, &auth.actor().user.to_string()).await?;
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        self.app.organizations().resend_invitation(&mut *uow, &at, invitation_id.read()?).await?;
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
        slug: Path<Slug>,
        invitation_id: Path<Id<InvitationId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { IN_ORGANIZATION | STALE | codes(&[InvitationNotFound, InvitationAccepted]) }>
    {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let invitation = invitation_id.target(&condition)?;
        self.app.organizations().revoke_invitation(&mut *uow, at.scope(), invitation).await?;
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
        slug: Path<Slug>,
        user_id: Path<Id<UserId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateMemberRequest>,
    ) -> ApiResult<Versioned<Member>, { IN_ORGANIZATION | STALE | codes(&[MemberNotFound, LastOwner]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let member = user_id.target(&condition)?;
        let member = self.app.organizations().set_role(&mut *uow, at.scope(), member, body.0).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(member))
    }

    /// Remove a member, or leave
    ///
    /// Anybody may leave; admins remove members; owners remove anybody. An owner always remains.
    #[oai(path = "/organizations/:slug/members/:user_id", method = "delete", operation_id = "removeMember")]
    async fn remove_member(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        user_id: Path<Id<UserId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { IN_ORGANIZATION | STALE | codes(&[MemberNotFound, LastOwner]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let member = user_id.target(&condition)?;
        self.app.organizations().remove_member(&mut *uow, at.scope(), member).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }
}
