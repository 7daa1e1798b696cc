use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workscribe_core::clock::Timestamp;
use workscribe_core::tenancy;

use crate::time::Time;
use crate::wire::wire_names;

wire_names! {
    /// What a member is in an organization.
    Role = tenancy::Role {
        /// May do everything; at least one always remains.
        Owner = "owner",
        /// Manages projects, invitations and members.
        Admin = "admin",
        /// Works in it.
        Member = "member",
    }
}

/// An organization: a tenant.
#[derive(Object, Serialize)]
pub struct Organization {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its name in URLs.
    pub slug: String,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl From<tenancy::Organization> for Organization {
    fn from(org: tenancy::Organization) -> Self {
        Self {
            id: org.id.into(),
            name: org.name,
            slug: org.slug.to_string(),
            created_at: org.created_at.into(),
            updated_at: org.updated_at.into(),
        }
    }
}

/// An organization, and what one is in it.
#[derive(Object, Serialize)]
pub struct OwnOrganization {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its name in URLs.
    pub slug: String,
    /// What one is in it.
    pub role: Role,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl From<(tenancy::Organization, tenancy::Role)> for OwnOrganization {
    fn from((org, role): (tenancy::Organization, tenancy::Role)) -> Self {
        let Organization { id, name, slug, created_at, updated_at } = org.into();
        Self { id, name, slug, role: role.into(), created_at, updated_at }
    }
}

/// A page of one's organizations, the oldest first.
#[derive(Object, Serialize)]
pub struct OrganizationList {
    /// The organizations.
    pub organizations: Vec<OwnOrganization>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// An organization in short.
#[derive(Object, Serialize)]
pub struct OrganizationName {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its name in URLs.
    pub slug: String,
}

/// A user in an organization.
#[derive(Object, Serialize)]
pub struct Member {
    /// The user's id.
    pub user_id: Uuid,
    /// Their address.
    pub email: String,
    /// Their name.
    pub display_name: String,
    /// Where their picture is.
    pub avatar_url: Option<String>,
    /// What they are.
    pub role: Role,
    /// Since when.
    pub joined_at: Time,
}

impl From<tenancy::Member> for Member {
    fn from(member: tenancy::Member) -> Self {
        Self {
            user_id: member.user_id.into(),
            email: member.email.to_string(),
            display_name: member.display_name,
            avatar_url: member.avatar_url,
            role: member.role.into(),
            joined_at: member.joined_at.into(),
        }
    }
}

/// A page of members, by time of joining.
#[derive(Object, Serialize)]
pub struct MemberList {
    /// The members.
    pub members: Vec<Member>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// Where an invitation stands.
#[derive(Enum, Serialize, Clone, Copy)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum InvitationStatus {
    /// It can be accepted.
    Pending,
    /// It was accepted.
    Accepted,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl From<tenancy::InvitationStatus> for InvitationStatus {
    fn from(status: tenancy::InvitationStatus) -> Self {
        match status {
            tenancy::InvitationStatus::Pending => Self::Pending,
            tenancy::InvitationStatus::Accepted => Self::Accepted,
            tenancy::InvitationStatus::Expired => Self::Expired,
            tenancy::InvitationStatus::Revoked => Self::Revoked,
        }
    }
}

/// An invitation into an organization. Its token is in the mail only.
#[derive(Object, Serialize)]
pub struct Invitation {
    /// Its id.
    pub id: Uuid,
    /// The invited address.
    pub email: String,
    /// As what: admin or member.
    pub role: Role,
    /// Where it stands.
    pub status: InvitationStatus,
    /// Whether the address refused the last mail. In the list alone.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_bouncing: Option<bool>,
    /// The user who invites.
    pub invited_by: Uuid,
    /// When it ends.
    pub expires_at: Time,
    /// When it was made.
    pub created_at: Time,
}

impl Invitation {
    pub(super) fn at(invitation: &tenancy::Invitation, now: Timestamp) -> Self {
        Self {
            id: invitation.id.into(),
            email: invitation.email.to_string(),
            role: invitation.role.into(),
            status: invitation.status(now).into(),
            email_bouncing: None,
            invited_by: invitation.invited_by.into(),
            expires_at: invitation.expires_at.into(),
            created_at: invitation.created_at.into(),
        }
    }

    pub(super) fn listed(row: &tenancy::ListedInvitation, now: Timestamp) -> Self {
        Self { email_bouncing: Some(row.email_bouncing), ..Self::at(&row.invitation, now) }
    }
}

/// A page of invitations, the newest first.
#[derive(Object, Serialize)]
pub struct InvitationList {
    /// The invitations.
    pub invitations: Vec<Invitation>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// A new organization.
#[derive(Object, Deserialize)]
pub struct CreateOrganizationRequest {
    /// 2–100 characters.
    #[oai(validator(min_length = 2, max_length = 100))]
    pub name: String,
    /// 3–30 lower-case letters and digits, with single hyphens between them; some words are reserved.
    #[oai(validator(min_length = 3, max_length = 30, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub slug: String,
}

/// A change of an organization. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateOrganizationRequest {
    /// 2–100 characters.
    #[serde(default)]
    #[oai(validator(min_length = 2, max_length = 100))]
    pub name: MaybeUndefined<String>,
    /// As for a new organization.
    #[serde(default)]
    #[oai(validator(min_length = 3, max_length = 30, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub slug: MaybeUndefined<String>,
}

/// Whom to invite.
#[derive(Object, Deserialize)]
pub struct InviteRequest {
    /// Their address.
    #[oai(validator(max_length = 254))]
    pub email: String,
    /// As what: admin or member.
    pub role: Role,
}

/// A new role.
#[derive(Object, Deserialize)]
pub struct UpdateMemberRequest {
    /// The role. Left out, it stays as it is.
    #[serde(default)]
    pub role: MaybeUndefined<Role>,
}
