//! WorkScribe on Postgres, 15 or newer.
//!
//! [`PostgresStorage`] is the storage. [`Unit`] is one transaction; an embedder's hook gets it with `Unit::of`, to write its own
//! rows in it.

#[macro_use]
mod dialect;
mod opening;
#[path = "../stores/mod.rs"]
mod stores;
mod wakeup;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, SqlStr, query, query_as};
use workscribe_core::ports::Wakeup;
use workscribe_core::{NotReady, Storage, StoreError, StoreResult, UnitOfWork};
use workscribe_migrations::POSTGRES as MIGRATIONS;

use crate::error::{migrate_error, misuse, store_error};
use crate::{Database, Options, Pooler};

use opening::{Opening, PLANS, limits};
use stores::Source;
pub use stores::Unit;
use stores::schema::{Kind, Readiness};
use stores::unit::gate::Gates;
use stores::unit::reads::Reads;
pub use wakeup::PostgresWakeup;

/// A connection that was idle for longer than this is tested before it is used. A connection in constant use is not worth a round
/// trip, and after a restart of the server the test finds the dead ones.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// A pool of connections to Postgres. Cheap to clone.
#[derive(Clone)]
pub struct PostgresStorage {
    source: Source,
    gates: Arc<Gates>,
    reads: Arc<Reads>,
    opening: Arc<Opening>,
    readiness: Arc<Readiness>,
}

impl PostgresStorage {
    /// Connects, and opens one connection at once, so that a wrong address fails here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server does not answer; [`StoreError::Backend`] for a URL it cannot use.
    pub async fn connect(url: &str, options: &Options) -> StoreResult<Self> {
        let connect = with_limits(PgConnectOptions::from_str(url).map_err(refused)?, options);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|conn, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED_IDLE {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(connect.clone())
            .await;
        let limit = Some(options.statement_timeout);
        match pool {
            Ok(pool) if options.pooler == Pooler::Transaction => {
                Ok(Self::on(Source::new(pool, 0, limit), Opening::pooled(Some(options))))
            }
            Ok(pool) => {
                Ok(Self::on(Source::new(pool, options.max_connections / 2, limit), Opening::direct()))
            }
            // The pool retries until its timeout and does not report the reason. One more attempt shows it.
            Err(sqlx::Error::PoolTimedOut) => {
                let trying = PgConnection::connect_with(&connect);
                let tried = tokio::time::timeout(options.acquire_timeout, trying).await;
                Err(refused(tried.ok().and_then(Result::err).unwrap_or(sqlx::Error::PoolTimedOut)))
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// Uses an embedder's pool as it is configured: with its size, its timeouts and its `search_path`. WorkScribe's own connections
    /// plan for tables that grow: `enable_seqscan`, `enable_hashjoin`, `enable_mergejoin` and `jit` are off, and `random_page_cost`
    /// is 1. Configure a pool in the same way if its database is empty at first.
    #[must_use]
    pub fn from_pool(pool: PgPool) -> Self {
        Self::on(Source::new(pool, 0, None), Opening::direct())
    }

    fn on(source: Source, opening: Opening) -> Self {
        let reads = Reads::new(&source, opening.read.clone(), opening.prepares);
        let (asked, opening) = (source.clone(), Arc::new(opening));
        let how = Arc::clone(&opening);
        let readiness = Readiness::new(&MIGRATIONS, move |kind| match kind {
            Kind::Reads => unit(&asked, &how, None, how.read.clone()),
            Kind::Writes => unit(&asked, &how, None, Some(how.write.clone())),
        });
        Self { source, gates: Arc::default(), reads, opening, readiness }
    }

    /// For an embedder's pool whose connections lead to a pooler: see [`Pooler::Transaction`]. The time limits are then those of
    /// the role, and the pool needs `extra_float_digits(None)`, which PgBouncer does not accept.
    #[must_use]
    pub fn behind_pooler(self) -> Self {
        Self { gates: self.gates, ..Self::on(self.source, Opening::pooled(None)) }
    }

    /// The pool.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.source.pool
    }

    /// Applies the missing migrations. Many nodes may call it at once: one migrates, the others wait.
    ///
    /// # Errors
    /// When the database refuses, or when an applied migration was edited later.
    pub async fn migrate(&self) -> StoreResult<()> {
        // Detached from the pool and closed at the end, because its settings and locks belong to the session.
        let mut conn = self.source.pool.acquire().await.map_err(refused)?.detach();
        let outcome = match self.opening.prepares {
            true => migrate(&mut conn).await,
            false => migrate_in_one(&mut conn).await,
        };
        if let Err(error) = conn.close().await {
            tracing::debug!(%error, "the connection of the migration was not closed in order");
        }
        outcome
    }

    /// The missing migrations, as `0001 foundation`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server does not answer.
    pub async fn pending_migrations(&self) -> StoreResult<Vec<String>> {
        stores::schema::pending(self.reader().connection().await?, &MIGRATIONS).await
    }

    fn reader(&self) -> Unit {
        self.unit(None, self.opening.read.clone()).reading_by(&self.reads)
    }

    fn unit(&self, gates: Option<&Arc<Gates>>, begin: Option<SqlStr>) -> Unit {
        unit(&self.source, &self.opening, gates, begin)
    }
}

fn unit(source: &Source, opening: &Opening, gates: Option<&Arc<Gates>>, begin: Option<SqlStr>) -> Unit {
    let unit = Unit::waiting(source, gates, begin);
    if opening.prepares { unit } else { unit.unprepared() }
}

/// Sets what every connection of our own pool needs, unless the URL sets it differently.
fn with_limits(connect: PgConnectOptions, options: &Options) -> PgConnectOptions {
    let connect = match options.pooler {
        // PgBouncer refuses a client that sends a parameter which it does not know.
        Pooler::Transaction => connect.extra_float_digits(None),
        Pooler::None => {
            let given = connect.get_options().unwrap_or_default().to_owned();
            let limits = limits(options.statement_timeout).into_iter();
            let plans = PLANS.into_iter().filter(|(name, _)| !given.contains(name));
            connect.options(limits.filter(|(name, _)| !given.contains(name))).options(plans)
        }
    };
    // Above the number of statements in `stores/`, so that none is prepared twice on a connection.
    let connect = connect.statement_cache_capacity(256);
    if connect.get_application_name().is_some() { connect } else { connect.application_name("workscribe") }
}

/// The key of the lock for migrations.
macro_rules! lock_of_migrations {
    () => {
        "(hashtextextended('workscribe migrations in ' || current_schema(), 0))"
    };
}

/// The wait between two attempts to take the lock for migrations. A statement that waits for the lock would hold a snapshot, and
/// the other process, if it builds an index concurrently, would wait for that snapshot.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

async fn migrate(conn: &mut PgConnection) -> StoreResult<()> {
    // A change of the schema may take longer than a statement of a request.
    for limit in ["SET statement_timeout = 0", "SET idle_in_transaction_session_timeout = 0"] {
        query(limit).execute(&mut *conn).await.map_err(refused)?;
    }
    // The lock ends with the connection.
    let lock = concat!("SELECT pg_try_advisory_lock", lock_of_migrations!());
    while !query_as::<_, (bool,)>(lock).fetch_one(&mut *conn).await.map_err(refused)?.0 {
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    MIGRATIONS
        .run_direct(None, &mut *conn, false)
        .await
        .map_err(|error| migrate_error(error, dialect::classify))?;
    stores::identity::addresses::bring_into_one_form(conn).await
}

/// Migrates through a pooler, where a lock and a setting last for one transaction, so everything runs in one.
async fn migrate_in_one(conn: &mut PgConnection) -> StoreResult<()> {
    let begin = concat!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; ",
        "SET LOCAL idle_in_transaction_session_timeout = 0"
    );
    let lock = concat!("SELECT pg_try_advisory_xact_lock", lock_of_migrations!());
    loop {
        let mut transaction = conn.begin_with(begin).await.map_err(refused)?;
        let locked = query_as::<_, (bool,)>(lock).persistent(false).fetch_one(&mut *transaction);
        if locked.await.map_err(refused)?.0 {
            let outcome = migrate_under_lock(&mut transaction).await;
            // sqlx prepares the statements of migrations under names. They must be closed before another client gets the session.
            transaction.clear_cached_statements().await.map_err(refused)?;
            outcome?;
            return transaction.commit().await.map_err(refused);
        }
        transaction.rollback().await.map_err(refused)?;
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

async fn migrate_under_lock(conn: &mut PgConnection) -> StoreResult<()> {
    let pending = stores::schema::pending_of(conn, &MIGRATIONS).await?;
    if let Some(migration) = pending.into_iter().find(|migration| migration.no_tx) {
        let version = migration.version;
        return Err(misuse(
            "migrate",
            format!("migration {version:04} runs in no transaction: migrate once with the server's own URL"),
        ));
    }
    MIGRATIONS
        .run_direct(None, &mut *conn, false)
        .await
        .map_err(|error| migrate_error(error, dialect::classify))?;
    stores::identity::addresses::bring_into_one_form(conn).await
}

fn refused(error: sqlx::Error) -> StoreError {
    store_error("connect", error, dialect::classify)
}

#[async_trait]
impl Storage for PostgresStorage {
    async fn begin(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        let unit = self.unit(Some(&self.gates), Some(self.opening.write.clone()));
        Ok(Box::new(unit.reading_by(&self.reads)))
    }

    async fn read(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        Ok(Box::new(self.reader()))
    }

    async fn snapshot(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        Ok(Box::new(self.unit(None, Some(self.opening.snapshot.clone()))))
    }

    async fn readiness(&self) -> Vec<NotReady> {
        self.readiness.ask().await
    }
}

#[async_trait]
impl Database for PostgresStorage {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    fn wakeup(&self) -> Option<Arc<dyn Wakeup>> {
        // A pooler keeps no session that could receive notifications.
        self.opening.prepares.then(|| Arc::new(PostgresWakeup::new(&self.source.pool)) as Arc<dyn Wakeup>)
    }

    async fn migrate(&self) -> StoreResult<()> {
        Self::migrate(self).await
    }

    async fn pending_migrations(&self) -> StoreResult<Vec<String>> {
        Self::pending_migrations(self).await
    }

    async fn differences(&self) -> StoreResult<Vec<String>> {
        // Closed at the end, because its settings belong to the session. These statements join whole tables.
        let mut conn = self.source.pool.acquire().await.map_err(refused)?.detach();
        query("SET statement_timeout = 0").execute(&mut conn).await.map_err(refused)?;
        query("SET enable_hashjoin = on").execute(&mut conn).await.map_err(refused)?;
        let found = stores::truth::differences(&mut conn).await;
        if let Err(error) = conn.close().await {
            tracing::debug!(%error, "the connection of the comparison was not closed in order");
        }
        found
    }

    async fn close(&self) {
        self.source.lane.close();
        self.source.pool.close().await;
    }
}
