//! Addresses that an earlier release stored with a domain in Unicode.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;

use sqlx::{AssertSqlSafe, query};
use workscribe_core::identity::{Client, Register, SecretKey, SecretRing};
use workscribe_core::local::BcryptHasher;
use workscribe_core::ports::Secret;
use workscribe_core::{Code, Storage, WorkScribe};
use workscribe_sql::{PostgresStorage, SqliteStorage};
use workscribe_testkit::databases::{TestDatabase, options};

const PASSWORD: &str = "correct horse battery staple";
/// The addresses, and how an earlier release stored them. The last is the address of two accounts, in two forms of its domain.
const AS_STORED: [(&str, &str); 3] = [
    ("one@xn--bcher-kva.example", "one@bücher.example"),
    ("two@example.com", "zoë@example.com"),
    ("three@example.com", "four@bücher.example"),
];

fn app(database: &TestDatabase) -> WorkScribe {
    let key = SecretKey::new(&Secret::new("k".repeat(32))).unwrap();
    let storage: Arc<dyn Storage> = Arc::clone(&database.storage);
    WorkScribe::builder(storage, SecretRing::new(key, vec![])).hasher(Arc::new(BcryptHasher::new(4))).build()
}

async fn register(app: &WorkScribe, email: &str) -> Result<(), Code> {
    let (email, display_name) = (email.to_owned(), "Ada Lovelace".to_owned());
    let input = Register { email, display_name, password: Secret::new(PASSWORD) };
    app.identity().register(&input, &Client::default()).await.map(drop).map_err(|error| error.code())
}

async fn who_logs_in(app: &WorkScribe, email: &str) -> Result<String, Code> {
    let tokens = app.identity().login(email, &Secret::new(PASSWORD), &Client::default()).await;
    tokens.map(|tokens| tokens.user.email.to_string()).map_err(|error| error.code())
}

async fn accounts(app: &WorkScribe) {
    for (email, _) in AS_STORED {
        register(app, email).await.unwrap();
    }
    register(app, "four@xn--bcher-kva.example").await.unwrap();
}

/// Statements that restore the database as it was before the step, with the addresses in their earlier forms.
fn of_before() -> Vec<String> {
    let mut statements: Vec<String> = AS_STORED
        .iter()
        .map(|(now, stored)| format!("UPDATE ws_users SET email = '{stored}' WHERE email = '{now}'"))
        .collect();
    statements.push("DELETE FROM ws_steps".into());
    statements
}

async fn run(database: &TestDatabase, statement: String) {
    let changed = if database.url.starts_with("sqlite:") {
        let storage = SqliteStorage::connect(&database.url, &options()).await.unwrap();
        query(AssertSqlSafe(statement)).execute(storage.writer()).await.unwrap().rows_affected()
    } else {
        let storage = PostgresStorage::connect(&database.url, &options()).await.unwrap();
        query(AssertSqlSafe(statement)).execute(storage.pool()).await.unwrap().rows_affected()
    };
    assert_eq!(changed, 1);
}

async fn a_domain_that_was_stored_in_unicode_is_brought_into_its_one_form(database: TestDatabase) {
    let app = app(&database);
    accounts(&app).await;
    for statement in of_before() {
        run(&database, statement).await;
    }
    let before = who_logs_in(&app, "one@bücher.example").await;
    assert_eq!(before, Err(Code::InvalidCredentials), "not found before");
    for _ in 0..2 {
        database.database.migrate().await.unwrap();
        for one in ["one@bücher.example", "one@xn--bcher-kva.example", "One@BÜCHER.example"] {
            assert_eq!(who_logs_in(&app, one).await.unwrap(), "one@xn--bcher-kva.example", "{one}");
            assert_eq!(register(&app, one).await, Err(Code::EmailTaken), "{one}");
        }
        for zoe in ["zoë@example.com", "zoe\u{308}@example.com"] {
            assert_eq!(who_logs_in(&app, zoe).await.unwrap(), "zoë@example.com");
        }
        assert_eq!(who_logs_in(&app, "four@bücher.example").await.unwrap(), "four@xn--bcher-kva.example");
    }
}

/// The step must not read all accounts at every start.
async fn stored_addresses_are_looked_through_once(database: TestDatabase) {
    let app = app(&database);
    accounts(&app).await;
    let (now, stored) = AS_STORED[0];
    run(&database, format!("UPDATE ws_users SET email = '{stored}' WHERE email = '{now}'")).await;
    database.database.migrate().await.unwrap();
    assert_eq!(who_logs_in(&app, now).await, Err(Code::InvalidCredentials), "it was done before");
    run(&database, "DELETE FROM ws_steps".into()).await;
    // Servers that start at the same time: one runs the step, and the others find it done.
    let starting = (0..4).map(|_| {
        let url = database.url.clone();
        tokio::spawn(async move {
            let database = workscribe_sql::connect(&url, &options()).await.unwrap();
            database.migrate().await.unwrap();
            database.close().await;
        })
    });
    for start in starting.collect::<Vec<_>>() {
        start.await.unwrap();
    }
    assert_eq!(who_logs_in(&app, stored).await.unwrap(), now);
}

macro_rules! on_both {
    ($($test:ident)+) => {
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(workscribe_testkit::databases::postgres().await).await;
            })+
        }
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(workscribe_testkit::databases::sqlite().await).await;
            })+
        }
    };
}

on_both! {
    a_domain_that_was_stored_in_unicode_is_brought_into_its_one_form
    stored_addresses_are_looked_through_once
}
