//! The conformance suite on each database, and on Postgres through PgBouncer.

use std::sync::Arc;

use workscribe_core::Storage;
use workscribe_testkit::databases;

async fn sqlite() -> (Arc<dyn Storage>, ()) {
    (databases::sqlite().await.storage, ())
}

async fn postgres() -> (Arc<dyn Storage>, ()) {
    (databases::postgres().await.storage, ())
}

async fn pooled_postgres() -> (Arc<dyn Storage>, ()) {
    (databases::pooled_postgres().await.storage, ())
}

workscribe_testkit::conformance!(on_sqlite, sqlite);
workscribe_testkit::conformance!(on_postgres, postgres);
workscribe_testkit::conformance!(on_postgres_through_pgbouncer, pooled_postgres);
