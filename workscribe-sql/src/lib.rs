//! WorkScribe on Postgres and SQLite, over sqlx.
//!
//! # Map
//!
//! | path | what |
//! |---|---|
//! | [`connect`], [`Database`], [`Options`] | a database chosen by its URL |
//! | `stores/` | every statement, written once: a file for each area, and `unit/`, the unit of work |
//! | `stores/work/task_list.rs` | the one exception: lists of tasks, made of the conditions that are set |
//! | `stores/unit/lane.rs` | connections that reads pass on, past the pool |
//! | `stores/unit/batch.rs`, `stores/unit/reads.rs` | reads of many requests that go together |
//! | `stores/unit/pending.rs` | writes that wait for the next one, or the commit |
//! | `stores/tenancy/slugs.rs` | which organization a slug names |
//! | `stores/truth.rs` | whether stored counts are right |
//! | `stores/table.rs`, `stores/tables.rs` | rows that are read and written whole: one list of columns a table |
//! | `stores/columns.rs` | the columns of other tables that are read in more than one place |
//! | `stores/schema.rs` | which migrations are missing, and readiness |
//! | `postgres/mod.rs`, `sqlite/mod.rs` | the storages: pools, limits, how to migrate |
//! | `postgres/dialect.rs`, `sqlite/dialect.rs` | all that differs between the two, under the same names |
//! | `postgres/opening.rs`, [`Pooler`] | how units begin on the server, and through a pooler |
//! | `error.rs` | from sqlx's errors to [`StoreError`] |
//!
//! `stores/` is compiled once for each database: `postgres/mod.rs` and `sqlite/mod.rs` include it with `#[path]`, and it finds
//! `Db`, `Conn`, `Ts` and the macros of its dialect in the module around it. Both databases take `$1`, `RETURNING` and
//! `ON CONFLICT`.
//!
//! # How to add a statement
//!
//! 1. Write it in the store's file, as one literal or with `concat!` from literals and macros: sqlx takes only texts that are
//!    known when the program is built, which keeps values out of them. Give it to `self.execute`, `self.one`, `self.optional`
//!    or `self.all` with a name (`"ws_users: find"`), which the log shows when it fails.
//! 2. Bind times as `Ts(time)`, ids as `id.as_uuid()`, digests as `&hash.0[..]`, JSON as `Json(&value)`, lists as a JSON array
//!    read by `texts_of!`, `in_ids!` or `rows_of!`.
//! 3. If it cannot be said alike for both databases, name the difference in both dialects.
//! 4. Say its path, so that its plan depends on no statistics: `one_of!` and `users_by_id!` of the dialects, an `org_id` for every
//!    table of a tenant. What nobody reads before the commit goes to `self.write_later`.
//! 5. Write a conformance case in the testkit, and call the method in `tests/statements`, which runs every statement on
//!    both databases and looks at its plan, and at which parts of a distributed database it would touch. To read and to try them
//!    whole: `./test --test statements -- --nocapture print_statements`.
//!
//! # How to add a store
//!
//! 1. The trait and its accessor in the core; a migration for each database.
//! 2. For a table whose rows are read and written whole, a line in `stores/tables.rs`; `work/labels.rs` shows what is left to write. For
//!    another one a row struct (`FromRow`) and its conversion into the model; a value that cannot be read is [`StoreError::Corrupt`].
//!    Then a file in `stores/` with the trait for `Unit`. Names such as `find` may be those of other stores.
//! 3. The accessor in `stores/unit/mod.rs`, and its unique rules that people can break in [`UNIQUE_RULES`].

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
use workscribe_core::{Storage, StoreError};

pub use error::{UNIQUE_RULES, UniqueRule};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStorage;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStorage;

/// How to use a database. The defaults suit one server process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Connections to Postgres at the most; 32.
    pub max_connections: u32,
    /// Connections that read from SQLite at the most; 4.
    pub readers: u32,
    /// How long a request waits for a connection; 3 s.
    pub acquire_timeout: Duration,
    /// How long a statement may take on Postgres, or wait for a lock on SQLite; 5 s.
    pub statement_timeout: Duration,
    /// What the URL of Postgres leads to; the server itself.
    pub pooler: Pooler,
}

/// What connections to Postgres lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// The server, or a pooler that keeps a session for every client.
    #[default]
    None,
    /// A pooler that gives a session for one transaction at a time, such as PgBouncer with `pool_mode = transaction`. Then
    /// every statement is in a transaction, none is kept prepared, nothing is set for longer than a transaction, and nothing
    /// is heard of new work, so that workers poll. Statements take a round trip more.
    ///
    /// PgBouncer needs no other setting than its mode. The URL must have no `options`: set a `search_path` for the role. An
    /// embedder's own statements in a unit want `persistent(false)`.
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

/// A database, whichever it is, with what a host does to it besides serving.
#[async_trait]
pub trait Database: Send + Sync + 'static {
    /// The storage for the core.
    fn storage(&self) -> Arc<dyn Storage>;

    /// What wakes the workers of every process on this database, if it can: on Postgres without a pooler
    /// [`PostgresWakeup`](postgres::PostgresWakeup). Needs a Tokio runtime; one for a process is enough.
    fn wakeup(&self) -> Option<Arc<dyn Wakeup>>;

    /// Applies the migrations that are missing; safe when several processes do it at once.
    ///
    /// # Errors
    /// When the database refuses, or an applied migration was edited since.
    async fn migrate(&self) -> Result<(), StoreError>;

    /// The migrations that are missing, as `0001 foundation`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError>;

    /// What is stored of other rows and differs from them, in words; empty when all is right. Reads whole tables, without a limit
    /// of time.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn differences(&self) -> Result<Vec<String>, StoreError>;

    /// Waits for the connections that are in use, and closes all.
    async fn close(&self);
}

/// Connects to the database of a URL: `sqlite:…`, `postgres:…` or `postgresql:…`.
///
/// # Errors
/// [`StoreError::Unavailable`] when it does not answer; [`StoreError::Backend`] for a URL that cannot be used, or for a database
/// whose feature was not built in.
pub async fn connect(url: &str, options: &Options) -> Result<Arc<dyn Database>, StoreError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => Ok(Arc::new(SqliteStorage::connect(url, options).await?)),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStorage::connect(url, options).await?)),
        // The URL is not quoted: it may hold a password.
        _ => Err(error::misuse(
            "connect",
            "the URL does not begin with the name of a database that is built in",
        )),
    }
}
