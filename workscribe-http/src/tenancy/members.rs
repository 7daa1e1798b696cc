//! Members of organizations over HTTP.

use workscribe_core::Code::{LastOwner, MemberNotFound, OrganizationNotFound};
use workscribe_core::id::UserId;
use workscribe_core::tenancy;

use crate::prelude::*;

api! {
    /// Members of organizations.
    MembersApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Organizations")]
impl MembersApi {
    /// List an organization's members
    ///
    /// Returns the members in the order in which they joined. Every member may see the list.
    #[oai(path = "/organizations/:slug/members", method = "get", operation_id = "listMembers")]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        page: Asked<Paging>,
    ) -> ApiResult<Reply<MemberList>, { codes(&[OrganizationNotFound]) }> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.organizations().members(&mut *uow, at.scope(), &page).await?;
        Ok(Reply::new(found))
    }

    /// Update a member's role
    ///
    /// Admins may make members admins. Owners may make any change, but the last owner must remain an owner.
    #[oai(path = "/organizations/:slug/members/:user_id", method = "patch", operation_id = "updateMember")]
    async fn update(
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
    /// Members may remove themselves, admins may remove members, and owners may remove anyone but the last owner. The person's open
    /// tasks become unassigned, and the pending invitations that they sent are revoked. What they wrote remains.
    #[oai(path = "/organizations/:slug/members/:user_id", method = "delete", operation_id = "removeMember")]
    async fn remove(
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

named! {
    /// The role of a member in an organization.
    Role = tenancy::Role;
}

answers! {
    /// A user in an organization.
    Member of member: tenancy::Member {
        /// The id of the user.
        user_id: Uuid,
        /// Their e-mail address.
        email: Email,
        /// Their name.
        display_name: PersonName,
        /// The URL of their picture.
        avatar_url: Nullable<PictureUrl>,
        /// Their role.
        role: Role,
        /// When they joined.
        joined_at: Time,
    }
}

lists! {
    /// A page of members, in the order in which they joined.
    MemberList {
        /// The members.
        members: Member
    }
}

inputs! {
    /// A new role.
    UpdateMemberRequest {
        /// The role. If it is left out, it does not change.
        role: Patch<Role>,
    } => Option<tenancy::Role> = role;
}
