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
    /// List members
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

    /// Change a member's role
    ///
    /// Admins make members admins; owners do anything. An owner always remains.
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
    /// Anybody may leave; admins remove members; owners remove anybody. An owner always remains.
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
    /// What a member is in an organization.
    Role = tenancy::Role;
}

answers! {
    /// A user in an organization.
    Member of member: tenancy::Member {
        /// The user's id.
        user_id: Uuid,
        /// Their address.
        email: Email,
        /// Their name.
        display_name: PersonName,
        /// Where their picture is.
        avatar_url: Nullable<PictureUrl>,
        /// What they are.
        role: Role,
        /// Since when.
        joined_at: Time,
    }
}

lists! {
    /// A page of members, by time of joining.
    MemberList {
        /// The members.
        members: Member
    }
}

inputs! {
    /// A new role.
    UpdateMemberRequest {
        /// The role. Left out, it stays as it is.
        role: Patch<Role>,
    } => Option<tenancy::Role> = role;
}
