//! Prints every whole statement, to read or to run: `./test --test statements -- --nocapture print_statements`.
//!
//! On Postgres each is a `PREPARE` for `psql`; `EXPLAIN EXECUTE` then shows its plan. On SQLite unbound parameters are null.

use sqlx::{AssertSqlSafe, Executor as _};
use workscribe_sql::{PostgresStorage, SqliteStorage};
use workscribe_testkit::databases;

use super::recorded;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn print_statements() {
    let database = databases::postgres().await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    for (number, one) in recorded::on_postgres().await.iter().enumerate() {
        let prepare = one.prepare(&format!("s{number}"));
        println!("-- Postgres: {}\n{prepare};\n", one.name);
        storage.pool().execute(AssertSqlSafe(prepare)).await.unwrap();
    }
    let database = databases::sqlite().await;
    let storage = SqliteStorage::connect(&database.url, &databases::options()).await.unwrap();
    for one in recorded::on_sqlite().await {
        println!("-- SQLite: {}\n{};\n", one.name, one.text);
        storage.writer().execute(AssertSqlSafe(format!("EXPLAIN {}", one.text))).await.unwrap();
    }
}
