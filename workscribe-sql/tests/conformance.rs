//! The conformance suite on each database, and on Postgres through PgBouncer.

use std::sync::Arc;

use workscribe_core::Storage;
use workscribe_testkit::databases::{self, TestDatabase};

async fn sqlite() -> (Arc<dyn Storage>, TestDatabase) {
    let database = databases::sqlite().await;
    (Arc::clone(&database.storage), database)
}

async fn postgres() -> (Arc<dyn Storage>, TestDatabase) {
    let database = databases::postgres().await;
    (Arc::clone(&database.storage), database)
}

async fn pooled_postgres() -> (Arc<dyn Storage>, TestDatabase) {
    let database = databases::pooled_postgres().await;
    (Arc::clone(&database.storage), database)
}

workscribe_testkit::conformance!(on_sqlite, sqlite);
workscribe_testkit::conformance!(on_postgres, postgres);
workscribe_testkit::conformance!(on_postgres_through_pgbouncer, pooled_postgres);
