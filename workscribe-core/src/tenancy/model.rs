//! Organizations, members and invitations, and the rules for their fields.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{InvitationId, OrgId, UserId};
use crate::identity::{Email, TokenHash};

/// The role of a member in an organization. Roles are ordered: an owner is above an admin, and an admin is above a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Works on tasks.
    Member,
    /// Manages projects, invitations and members.
    Admin,
    /// May do everything. An organization always has at least one owner.
    Owner,
}

impl Role {
    /// All roles, from the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::Member, Self::Admin, Self::Owner];

    /// The name in the API and in the storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// The name of an organization in URLs: 3–30 characters of `[a-z0-9]+(-[a-z0-9]+)*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slug(String);

/// Words that a front end or this API uses in place of a slug, now or probably soon.
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
    /// Checks the slug of a new or renamed organization.
    ///
    /// # Errors
    /// `INVALID_SLUG` for another form, `RESERVED` for a reserved word.
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

    /// The slug of an organization that may exist; `None` when no organization can have this slug.
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

    /// Takes a stored slug without checks.
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
    /// Grows with every change. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of an organization. `None` leaves a field unchanged.
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
    /// The id of the user.
    pub user_id: UserId,
    /// Their address.
    pub email: Email,
    /// Their name.
    pub display_name: String,
    /// Their picture.
    pub avatar_url: Option<String>,
    /// Their role.
    pub role: Role,
    /// Grows with every change of the role. It is the `ETag`.
    pub version: i64,
    /// When they became a member.
    pub joined_at: Timestamp,
}

/// The status of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// It can be accepted, unless it has expired.
    Pending,
    /// It was accepted.
    Accepted,
    /// It has expired. This status is not stored: it follows from the time.
    Expired,
    /// It was revoked.
    Revoked,
}

impl InvitationStatus {
    /// All statuses.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Accepted, Self::Expired, Self::Revoked];

    /// The name in the API and in the storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// The status with this name.
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
    /// The organization.
    pub org_id: OrgId,
    /// The invited address.
    pub email: Email,
    /// The invited role: admin or member.
    pub role: Role,
    /// The stored status; see [`Invitation::status`].
    pub stored_status: InvitationStatus,
    /// The hash of the mailed token.
    pub token_hash: TokenHash,
    /// The inviter.
    pub invited_by: UserId,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Grows with every change. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Invitation {
    /// The status at a time.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> InvitationStatus {
        match self.stored_status {
            InvitationStatus::Pending if self.expires_at <= now => InvitationStatus::Expired,
            status => status,
        }
    }
}

/// An invitation in the admins' list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// Whether the invited address refused the last mail.
    pub email_bouncing: bool,
}

/// What the bearer of an invitation's token may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationPreview {
    /// The invitation.
    pub invitation: Invitation,
    /// The organization's name.
    pub org_name: String,
    /// The organization's slug.
    pub org_slug: Slug,
    /// The name of the inviter.
    pub inviter_name: String,
    /// The inviter's current role; `None` when they are not a member any more, or their account is disabled.
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
