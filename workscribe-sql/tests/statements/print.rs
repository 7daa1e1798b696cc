//! Prints every whole statement, to read or to run: `./test --test statements -- --nocapture print_statements`.
//!
//! On Postgres each is a `PREPARE` for `psql`; `EXPLAIN EXECUTE` then shows its plan. On SQLite unbound parameters are null.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Executor as _};
use workscribe_sql::{PostgresStorage, SqliteStorage, postgres};
use workscribe_testkit::databases;

use super::listening::{Named, listen, run_on_postgres, run_on_sqlite};
use super::{come_together, exercise, names_in_sources, prepared, task_lists};

#[tokio::test]
async fn print_statements() {
    let mut names = names_in_sources();
    for (database, statements) in [("Postgres", on_postgres().await), ("SQLite", on_sqlite().await)] {
        println!("-- {} statements on {database}\n", statements.len());
        for (name, statement) in &statements {
            println!("-- {name}\n{statement};\n");
            names.remove(name);
        }
    }
    assert!(names.is_empty(), "not printed: {names:#?}");
}

/// The statements that units keep prepared, by name, each as a `PREPARE`. They are prepared in that way here.
async fn on_postgres() -> Named {
    listen();
    let database = databases::postgres().await;
    let mut uow = database.storage.begin().await.unwrap();
    run_on_postgres();
    exercise(&mut *uow).await;
    let mut types = BTreeMap::new();
    // In two steps, because all statements together are more than a connection keeps.
    for lists in [false, true] {
        if lists {
            task_lists(&mut *uow).await;
        }
        let kept = prepared(postgres::Unit::of(&mut *uow).unwrap().connection().await.unwrap()).await;
        types.extend(kept.into_iter().map(|(_, statement, types)| (statement.trim().to_owned(), types)));
    }
    drop(uow);
    come_together(&database.storage).await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    let mut all = Named::new();
    for (number, (name, statement)) in run_on_postgres().into_iter().enumerate() {
        let types = types.get(&statement).filter(|types| !types.is_empty());
        let types = types.map(|types| format!(" ({})", types.join(", "))).unwrap_or_default();
        let prepare = format!("PREPARE s{number}{types} AS\n{statement}");
        storage.pool().execute(AssertSqlSafe(prepare.clone())).await.unwrap();
        all.insert((name, prepare));
    }
    all
}

/// The statements on SQLite. Each is compiled here.
async fn on_sqlite() -> Named {
    let database = databases::sqlite().await;
    let storage = SqliteStorage::connect(&database.url, &databases::options()).await.unwrap();
    let all = run_on_sqlite().await;
    for (_, statement) in all {
        storage.writer().execute(AssertSqlSafe(format!("EXPLAIN {statement}"))).await.unwrap();
    }
    all.clone()
}
