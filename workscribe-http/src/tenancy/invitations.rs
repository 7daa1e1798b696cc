//! Invitations to organizations over HTTP: for those who invite, and for those who have the token of the mail.

use workscribe_core::Code::*;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::InvitationId;
use workscribe_core::limits::Limit;
use workscribe_core::page::Page;
use workscribe_core::tenancy::{self, NewAccount};

use super::members::Role;
use super::organizations::location;
use crate::auth::OptionalActor;
use crate::identity::Tokens;
use crate::prelude::*;

api! {
    /// Invitations to organizations, for those who invite.
    InvitationsApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Organizations")]
impl InvitationsApi {
    /// Invite a person
    ///
    /// Sends a mail with a link that is valid for 48 hours. It replaces a pending invitation to the same address. Requires an
    /// admin or an owner.
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

    /// List an organization's invitations
    ///
    /// Returns invitations in every status, newest first. Requires an admin or an owner.
    #[oai(path = "/organizations/:slug/invitations", method = "get", operation_id = "listInvitations")]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        page: Asked<Paging>,
    ) -> ApiResult<Reply<InvitationList>, IN_ORGANIZATION> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.organizations().invitations(&mut *uow, at.scope(), &page).await?;
        let (now, Page { items, next_cursor, total }) = (self.app.now(), found);
        let items = items.iter().map(|row| (row, now)).collect();
        Ok(Reply::new(Page { items, next_cursor, total }))
    }

    /// Send an invitation again
    ///
    /// Sends a mail with a new link that is valid for 48 hours. The old link stops working. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/invitations/:invitation_id/resend",
        method = "post",
        operation_id = "resendInvitation"
    )]
    async fn resend(
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

    /// Revoke an invitation
    ///
    /// The link in the mail stops working. It is no error when the invitation is already revoked. Requires an admin or an owner.
    #[oai(
        path = "/organizations/:slug/invitations/:invitation_id",
        method = "delete",
        operation_id = "revokeInvitation"
    )]
    async fn revoke(
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
}

api! {
    /// Invitations that a person receives, for those who have the token of the mail.
    OwnInvitationsApi
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tags::Identity")]
impl OwnInvitationsApi {
    /// Get an invitation
    ///
    /// Use this to show an invitation before it is accepted. It needs the token of the mail, and no login.
    #[oai(path = "/invitations/:token", method = "get", operation_id = "getInvitation")]
    async fn preview(
        &self,
        caller: Caller,
        token: Path<MailedToken>,
    ) -> ApiResult<Reply<InvitationPreview>, { codes(&[InvitationNotFound, InvitationExpired, RateLimited]) }>
    {
        caller.limit(&self.app, Limit::MailedTokensPerAddress).await?;
        let mut uow = self.app.read().await?;
        let preview = self.app.organizations().preview_invitation(&mut *uow, &token).await?;
        Ok(Reply::new(preview))
    }

    /// Accept an invitation
    ///
    /// If the caller is logged in with the invited address, that account becomes a member. If nobody is logged in and the
    /// address has no account, `display_name` and `password` create one.
    #[oai(path = "/invitations/:token/accept", method = "post", operation_id = "acceptInvitation")]
    async fn accept(
        &self,
        caller: Caller,
        actor: OptionalActor,
        token: Path<MailedToken>,
        body: OptionalBody<AcceptInvitationRequest>,
    ) -> ApiResult<
        Reply<Tokens>,
        {
            codes(&[
                LoginRequired,
                Unauthenticated,
                EmailMismatch,
                InvitationNotFound,
                InvitationExpired,
                AlreadyMember,
                LimitReached,
                RateLimited,
                Overloaded,
            ])
        },
    > {
        caller.limit(&self.app, Limit::MailedTokensPerAddress).await?;
        let (actor, organizations) = (actor.0.as_ref(), self.app.organizations());
        let tokens = organizations.accept_invitation(&token, actor, &body.0, caller.client()).await?;
        Ok(Reply::new(tokens))
    }
}

named! {
    /// The status of an invitation.
    InvitationStatus = tenancy::InvitationStatus;
}

answers! {
    /// An invitation to an organization. Only the mail contains its token.
    Invitation of (invitation, now): (&tenancy::Invitation, Timestamp) {
        /// The id of the invitation.
        id: Uuid = invitation.id,
        /// The invited address.
        email: Email = &invitation.email,
        /// The invited role: admin or member.
        role: Role = invitation.role,
        /// The status.
        status: InvitationStatus = invitation.status(now),
        /// Whether the address refused the last mail. Only lists have this field.
        #[oai(skip_serializing_if_is_none)]
        #[serde(skip_serializing_if = "Option::is_none")]
        email_bouncing: Option<bool> = None::<bool>,
        /// The id of the user who invites.
        invited_by: Uuid = invitation.invited_by,
        /// When the invitation expires.
        expires_at: Time = invitation.expires_at,
        /// When the invitation was created.
        created_at: Time = invitation.created_at,
    }
}

impl From<(&tenancy::ListedInvitation, Timestamp)> for Invitation {
    fn from((row, now): (&tenancy::ListedInvitation, Timestamp)) -> Self {
        Self { email_bouncing: Some(row.email_bouncing), ..(&row.invitation, now).into() }
    }
}

lists! {
    /// A page of invitations, newest first.
    InvitationList {
        /// The invitations.
        invitations: Invitation
    }
}

answers! {
    /// An invitation, for those who have its token.
    InvitationPreview of preview: tenancy::InvitationPreview {
        /// The organization's name.
        org_name: Title,
        /// The organization's slug.
        org_slug: OrgSlug,
        /// The invited role.
        role: Role = preview.invitation.role,
        /// The invited address.
        email: Email = preview.invitation.email,
        /// The name of the person who invites.
        inviter_name: PersonName,
        /// When the invitation expires.
        expires_at: Time = preview.invitation.expires_at,
    }
}

inputs! {
    /// A new invitation.
    InviteRequest {
        /// The address to invite.
        #[oai(validator(max_length = 254))]
        email: Required<Email>,
        /// The role: admin or member.
        role: Required<Role>,
    } => tenancy::NewInvitation = tenancy::NewInvitation { email, role };

    /// The account to create. It is required when nobody is logged in and the address has no account.
    AcceptInvitationRequest {
        /// 2–100 characters.
        #[oai(validator(min_length = 2, max_length = 100))]
        display_name: Optional<PersonName>,
        /// 8–128 characters, not one of the common passwords.
        #[oai(validator(min_length = 8, max_length = 128))]
        password: Optional<Password>,
    } => NewAccount = NewAccount { display_name, password };
}
