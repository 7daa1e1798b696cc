//! Why a storage could not do what it was asked: [`StoreError`], and the rules of the schema by name: [`Constraint`].

use std::error::Error as StdError;

/// The unique rules of the schema, told apart by name and not by a driver's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// A primary key, or another rule that only a fault of the program can break.
    Other,
    /// A user's e-mail address.
    UserEmail,
    /// An organization's slug.
    OrganizationSlug,
    /// One membership for a user in an organization.
    Membership,
    /// A project's key in its organization.
    ProjectKey,
    /// A status's name in its project.
    StatusName,
    /// A label's name in its project.
    LabelName,
    /// A row that is referred to is not there.
    Reference,
    /// A new task is in a project that is there, not archived, and has numbers left: only such a project gives one.
    OpenProject,
    /// What a row is added to has room for it.
    Room,
}

/// Why a storage could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A unique rule is broken by another row.
    #[error("the {constraint:?} rule is broken by another row")]
    Conflict {
        /// Which rule.
        constraint: Constraint,
    },
    /// The row is there, in another version than the one expected.
    #[error("the row has another version than the one expected")]
    StaleVersion,
    /// The database cannot be reached, is too busy, or gave up on the statement's time.
    #[error("the storage does not answer")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// Too many wait already for whom this unit works, or they have waited for too long. Nobody else is held up by it.
    #[error("too many wait for the same organization or person")]
    Crowded,
    /// A stored value cannot be read back.
    #[error("a value in {table} cannot be read: {problem}")]
    Corrupt {
        /// The table it stands in.
        table: &'static str,
        /// Which column, and what is wrong with it.
        problem: String,
    },
    /// Anything else that the database says.
    #[error("the storage refused the statement")]
    Backend(#[source] Box<dyn StdError + Send + Sync>),
}
