//! WorkScribe on Postgres and SQLite, with sqlx.
//!
//! # Map
//!
//! | path | what |
//! |---|---|
//! | [`connect`], [`Database`], [`Options`] | connecting to the database of a URL |
//! | `stores/` | every statement, written once: a file for each area, and `unit/`, the unit of work |
//! | `stores/work/task_list.rs` | the one exception: lists of tasks, built from the conditions that are set |
//! | `stores/unit/lane.rs` | connections that one read hands to the next, without the pool |
//! | `stores/unit/batch/`, `stores/unit/reads.rs` | reads of many requests in one statement |
//! | `stores/unit/pending.rs` | writes that wait for the next write or the commit |
//! | `stores/tenancy/slugs.rs` | finding the organization of a slug |
//! | `stores/truth.rs` | checking whether stored counts are right |
//! | `stores/table.rs`, `stores/tables.rs` | rows that are read and written whole: one list of columns per table |
//! | `stores/columns.rs` | the columns of other tables that are read in more than one place |
//! | `stores/schema.rs` | missing migrations, and readiness |
//! | `postgres/mod.rs`, `sqlite/mod.rs` | the storages: pools, limits, migrating |
//! | `postgres/dialect/`, `sqlite/dialect/` | everything that differs between the two, under the same names |
//! | `postgres/opening.rs`, [`Pooler`] | how units begin on the server, and through a pooler |
//! | `error.rs` | converting sqlx's errors to [`workscribe_core::StoreError`] |
//!
//! `stores/` is compiled once for each database: `postgres/mod.rs` and `sqlite/mod.rs` include it with `#[path]`, and it uses
//! `Db`, `Conn`, `Ts` and the macros of the dialect from the module around it. Both databases accept `$1`, `RETURNING` and
//! `ON CONFLICT`.
//!
//! # How to add a statement
//!
//! 1. Write it in the store's file, as one literal or with `concat!` from literals and macros. sqlx accepts only texts that are
//!    known at compile time, so no value can become part of a statement. Run it with `self.execute`, `self.one`, `self.optional`
//!    or `self.all` under a name (`"ws_users: find"`), which the log shows when it fails.
//! 2. Bind all its values by one `bind_all`, in the order of `$1`, `$2`, …: ids, times and scopes as they are, hashes as
//!    `&hash.0[..]`, JSON as `Json(&value)`, and lists as a JSON array that `texts_of!`, `in_ids!` or `rows_of!` reads.
//! 3. If no one text works on both databases, give the difference one name in both dialects.
//! 4. Write its access path into it, so its plan needs no statistics: `one_of!` and `users_by_id!` of the dialects, and an `org_id`
//!    for every table of a tenant. A write that nobody reads before the commit goes to `self.write_later`.
//! 5. Write a conformance case in the testkit. `tests/statements` runs all cases on both databases, and checks the plan of each
//!    statement that they ran, and which parts of a distributed database it would touch. To read and try the whole statements:
//!    `./test --test statements -- --nocapture print_statements`.
//!
//! # How to add a store
//!
//! 1. Write the trait in the core, its line in `catalog.rs`, and a migration for each database.
//! 2. For a table whose rows are read and written whole, write a `table!`; `work/relations.rs` shows the rest. For
//!    another table, write a row struct (`FromRow`) and its conversion into the model; a value that cannot be read is
//!    [`workscribe_core::StoreError::Corrupt`]. Then implement the trait for `Unit` in a file of `stores/`. Stores may use the same method names.
//! 3. Add the unique rules that users can break to [`UNIQUE_RULES`].

#![cfg_attr(
    all(feature = "postgres", feature = "sqlite"),
    expect(clippy::duplicate_mod, reason = "the statements are written once and compiled for each database")
)]

mod error;

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use workscribe_core::ports::Wakeup;
use workscribe_core::{Storage, StoreResult};

pub use error::{UNIQUE_RULES, UniqueRule};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStorage;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStorage;

/// How to use a database. The defaults suit one server process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The maximum number of connections to Postgres; 32.
    pub max_connections: u32,
    /// The maximum number of connections that read from SQLite; 4.
    pub readers: u32,
    /// How long a request waits for a connection; 3 s.
    pub acquire_timeout: Duration,
    /// How long a statement may take on Postgres, or wait for a lock on SQLite; 5 s.
    pub statement_timeout: Duration,
    /// What the URL of Postgres points to; by default the server itself.
    pub pooler: Pooler,
}

/// What the connections to Postgres lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// The server, or a pooler that keeps one session for each client.
    #[default]
    None,
    /// A pooler that assigns a session to one transaction at a time, such as PgBouncer with `pool_mode = transaction`. Then every
    /// statement runs in a transaction, no statement stays prepared, every setting lasts for one transaction, and no
    /// notification of new work arrives, so workers poll. A statement takes one more round trip.
    ///
    /// PgBouncer needs no setting but its mode. The URL must have no `options`: set a `search_path` for the role. An embedder's
    /// own statements in a unit need `persistent(false)`.
    Transaction,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 32,
            readers: 4,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            pooler: Pooler::None,
        }
    }
}

/// A database of either kind, with the operations that a host needs besides serving.
#[async_trait]
pub trait Database: Send + Sync + 'static {
    /// The storage for the core.
    fn storage(&self) -> Arc<dyn Storage>;

    /// The wake-up for the workers of every process on this database, if the database supports it: on Postgres without a pooler
    /// [`PostgresWakeup`](postgres::PostgresWakeup). It needs a Tokio runtime; one per process is enough.
    fn wakeup(&self) -> Option<Arc<dyn Wakeup>>;

    /// Applies the missing migrations. Several processes may do it at the same time.
    ///
    /// # Errors
    /// When the database refuses, or when an applied migration was edited later.
    async fn migrate(&self) -> StoreResult<()>;

    /// The missing migrations, as `0001 foundation`.
    ///
    /// # Errors
    /// [`workscribe_core::StoreError::Unavailable`] when the database does not answer.
    async fn pending_migrations(&self) -> StoreResult<Vec<String>>;

    /// Describes the stored values that are derived from other rows and differ from them; empty when all are right. It reads
    /// whole tables, without a time limit.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn differences(&self) -> StoreResult<Vec<String>>;

    /// Waits for the connections that are in use, and closes all connections.
    async fn close(&self);
}

/// Connects to the database of a URL: `sqlite:…`, `postgres:…` or `postgresql:…`.
///
/// # Errors
/// [`workscribe_core::StoreError::Unavailable`] when it does not answer; [`workscribe_core::StoreError::Backend`] when the URL is invalid, or when the feature of
/// its database was not compiled in.
pub async fn connect(url: &str, options: &Options) -> StoreResult<Arc<dyn Database>> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => Ok(Arc::new(SqliteStorage::connect(url, options).await?)),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStorage::connect(url, options).await?)),
        // The message does not quote the URL, which may contain a password.
        _ => Err(error::misuse(
            "connect",
            "the URL does not begin with the name of a database that is built in",
        )),
    }
}
