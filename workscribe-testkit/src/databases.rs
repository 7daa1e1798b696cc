//! Empty, migrated databases for tests: a SQLite file in a temporary directory, or a separate schema on a Postgres server. Each is
//! removed when its [`TestDatabase`] and its storage are dropped.

#![expect(clippy::expect_used, reason = "a test cannot go on without its database")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use workscribe_core::{NotReady, Storage, StoreResult, UnitOfWork};
use workscribe_sql::{Database, Options, Pooler};

pub use crate::schema::{POSTGRES_URL, Schema};
#[cfg(unix)]
use crate::servers::PgBouncer;

/// A database that belongs to one test.
pub struct TestDatabase {
    /// The storage on it. The data exist until it is dropped, even if the rest is dropped earlier.
    pub storage: Arc<dyn Storage>,
    /// The database, with the operations of a host.
    pub database: Arc<dyn Database>,
    /// The URL with which another storage or another process opens the same data.
    pub url: String,
    _keep: Arc<Keep>,
}

/// Removes the data when it is dropped.
enum Keep {
    Directory {
        _directory: TempDir,
    },
    Schema {
        _schema: Schema,
    },
    #[cfg(unix)]
    Pooled {
        _pooler: PgBouncer,
        _schema: Schema,
    },
}

impl TestDatabase {
    async fn open(url: String, options: &Options, keep: Keep) -> Self {
        let database = workscribe_sql::connect(&url, options).await.expect("the database opens");
        let keep = Arc::new(keep);
        let storage = Arc::new(Kept { storage: database.storage(), _keep: Arc::clone(&keep) });
        Self { storage, database, url, _keep: keep }
    }

    async fn migrated(self) -> Self {
        self.database.migrate().await.expect("the migrations apply");
        self
    }
}

/// A storage that keeps its data alive.
struct Kept {
    storage: Arc<dyn Storage>,
    _keep: Arc<Keep>,
}

#[async_trait]
impl Storage for Kept {
    async fn begin(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        self.storage.begin().await
    }

    async fn read(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        self.storage.read().await
    }

    async fn snapshot(&self) -> StoreResult<Box<dyn UnitOfWork>> {
        self.storage.snapshot().await
    }

    async fn readiness(&self) -> Vec<NotReady> {
        self.storage.readiness().await
    }
}

/// Few connections, so that many tests can run at once, and a long wait for a busy machine.
#[must_use]
pub fn options() -> Options {
    Options { max_connections: 6, acquire_timeout: Duration::from_secs(20), ..Options::default() }
}

/// As [`options`], for a storage behind PgBouncer: with more connections than PgBouncer has sessions.
#[must_use]
pub fn pooled_options() -> Options {
    Options { max_connections: 20, pooler: Pooler::Transaction, ..options() }
}

/// An empty SQLite database. The migrations run once per process; each database begins as a copy of the migrated file.
///
/// # Panics
/// When no temporary directory can be created.
pub async fn sqlite() -> TestDatabase {
    static MIGRATED: OnceCell<Vec<u8>> = OnceCell::const_new();
    let migrated = MIGRATED.get_or_init(migrated_file).await;
    let directory = tempfile::tempdir().expect("a temporary directory is made");
    let file = directory.path().join(FILE);
    std::fs::write(&file, migrated).expect("the file is written");
    TestDatabase::open(url_of(&file), &options(), Keep::Directory { _directory: directory }).await
}

/// The name of a SQLite file.
const FILE: &str = "workscribe.db";

/// A SQLite file with every table and without rows.
async fn migrated_file() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a temporary directory is made");
    let file = directory.path().join(FILE);
    let database = workscribe_sql::connect(&url_of(&file), &options()).await.expect("the database opens");
    database.migrate().await.expect("the migrations apply");
    database.close().await;
    std::fs::read(&file).expect("the file is there")
}

fn url_of(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// An empty schema on the server of `WORKSCRIBE_TEST_POSTGRES_URL`.
///
/// # Panics
/// When the variable is not set, or when the server does not answer.
pub async fn postgres() -> TestDatabase {
    let schema = Schema::new().await;
    TestDatabase::open(schema.url.clone(), &options(), Keep::Schema { _schema: schema })
        .await
        .migrated()
        .await
}

/// As [`postgres`], behind a separate PgBouncer in transaction mode with five sessions.
///
/// # Panics
/// As [`postgres`], and when `WORKSCRIBE_TEST_PGBOUNCER_BIN` does not name PgBouncer.
#[cfg(unix)]
pub async fn pooled_postgres() -> TestDatabase {
    let schema = Schema::new().await;
    let pooler = PgBouncer::before(&schema, 5).await;
    let url = pooler.url.clone();
    let keep = Keep::Pooled { _pooler: pooler, _schema: schema };
    TestDatabase::open(url, &pooled_options(), keep).await.migrated().await
}
