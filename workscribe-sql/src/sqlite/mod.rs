//! WorkScribe on SQLite, for one machine.
//!
//! [`SqliteStorage`] has one connection that writes and a few that read (WAL mode: readers and the writer do not wait for
//! each other). [`Unit`] is one transaction; an embedder's hook gets it with `Unit::of`, to write its own rows in it.

#[macro_use]
mod dialect;
#[path = "../stores/mod.rs"]
mod stores;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, SqlStr, query};
use workscribe_core::ports::Wakeup;
use workscribe_core::{NotReady, Storage, StoreError, StoreResult, UnitOfWork};
use workscribe_migrations::SQLITE as MIGRATIONS;

use crate::error::{migrate_error, store_error};
use crate::{Database, Options};

use stores::Source;
pub use stores::Unit;
use stores::schema::{Kind, Readiness};
use stores::unit::reads::Reads;

/// A SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStorage {
    writer: Source,
    readers: Source,
    reads: Arc<Reads>,
    readiness: Arc<Readiness>,
}

impl SqliteStorage {
    /// Opens the file of a URL such as `sqlite://workscribe.db`, and creates it if it is missing. `sqlite::memory:` is a database
    /// that exists as long as the storage, with one connection for everything.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened or another process keeps it locked.
    pub async fn connect(url: &str, options: &Options) -> StoreResult<Self> {
        let given = SqliteConnectOptions::from_str(url).map_err(refused)?;
        let connect = given
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(options.statement_timeout)
            // Above the number of statements in `stores/`, so that none is prepared twice on a connection.
            .statement_cache_capacity(256)
            // 2 MB per connection; the cache of the operating system does the rest.
            .pragma("cache_size", "-2000");
        let write = connect
            .clone()
            // Up to 32 MB for the writer. Changes of a transaction that exceed it go to the log before the commit and are read back
            // from it, and each such read costs more the longer the log is.
            .pragma("cache_size", "-32000")
            .journal_mode(SqliteJournalMode::Wal)
            // With NORMAL, a power failure can lose acknowledged commits: in WAL mode only FULL syncs the log at every commit
            // (https://www.sqlite.org/pragma.html#pragma_synchronous).
            .synchronous(SqliteSynchronous::Full)
            // After many writes the log shrinks to this size.
            .pragma("journal_size_limit", "16777216");
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(options.acquire_timeout)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        // One writer: statements that wait for it queue in the pool, in order, instead of polling the file's lock. It stays open,
        // because a database in memory ends with its last connection.
        let one = pool().max_connections(1).min_connections(1).idle_timeout(None);
        let limit = Some(options.statement_timeout);
        let mut patience = Patience::new();
        let writer = loop {
            let outcome = one.clone().connect_with(write.clone()).await;
            if let Some(outcome) = patience.judge(outcome).await {
                break outcome?;
            }
        };
        if is_in_memory(url) {
            let writer = Source::new(writer, 0, limit);
            return Ok(Self::on(writer.clone(), writer));
        }
        // After the writer, which has created the file.
        let readers = pool().max_connections(options.readers.max(1)).connect_lazy_with(
            // SQLite refuses a write that reaches a reader by mistake.
            connect.pragma("query_only", "ON"),
        );
        let (writer, readers) =
            (Source::new(writer, 0, limit), Source::new(readers, options.readers / 2, limit));
        Ok(Self::on(writer, readers))
    }

    /// Uses an embedder's pool for writes and reads, as it is configured. It should have foreign keys and a busy timeout enabled,
    /// which are sqlx's defaults, and be in WAL mode unless it has only one connection.
    #[must_use]
    pub fn from_pool(pool: SqlitePool) -> Self {
        let source = Source::new(pool, 0, None);
        Self::on(source.clone(), source)
    }

    fn on(writer: Source, readers: Source) -> Self {
        let reads = Reads::new(&readers, None, true);
        let (reading, writing) = (readers.clone(), writer.clone());
        let readiness = Readiness::new(&MIGRATIONS, move |kind| match kind {
            Kind::Reads => Unit::waiting(&reading, None, None),
            Kind::Writes => Unit::waiting(&writing, None, Some(SqlStr::from_static(dialect::BEGIN))),
        });
        Self { writer, readers, reads, readiness }
    }

    /// The connections that read.
    #[must_use]
    pub const fn pool(&self) -> &SqlitePool {
        &self.readers.pool
    }

    /// The connection that writes.
    #[must_use]
    pub const fn writer(&self) -> &SqlitePool {
        &self.writer.pool
    }

    /// Applies the missing migrations, all in one transaction that holds the write lock. Many processes may call it at once: one
    /// migrates, the others wait.
    ///
    /// # Errors
    /// When the database refuses, or when an applied migration was edited later.
    pub async fn migrate(&self) -> StoreResult<()> {
        let mut patience = Patience::new();
        let mut transaction = loop {
            let outcome = self.writer.pool.begin_with(dialect::BEGIN).await;
            if let Some(outcome) = patience.judge(outcome).await {
                break outcome?;
            }
        };
        MIGRATIONS
            .run_direct(None, &mut *transaction, false)
            .await
            .map_err(|error| migrate_error(error, dialect::classify))?;
        stores::identity::addresses::bring_into_one_form(&mut transaction).await?;
        transaction.commit().await.map_err(refused)?;
        // No statistics: with those of small tables SQLite plans to read a whole table instead of looking rows up, also after the table
        // has grown. An earlier version stored some. They only slow SQLite down, so it is no problem if a lock prevents the removal.
        for table in ["sqlite_stat1", "sqlite_stat4"] {
            let drop = AssertSqlSafe(format!("DROP TABLE IF EXISTS {table}"));
            if let Err(error) = query(drop).execute(&self.writer.pool).await {
                tracing::debug!(%error, "the planner's statistics were not removed");
            }
        }
        Ok(())
    }

    /// The missing migrations, as `0001 foundation`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file is locked.
    pub async fn pending_migrations(&self) -> StoreResult<Vec<String>> {
        stores::schema::pending(self.reader().connection().await?, &MIGRATIONS).await
    }

    fn reader(&self) -> Unit {
        Unit::waiting(&self.readers, None, None).reading_by(&self.reads)
    }
}

fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

/// The wait for a lock of another process. SQLite's own timeout covers neither the change to WAL mode nor a long migration.
struct Patience {
    tries: u32,
}

impl Patience {
    const fn new() -> Self {
        Self { tries: 100 }
    }

    /// Checks the outcome of an attempt: `None`, after a pause, when the caller should try again.
    async fn judge<T>(&mut self, outcome: Result<T, sqlx::Error>) -> Option<StoreResult<T>> {
        self.tries -= 1;
        match outcome {
            Err(error) if self.tries > 0 && is_locked(&error) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                None
            }
            outcome => Some(outcome.map_err(refused)),
        }
    }
}

/// Whether the error is `SQLITE_BUSY` or `SQLITE_LOCKED`, in any of their extended forms.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

fn refused(error: sqlx::Error) -> StoreError {
    store_error("connect", error, dialect::classify)
}

#[async_trait]
impl Storage for SqliteStorage {
    async fn begin(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        let begin = Some(SqlStr::from_static(dialect::BEGIN));
        Ok(Box::new(Unit::waiting(&self.writer, None, begin).reading_by(&self.reads)))
    }

    async fn read(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        Ok(Box::new(self.reader()))
    }

    async fn snapshot(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        let begin = Some(SqlStr::from_static(dialect::SNAPSHOT));
        Ok(Box::new(Unit::waiting(&self.readers, None, begin)))
    }

    async fn readiness(&self) -> Vec<NotReady> {
        self.readiness.ask().await
    }
}

#[async_trait]
impl Database for SqliteStorage {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    /// `None`: SQLite sends no notifications to other processes, so their workers poll.
    fn wakeup(&self) -> Option<Arc<dyn Wakeup>> {
        None
    }

    async fn migrate(&self) -> StoreResult<()> {
        Self::migrate(self).await
    }

    async fn pending_migrations(&self) -> StoreResult<Vec<String>> {
        Self::pending_migrations(self).await
    }

    async fn differences(&self) -> StoreResult<Vec<String>> {
        stores::truth::differences(self.reader().connection().await?).await
    }

    async fn close(&self) {
        // Readers first: the last connection that closes, the writer's, removes the log.
        self.readers.lane.close();
        self.readers.pool.close().await;
        self.writer.pool.close().await;
    }
}
