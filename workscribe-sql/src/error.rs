//! Converts sqlx's errors to [`StoreError`], without the values of rows, which may be secrets.

use std::error::Error as StdError;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use workscribe_core::{Constraint, StoreError};

/// A unique rule that users can break, and how the databases name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniqueRule {
    /// Its name in the core.
    pub constraint: Constraint,
    /// The table.
    pub table: &'static str,
    /// The rule's name, which Postgres reports.
    pub name: &'static str,
    /// Its columns, which SQLite reports.
    pub columns: &'static [&'static str],
}

const fn rule(
    constraint: Constraint,
    table: &'static str,
    name: &'static str,
    columns: &'static [&'static str],
) -> UniqueRule {
    UniqueRule { constraint, table, name, columns }
}

/// The unique rules that users can break. Only a fault of the program breaks another rule; `tests/schema.rs` lists each of those
/// with the reason.
pub const UNIQUE_RULES: [UniqueRule; 8] = [
    rule(Constraint::UserId, "ws_users", "ws_users_pkey", &["id"]),
    rule(Constraint::UserEmail, "ws_users", "ws_users_email_key", &["email"]),
    rule(Constraint::OrganizationId, "ws_organizations", "ws_organizations_pkey", &["id"]),
    rule(Constraint::OrganizationSlug, "ws_organizations", "ws_organizations_slug_key", &["slug"]),
    rule(Constraint::Membership, "ws_members", "ws_members_pkey", &["org_id", "user_id"]),
    rule(Constraint::ProjectKey, "ws_projects", "ws_projects_key_key", &["org_id", "key"]),
    rule(
        Constraint::StatusName,
        "ws_statuses",
        "ws_statuses_name_key",
        &["org_id", "project_id", "name_key"],
    ),
    rule(Constraint::LabelName, "ws_labels", "ws_labels_name_key", &["org_id", "project_id", "name_key"]),
];

/// The meaning of a database's own error, which each dialect determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A broken rule that users can break.
    Conflict(Constraint),
    /// The database is unavailable or too busy, or it stopped the statement at its time limit.
    Unavailable,
    /// Anything else.
    Other,
}

/// How a dialect classifies its database's errors.
pub(crate) type Classify = fn(&dyn DatabaseError) -> Meaning;

/// The source of a [`StoreError`]: which statement failed, and how.
///
/// Only the message and the code of a database's error are kept, because its details quote the row.
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
            sqlx::Error::Database(error) => (problem_of(error.as_ref()), None),
            other => (kind_of(&other).to_owned(), Some(other.into())),
        };
        Box::new(Self { statement, problem, source })
    }
}

/// A database's message, with the table and the rule. SQLite names them in the message: `UNIQUE constraint failed: ws_users.email`.
fn problem_of(error: &dyn DatabaseError) -> String {
    let said = error.message().split_once(" constraint failed: ").map(|(_, rule)| rule);
    let constraint = error.constraint().or(said);
    let table = error.table().or_else(|| said?.split_once('.').map(|(table, _)| table));
    let mut problem = format!("{} (code {}", error.message(), error.code().unwrap_or_default());
    for (what, name) in [("table", table), ("constraint", constraint)] {
        if let Some(name) = name {
            problem.push_str(&format!(", {what} {name}"));
        }
    }
    problem + ")"
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
        Meaning::Conflict(constraint) => StoreError::conflict(constraint, Failed::boxed(statement, error)),
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

/// A fault in the program that uses this crate, or in its settings.
pub(crate) fn misuse(statement: &'static str, problem: impl Into<String>) -> StoreError {
    StoreError::Backend(Box::new(Failed { statement, problem: problem.into(), source: None }))
}

pub(crate) fn corrupt(table: &'static str, problem: impl Into<String>) -> StoreError {
    StoreError::Corrupt { table, problem: problem.into() }
}
