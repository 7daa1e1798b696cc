//! Organizations, members and invitations on the wire.

use uuid::Uuid;
use workscribe_core::clock::Timestamp;
use workscribe_core::tenancy::{self, NewOrganization};

use crate::dto::{answers, inputs, lists};
use crate::field::{Nullable, Patch, Required};
use crate::time::Time;
use crate::wire::{Email, OrgSlug, PersonName, PictureUrl, Title, named};

named! {
    /// What a member is in an organization.
    Role = tenancy::Role;

    /// Where an invitation stands.
    InvitationStatus = tenancy::InvitationStatus;
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
}

answers! {
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
}

lists! {
    /// A page of one's organizations, the oldest first.
    OrganizationList {
        /// The organizations.
        organizations: OwnOrganization
    }
}

answers! {
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

answers! {
    /// An invitation into an organization. Its token is in the mail only.
    Invitation of (invitation, now): (&tenancy::Invitation, Timestamp) {
        /// Its id.
        id: Uuid = invitation.id,
        /// The invited address.
        email: Email = &invitation.email,
        /// As what: admin or member.
        role: Role = invitation.role,
        /// Where it stands.
        status: InvitationStatus = invitation.status(now),
        /// Whether the address refused the last mail. In the list alone.
        #[oai(skip_serializing_if_is_none)]
        #[serde(skip_serializing_if = "Option::is_none")]
        email_bouncing: Option<bool> = None::<bool>,
        /// The user who invites.
        invited_by: Uuid = invitation.invited_by,
        /// When it ends.
        expires_at: Time = invitation.expires_at,
        /// When it was made.
        created_at: Time = invitation.created_at,
    }
}

impl From<(&tenancy::ListedInvitation, Timestamp)> for Invitation {
    fn from((row, now): (&tenancy::ListedInvitation, Timestamp)) -> Self {
        Self { email_bouncing: Some(row.email_bouncing), ..(&row.invitation, now).into() }
    }
}

lists! {
    /// A page of invitations, the newest first.
    InvitationList {
        /// The invitations.
        invitations: Invitation
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

    /// Whom to invite.
    InviteRequest {
        /// Their address.
        #[oai(validator(max_length = 254))]
        email: Required<Email>,
        /// As what: admin or member.
        role: Required<Role>,
    } => tenancy::NewInvitation = tenancy::NewInvitation { email, role };

    /// A new role.
    UpdateMemberRequest {
        /// The role. Left out, it stays as it is.
        role: Patch<Role>,
    } => Option<tenancy::Role> = role;
}
