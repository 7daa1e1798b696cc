//! A Postgres schema for one test, on the server for tests.

#![expect(clippy::expect_used, reason = "a test cannot go on without its database")]

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use workscribe_core::clock::{Entropy as _, SystemEntropy};

/// Names the Postgres server for tests, and a database on it in which schemas may be created.
pub const POSTGRES_URL: &str = "WORKSCRIBE_TEST_POSTGRES_URL";

/// A Postgres schema with a unique name. Dropping the value drops the schema.
pub struct Schema {
    /// The schema's name.
    pub name: String,
    /// The server's URL, with this schema as the search path.
    pub url: String,
    server: String,
}

impl Schema {
    /// Creates an empty schema, without tables.
    ///
    /// # Panics
    /// When `WORKSCRIBE_TEST_POSTGRES_URL` is not set, or when the server does not answer.
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
    /// Waits until the schema is dropped, on a thread with its own runtime, because `drop` is not asynchronous.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            // While this waits, the test's own runtime may be blocked and unable to end a transaction that the test left open. So
            // its connections are terminated from here.
            let statements = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}';
                 DROP SCHEMA {name} CASCADE"
            );
            runtime.block_on(run(&server, statements)).ok()
        });
        // A schema that cannot be dropped now stays in the database for tests; no test fails because of it.
        let _ = removal.join();
    }
}
