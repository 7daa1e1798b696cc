//! Why a storage could not do what it was asked: [`StoreError`], and the rules of the schema by name: [`Constraint`].

use std::error::Error as StdError;

/// The rules that people can break, one alone or two at once, told apart by name and not by a driver's text. What only a fault of the
/// program can break, such as the key of a row whose id the program makes, is none of them: it is a [`StoreError::Backend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// A user's id, which an import may bring along. From elsewhere it is a fault.
    UserId,
    /// A user's e-mail address.
    UserEmail,
    /// An organization's id, which an import may bring along. From elsewhere it is a fault.
    OrganizationId,
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
    /// The claim of an idempotency key is there, and not answered yet.
    IdempotencyClaim,
}

/// Why a storage could not do it. The sources name the statement, and the table and the rule as far as the database tells them, for the
/// log; never the values of a row, since those may be secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A rule is broken that people can break.
    #[error("the {constraint:?} rule is broken")]
    Conflict {
        /// Which rule.
        constraint: Constraint,
        /// Which statement has found it broken, and how.
        source: Box<dyn StdError + Send + Sync>,
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
    /// Anything else that the database says: a fault of the program, or of the database.
    #[error("the storage refused the statement")]
    Backend(#[source] Box<dyn StdError + Send + Sync>),
}

impl StoreError {
    /// A broken rule, with the statement that has found it or the database's error.
    pub fn conflict(constraint: Constraint, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Conflict { constraint, source: source.into() }
    }
}
