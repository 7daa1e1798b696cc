//! The schema of WorkScribe, as migrations embedded in the binary: one directory per database, with the same numbers.
//!
//! Every table has the prefix `ws_`, and applied migrations are recorded in [`TABLE`], so that an embedder's own schema and
//! migrations can be in the same database. `README.md` says how to change the schema safely.
//!
//! Most callers want `migrate()` of `workscribe-sql`, which also takes the right lock for each database.

use std::sync::LazyLock;

use sqlx::migrate::Migrator;

/// The table that records applied migrations.
pub const TABLE: &str = "_workscribe_migrations";

/// The migrations for Postgres.
#[cfg(feature = "postgres")]
pub static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| ours(sqlx::migrate!("./postgres")));

/// The migrations for SQLite.
#[cfg(feature = "sqlite")]
pub static SQLITE: LazyLock<Migrator> = LazyLock::new(|| ours(sqlx::migrate!("./sqlite")));

#[cfg(any(feature = "postgres", feature = "sqlite"))]
fn ours(mut migrator: Migrator) -> Migrator {
    migrator.dangerous_set_table_name(TABLE);
    // A node of the previous release may start again on a newer schema; see `README.md`.
    migrator.set_ignore_missing(true);
    migrator
}

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod tests {
    use super::{POSTGRES, SQLITE};

    #[test]
    fn both_databases_have_the_same_numbers_and_names_without_gaps() {
        let names = |migrator: &sqlx::migrate::Migrator| {
            migrator.iter().map(|m| (m.version, m.description.to_string())).collect::<Vec<_>>()
        };
        let postgres = names(&POSTGRES);
        assert_eq!(postgres, names(&SQLITE));
        assert!(postgres.iter().zip(1..).all(|((version, _), expected)| *version == expected));
    }
}
