//! Why a storage failed: [`StoreError`], and the rules of the schema by name: [`Constraint`].

use std::error::Error as StdError;

/// The rules that the input of one user, or of two at once, can break. They are identified by name, not by a driver's text. A rule
/// that only a fault of the program can break, such as the uniqueness of its own ids, gives [`StoreError::Backend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// A user's id is unique. Only an import accepts ids from outside; anywhere else a conflict is a fault.
    UserId,
    /// A user's e-mail address is unique.
    UserEmail,
    /// An organization's id is unique. Only an import accepts ids from outside; anywhere else a conflict is a fault.
    OrganizationId,
    /// An organization's slug is unique.
    OrganizationSlug,
    /// A user has one membership in an organization.
    Membership,
    /// A project's key is unique in its organization.
    ProjectKey,
    /// A status's name is unique in its project.
    StatusName,
    /// A label's name is unique in its project.
    LabelName,
    /// A referenced row exists.
    Reference,
    /// The project of a new task exists, is not archived, and has task numbers left.
    OpenProject,
    /// There is room for another row.
    Room,
    /// The claim of an idempotency key exists and has no answer yet.
    IdempotencyClaim,
}

/// Why a storage failed. For the log, the sources name the statement, and the table and the rule as far as the database names them.
/// They never contain the values of a row, since those may be secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A rule that input can break was broken.
    #[error("the {constraint:?} rule is broken")]
    Conflict {
        /// The rule.
        constraint: Constraint,
        /// The statement that broke the rule, and how.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The row exists, in another version than the expected one.
    #[error("the row has another version than the one expected")]
    StaleVersion,
    /// The database cannot be reached, is too busy, or stopped the statement after its time limit.
    #[error("the storage does not answer")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// Too many units of this party wait already, or one has waited for too long. Other parties are not affected.
    #[error("too many wait for the same organization or person")]
    Crowded,
    /// A stored value cannot be read.
    #[error("a value in {table} cannot be read: {problem}")]
    Corrupt {
        /// The table of the value.
        table: &'static str,
        /// The column, and what is wrong with the value.
        problem: String,
    },
    /// Any other error from the database: a fault of the program or of the database.
    #[error("the storage refused the statement")]
    Backend(#[source] Box<dyn StdError + Send + Sync>),
}

/// The result of a call of a store.
pub type StoreResult<T> = Result<T, StoreError>;

impl StoreError {
    /// A broken rule, with the statement that broke it or the error of the database.
    pub fn conflict(constraint: Constraint, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Conflict { constraint, source: source.into() }
    }
}
