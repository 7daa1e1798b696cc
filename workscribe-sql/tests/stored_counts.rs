//! Stored counts match the rows, and a wrong count is found.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;

use sqlx::{AssertSqlSafe, query};
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::ports::Secret;
use workscribe_core::transfer::{DEMO_TASKS, DemoOptions};
use workscribe_core::{Storage, WorkScribe};
use workscribe_sql::{PostgresStorage, SqliteStorage};
use workscribe_testkit::databases::{self, TestDatabase, options};

async fn with_a_demo(database: &TestDatabase) {
    let key = SecretKey::new(&Secret::new("k".repeat(32))).unwrap();
    let storage: Arc<dyn Storage> = Arc::clone(&database.storage);
    let app = WorkScribe::builder(storage, SecretRing::new(key, vec![]))
        .hasher(Arc::new(workscribe_core::local::BcryptHasher::new(4)))
        .build();
    let password = Secret::new("correct horse battery staple".to_owned());
    app.transfer()
        .demo(&DemoOptions { slug: "demo".into(), tasks: DEMO_TASKS, password, seed: 1 })
        .await
        .unwrap();
}

/// Statements that each make one count wrong, and a word of the report about it.
const BROKEN: [(&str, &str); 4] = [
    ("UPDATE ws_tasks SET subtask_count = subtask_count + 1 WHERE number = 1", "subtasks"),
    ("UPDATE ws_tasks SET comment_count = comment_count - 1 WHERE number = 2", "comments"),
    ("UPDATE ws_tasks SET label_ids = '[]' WHERE label_ids <> '[]'", "labels"),
    ("UPDATE ws_unread SET unread = unread + 1", "unread"),
];

#[tokio::test]
async fn a_wrong_count_is_found_on_postgres() {
    let database = databases::postgres().await;
    with_a_demo(&database).await;
    assert_eq!(database.database.differences().await.unwrap(), Vec::<String>::new());
    let storage = PostgresStorage::connect(&database.url, &options()).await.unwrap();
    for (number, (breaking, what)) in (1..).zip(BROKEN) {
        query(AssertSqlSafe(breaking)).execute(storage.pool()).await.unwrap();
        let found = database.database.differences().await.unwrap();
        assert_eq!(found.len(), number, "{found:?}");
        assert!(found.iter().any(|found| found.contains(what)), "{found:?}");
    }
}

#[tokio::test]
async fn a_wrong_count_is_found_on_sqlite() {
    let database = databases::sqlite().await;
    with_a_demo(&database).await;
    assert_eq!(database.database.differences().await.unwrap(), Vec::<String>::new());
    let storage = SqliteStorage::connect(&database.url, &options()).await.unwrap();
    for (number, (breaking, what)) in (1..).zip(BROKEN) {
        query(AssertSqlSafe(breaking)).execute(storage.writer()).await.unwrap();
        let found = database.database.differences().await.unwrap();
        assert_eq!(found.len(), number, "{found:?}");
        assert!(found.iter().any(|found| found.contains(what)), "{found:?}");
    }
}
