//! From what sqlx says to a [`StoreError`], without the values of rows: those may be secrets.

use std::error::Error as StdError;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use workscribe_core::{Constraint, StoreError};

/// What a database's own error means. Each dialect tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A unique rule or a reference.
    Conflict(Constraint),
    /// It is down, too busy, or gave up on the statement's time.
    Unavailable,
    /// Anything else.
    Other,
}

/// How a dialect reads its database's errors.
pub(crate) type Classify = fn(&dyn DatabaseError) -> Meaning;

/// The source of a [`StoreError`]: which statement failed, and how.
///
/// A database's error is kept as its message and code alone, because its details quote the row.
#[derive(Debug, thiserror::Error)]
#[error("{statement}: {problem}")]
struct Failed {
    statement: &'static str,
    problem: String,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failed {
    fn boxed(statement: &'static str, error: sqlx::Error) -> Box<Self> {
        let (problem, source) = match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                (format!("{} (code {code})", error.message()), None)
            }
            other => (kind_of(&other).to_owned(), Some(other.into())),
        };
        Box::new(Self { statement, problem, source })
    }
}

fn kind_of(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => "no connection to be had",
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => "the connection broke",
        sqlx::Error::Configuration(_) => "the connection is not set up rightly",
        _ => "the driver reports an error",
    }
}

pub(crate) fn store_error(statement: &'static str, error: sqlx::Error, classify: Classify) -> StoreError {
    use sqlx::Error as E;
    let meaning = match &error {
        E::Database(database) => classify(database.as_ref()),
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
            Meaning::Unavailable
        }
        E::ColumnDecode { .. } | E::Decode(_) => {
            return StoreError::Corrupt { table: statement, problem: error.to_string() };
        }
        _ => Meaning::Other,
    };
    match meaning {
        Meaning::Conflict(constraint) => StoreError::Conflict { constraint },
        Meaning::Unavailable => StoreError::Unavailable(Failed::boxed(statement, error)),
        Meaning::Other => StoreError::Backend(Failed::boxed(statement, error)),
    }
}

pub(crate) fn migrate_error(error: MigrateError, classify: Classify) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            store_error("migrate", error, classify)
        }
        other => StoreError::Backend(Box::new(other)),
    }
}

/// An error of the program that uses this crate, or of its settings.
pub(crate) fn misuse(statement: &'static str, problem: impl Into<String>) -> StoreError {
    StoreError::Backend(Box::new(Failed { statement, problem: problem.into(), source: None }))
}

pub(crate) fn corrupt(table: &'static str, problem: impl Into<String>) -> StoreError {
    StoreError::Corrupt { table, problem: problem.into() }
}
