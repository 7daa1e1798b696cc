//! Empty, migrated databases for tests: a SQLite file in a temporary directory, and a schema of its own on a Postgres server.
//! Each goes when nobody has its [`TestDatabase`] or its storage any more.

#![expect(clippy::expect_used, reason = "a test cannot go on without its database")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use workscribe_core::clock::{Entropy as _, SystemEntropy};
use workscribe_core::{NotReady, Storage, StoreError, UnitOfWork};
use workscribe_sql::{Database, Options, Pooler};

#[cfg(unix)]
use crate::servers::PgBouncer;

/// Names the Postgres server for tests, with a database on it in which schemas may be made.
pub const POSTGRES_URL: &str = "WORKSCRIBE_TEST_POSTGRES_URL";

/// A database that belongs to one test.
pub struct TestDatabase {
    /// The storage on it. The data stay while it is used, whatever becomes of the rest.
    pub storage: Arc<dyn Storage>,
    /// The same, with what a host does to it.
    pub database: Arc<dyn Database>,
    /// What another storage, or another process, opens the same data with.
    pub url: String,
    _keep: Arc<Keep>,
}

/// What removes the data when it is dropped.
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

/// A storage that holds on to its data.
struct Kept {
    storage: Arc<dyn Storage>,
    _keep: Arc<Keep>,
}

#[async_trait]
impl Storage for Kept {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.storage.begin().await
    }

    async fn read(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.storage.read().await
    }

    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.storage.snapshot().await
    }

    async fn readiness(&self) -> Vec<NotReady> {
        self.storage.readiness().await
    }
}

/// Few connections, so that many tests can run at once, and patience on a busy machine.
#[must_use]
pub fn options() -> Options {
    Options { max_connections: 6, acquire_timeout: Duration::from_secs(20), ..Options::default() }
}

/// The same for a storage that goes through PgBouncer: more connections than that has sessions for.
#[must_use]
pub fn pooled_options() -> Options {
    Options { max_connections: 20, pooler: Pooler::Transaction, ..options() }
}

/// An empty SQLite database. The migrations run once in a process; each database begins as a copy of that file.
///
/// # Panics
/// When no temporary directory can be made.
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

/// A SQLite file with every table and no row.
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

/// An empty schema on the server that `WORKSCRIBE_TEST_POSTGRES_URL` names.
///
/// # Panics
/// When the variable is not set, or the server does not answer.
pub async fn postgres() -> TestDatabase {
    let schema = Schema::new().await;
    TestDatabase::open(schema.url.clone(), &options(), Keep::Schema { _schema: schema })
        .await
        .migrated()
        .await
}

/// The same behind a PgBouncer of its own in transaction mode, with five sessions.
///
/// # Panics
/// As the above, and when `WORKSCRIBE_TEST_PGBOUNCER_BIN` does not name PgBouncer.
#[cfg(unix)]
pub async fn pooled_postgres() -> TestDatabase {
    let schema = Schema::new().await;
    let pooler = PgBouncer::before(&schema, 5).await;
    let url = pooler.url.clone();
    let keep = Keep::Pooled { _pooler: pooler, _schema: schema };
    TestDatabase::open(url, &pooled_options(), keep).await.migrated().await
}

/// A Postgres schema with a name that no other test has, dropped with this value.
pub struct Schema {
    /// The schema's name.
    pub name: String,
    /// The server's URL, with this schema as the place where tables are made and looked for.
    pub url: String,
    server: String,
}

impl Schema {
    /// Makes an empty schema, without tables.
    ///
    /// # Panics
    /// When `WORKSCRIBE_TEST_POSTGRES_URL` is not set, or the server does not answer.
    pub async fn new() -> Self {
        let server = std::env::var(POSTGRES_URL)
            .expect("WORKSCRIBE_TEST_POSTGRES_URL names a Postgres database for tests, such as postgres://postgres@127.0.0.1/test");
        let mut random = [0; 8];
        SystemEntropy.fill(&mut random);
        let name = random.iter().fold("ws_test_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        run(&server, format!("CREATE SCHEMA {name}")).await.expect("the Postgres server for tests answers");
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{name}&application_name={name}");
        Self { name, url, server }
    }
}

async fn run(server: &str, statements: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute("SET lock_timeout = '5s'; SET client_min_messages = warning").await?;
    connection.execute(AssertSqlSafe(statements)).await?;
    connection.close().await
}

impl Drop for Schema {
    /// Waits for the schema to go, on a thread with a runtime of its own, since `drop` is not asynchronous.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            // The test's own runtime may stand still while this is waited for, and with it the end of a transaction that
            // the test left open: so its connections are ended from here.
            let statements = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}';
                 DROP SCHEMA {name} CASCADE"
            );
            runtime.block_on(run(&server, statements)).ok()
        });
        // What cannot be removed now stays behind in the database for tests; no test fails for it.
        let _ = removal.join();
    }
}
