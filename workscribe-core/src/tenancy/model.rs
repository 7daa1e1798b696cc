//! Organizations, members and invitations, and the rules for their fields.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{InvitationId, OrgId, UserId};
use crate::identity::{Email, TokenHash};

/// What a member is in an organization. Ordered: an owner is more than an admin, who is more than a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Works in it.
    Member,
    /// Manages projects, invitations and members.
    Admin,
    /// May do everything; at least one always remains.
    Owner,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Member, Self::Admin, Self::Owner];

    /// The name in the contract and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// The name of an organization in URLs: 3–30 characters of `[a-z0-9]+(-[a-z0-9]+)*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slug(String);

/// Words that a front end or this API uses in the place of a slug, now or likely soon.
const RESERVED: &[&str] = &[
    "about",
    "account",
    "admin",
    "api",
    "app",
    "assets",
    "auth",
    "billing",
    "blog",
    "dashboard",
    "docs",
    "health",
    "help",
    "home",
    "invitations",
    "invite",
    "livez",
    "login",
    "logout",
    "new",
    "notifications",
    "organizations",
    "orgs",
    "pricing",
    "privacy",
    "public",
    "readyz",
    "register",
    "reset-password",
    "security",
    "settings",
    "signup",
    "static",
    "status",
    "support",
    "terms",
    "users",
    "verify-email",
    "well-known",
    "workscribe",
    "www",
];

impl Slug {
    /// Checks a slug for an organization that is to be made or renamed.
    ///
    /// # Errors
    /// `INVALID_SLUG` for another shape, `RESERVED` for a reserved word.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let slug = Self::existing(text).ok_or_else(|| {
            Fault::new(
                "INVALID_SLUG",
                "Use 3 to 30 lower-case letters and digits, with single hyphens between them.",
            )
        })?;
        if RESERVED.contains(&slug.as_str()) {
            return Err(Fault::new("RESERVED", "This slug is reserved. Choose another."));
        }
        Ok(slug)
    }

    /// The slug of an organization that may exist; `None` when none can have this name.
    #[must_use]
    pub fn existing(text: &str) -> Option<Self> {
        let part_is_fine = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        ((3..=30).contains(&text.len()) && text.split('-').all(part_is_fine)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a slug that a storage has kept, unchecked.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Its name: 2–100 characters.
    pub name: String,
    /// Its name in URLs.
    pub slug: Slug,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of an organization: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationChange {
    /// A new name.
    pub name: Option<String>,
    /// A new slug.
    pub slug: Option<Slug>,
}

/// A user in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Their address.
    pub email: Email,
    /// Their name.
    pub display_name: String,
    /// Their picture.
    pub avatar_url: Option<String>,
    /// What they are.
    pub role: Role,
    /// Grows with every change of the role; the `ETag`.
    pub version: i64,
    /// Since when.
    pub joined_at: Timestamp,
}

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// It can be accepted, unless its time is over.
    Pending,
    /// It was accepted.
    Accepted,
    /// Its time is over. Not stored: it follows from the time.
    Expired,
    /// It was taken back.
    Revoked,
}

impl InvitationStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Accepted, Self::Expired, Self::Revoked];

    /// The name in the contract and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// The status of a stored name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Accepted, Self::Revoked].into_iter().find(|status| status.as_str() == name)
    }
}

/// An invitation into an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Into which organization.
    pub org_id: OrgId,
    /// For which address.
    pub email: Email,
    /// As what: admin or member.
    pub role: Role,
    /// As stored; see [`Invitation::status`].
    pub stored_status: InvitationStatus,
    /// The hash of the mailed token.
    pub token_hash: TokenHash,
    /// From whom.
    pub invited_by: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Invitation {
    /// Where it stands at a time.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> InvitationStatus {
        match self.stored_status {
            InvitationStatus::Pending if self.expires_at <= now => InvitationStatus::Expired,
            status => status,
        }
    }
}

/// An invitation as admins see it in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// Whether the invited address refused the last mail.
    pub email_bouncing: bool,
}

/// What the bearer of an invitation's token may see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationPreview {
    /// The invitation.
    pub invitation: Invitation,
    /// The organization's name.
    pub org_name: String,
    /// The organization's slug.
    pub org_slug: Slug,
    /// The name of the person who invites.
    pub inviter_name: String,
    /// What they are in the organization now; `None` when they are no member any more, or their account is disabled.
    pub inviter_role: Option<Role>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_have_one_shape_and_reserved_words_are_refused() {
        for fine in ["abc", "a-1", "acme-works-2", &"a".repeat(30)] {
            assert!(Slug::parse(fine).is_ok(), "{fine}");
        }
        for bad in ["", "ab", "Acme", "a--b", "-ab", "ab-", "a_b", "a b", "äbc", "a\0b", &"a".repeat(31)] {
            assert_eq!(Slug::parse(bad).unwrap_err().code, "INVALID_SLUG", "{bad:?}");
        }
        assert_eq!(Slug::parse("api").unwrap_err().code, "RESERVED");
        assert!(Slug::existing("api").is_some(), "what became reserved later can still be found");
    }

    #[test]
    fn an_owner_is_more_than_an_admin_who_is_more_than_a_member() {
        assert!(Role::Owner > Role::Admin && Role::Admin > Role::Member);
        assert_eq!(Role::parse("admin"), Some(Role::Admin));
        assert_eq!(Role::parse("OWNER"), None);
    }
}
