//! Units of work beyond the conformance suite: an embedder's own statements in them, and what happens to them when the database
//! becomes unavailable.

#![expect(clippy::unwrap_used, reason = "a test fails where something else happens than it says")]

use std::error::Error as _;
use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Executor as _, query, query_scalar};
use workscribe_core::clock::{Clock as _, SystemClock};
use workscribe_core::identity::{Client, Email, NewUser, Session, TokenHash};
use workscribe_core::search::{SearchDocument, SearchKind, Words};
use workscribe_core::tenancy::{In, Organization, Slug};
use workscribe_core::{Code, Constraint, Error, Storage, StoreError, UnitOfWork};
use workscribe_sql::{Database, Options, PostgresStorage, SqliteStorage, postgres, sqlite};
use workscribe_testkit::databases;

fn new_user(n: u128) -> NewUser {
    NewUser {
        id: uuid::Uuid::from_u128(n).into(),
        email: Email::parse(&format!("user{n}@example.com")).unwrap(),
        display_name: "A user".into(),
        password_hash: None,
        email_verified: true,
        created_at: SystemClock.now(),
    }
}

/// Does the work of an embedder's hook: writes its own row in the transaction, on either database.
async fn note(uow: &mut dyn UnitOfWork, text: &str) {
    let insert = "INSERT INTO embedder_notes (text) VALUES ($1)";
    if let Some(unit) = sqlite::Unit::of(uow) {
        query(insert).bind(text).execute(unit.connection().await.unwrap()).await.unwrap();
    } else if let Some(unit) = postgres::Unit::of(uow) {
        query(insert).bind(text).execute(unit.connection().await.unwrap()).await.unwrap();
    } else {
        panic!("another storage");
    }
}

#[tokio::test]
async fn a_hooks_row_commits_or_vanishes_with_the_unit() {
    let postgres = databases::postgres().await;
    let sqlite = databases::sqlite().await;
    let pg = PostgresStorage::connect(&postgres.url, &databases::options()).await.unwrap();
    let lite = SqliteStorage::connect(&sqlite.url, &databases::options()).await.unwrap();
    pg.pool().execute("CREATE TABLE embedder_notes (text text)").await.unwrap();
    lite.writer().execute("CREATE TABLE embedder_notes (text text)").await.unwrap();
    for storage in [&pg as &dyn Storage, &lite] {
        for (n, committed) in [(1, true), (2, false)] {
            let mut uow = storage.begin().await.unwrap();
            uow.users().insert(&new_user(n)).await.unwrap();
            note(&mut *uow, "made a user").await;
            if committed {
                uow.commit().await.unwrap();
            }
        }
    }
    let count = "SELECT count(*) FROM embedder_notes";
    assert_eq!(query_scalar::<_, i64>(count).fetch_one(pg.pool()).await.unwrap(), 1);
    assert_eq!(query_scalar::<_, i64>(count).fetch_one(lite.pool()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_embedders_transaction_becomes_a_unit_and_is_given_back() {
    let database = databases::postgres().await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    let transaction = storage.pool().begin().await.unwrap();
    let mut unit = postgres::Unit::from_transaction(transaction);
    unit.users().insert(&new_user(1)).await.unwrap();
    unit.into_transaction().await.unwrap().rollback().await.unwrap();
    let mut uow = storage.read().await.unwrap();
    assert!(uow.users().find(new_user(1).id).await.unwrap().is_none());
}

#[tokio::test]
async fn one_pool_of_an_embedder_serves_reads_and_writes() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("app.db").display());
    let pool = SqlitePoolOptions::new().max_connections(1).connect(&url).await.unwrap();
    for storage in [
        SqliteStorage::from_pool(pool),
        SqliteStorage::connect("sqlite::memory:", &Options::default()).await.unwrap(),
    ] {
        storage.migrate().await.unwrap();
        let mut uow = storage.begin().await.unwrap();
        uow.users().insert(&new_user(1)).await.unwrap();
        uow.commit().await.unwrap();
        let mut uow = storage.read().await.unwrap();
        assert!(uow.users().find(new_user(1).id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn after_a_failed_statement_nothing_is_committed() {
    for database in [databases::sqlite().await, databases::postgres().await] {
        let mut uow = database.storage.begin().await.unwrap();
        uow.users().insert(&new_user(1)).await.unwrap();
        let refused = uow.users().insert(&new_user(1)).await.unwrap_err();
        assert!(matches!(
            refused,
            StoreError::Conflict { constraint: Constraint::UserId | Constraint::UserEmail, .. }
        ));
        assert!(uow.commit().await.is_err(), "a commit that would write nothing does not succeed");
        let mut uow = database.storage.read().await.unwrap();
        assert!(uow.users().find(new_user(1).id).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_broken_key_is_a_fault_that_names_the_statement_the_table_and_the_rule() {
    for (database, rule) in [
        (databases::sqlite().await, "constraint ws_sessions.id"),
        (databases::postgres().await, "constraint ws_sessions_pkey"),
    ] {
        let mut uow = database.storage.begin().await.unwrap();
        let user = uow.users().insert(&new_user(1)).await.unwrap();
        let session = Session {
            id: uuid::Uuid::from_u128(2).into(),
            user_id: user.id,
            epoch: 0,
            refresh_hash: TokenHash::of("a secret"),
            created_at: user.created_at,
            last_used_at: user.created_at,
            expires_at: user.created_at,
            client: Client { ip: None, user_agent: Some("a secret too".into()) },
        };
        uow.tokens().insert_session(&session).await.unwrap();
        let error = Error::from(uow.tokens().insert_session(&session).await.unwrap_err());
        assert_eq!(error.code(), Code::Internal);
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        for part in ["ws_sessions: insert", "table ws_sessions", rule] {
            assert!(causes.iter().any(|cause| cause.contains(part)), "{part}: {causes:?}");
        }
        let id = session.id.to_string();
        assert!(!causes.iter().any(|cause| cause.contains("secret") || cause.contains(&id)), "{causes:?}");
    }
}

#[tokio::test]
async fn a_reference_that_the_commit_finds_broken_is_told_as_one() {
    for database in [databases::sqlite().await, databases::postgres().await] {
        let mut uow = database.storage.begin().await.unwrap();
        let user = uow.users().insert(&new_user(1)).await.unwrap();
        let organization = Organization {
            id: uuid::Uuid::from_u128(2).into(),
            name: "Acme Works".into(),
            slug: Slug::parse("acme-works").unwrap(),
            version: 1,
            created_at: user.created_at,
            updated_at: user.created_at,
        };
        uow.organizations().insert(&organization, user.id).await.unwrap();
        let scope = *In::organization(&mut *uow, "acme-works", user.id).await.unwrap().scope();
        let document = SearchDocument {
            id: uuid::Uuid::from_u128(3),
            kind: SearchKind::Task,
            task: Some(uuid::Uuid::from_u128(3).into()),
            title: Words::of("a task that is never written"),
            body: String::new(),
            updated_at: user.created_at,
        };
        uow.search().put(&scope, &document).await.unwrap();
        let refused = uow.commit().await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Conflict { constraint: Constraint::Reference, .. }),
            "{refused:?}"
        );
        // The connection has no open transaction left.
        let mut uow = database.storage.begin().await.unwrap();
        assert!(uow.users().find(user.id).await.unwrap().is_none());
        uow.users().insert(&new_user(1)).await.unwrap();
        uow.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_unit_holds_no_connection_before_its_first_statement() {
    let database = databases::sqlite().await;
    let storage = SqliteStorage::connect(&database.url, &databases::options()).await.unwrap();
    let waiting = storage.begin().await.unwrap();
    let mut uow = storage.begin().await.unwrap();
    uow.users().insert(&new_user(1)).await.unwrap();
    uow.commit().await.unwrap();
    waiting.commit().await.unwrap();
}

#[tokio::test]
async fn writing_through_a_read_is_refused_on_sqlite() {
    let database = databases::sqlite().await;
    let mut uow = database.storage.read().await.unwrap();
    assert!(uow.users().insert(&new_user(1)).await.is_err());
}

/// Ends the server's side of the pool's connections, as a restart does.
async fn cut(storage: &PostgresStorage, other: &PostgresStorage) {
    let cut: i64 = query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE application_name = $1 AND pid <> pg_backend_pid()",
    )
    .bind(storage.pool().connect_options().get_application_name())
    .fetch_one(other.pool())
    .await
    .unwrap();
    assert!(cut >= 1);
}

#[tokio::test]
async fn the_pool_recovers_when_its_connections_are_cut() {
    let database = databases::postgres().await;
    let url = format!("{}&application_name=cut-{}", database.url, std::process::id());
    let storage = PostgresStorage::connect(&url, &databases::options()).await.unwrap();
    let other = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();

    let mut uow = storage.begin().await.unwrap();
    uow.users().insert(&new_user(1)).await.unwrap();
    cut(&storage, &other).await;
    let broken = uow.users().insert(&new_user(2)).await.unwrap_err();
    assert!(matches!(broken, StoreError::Unavailable(_)), "{broken:?}");
    drop(uow);

    // A transaction detects the dead connection when it begins, even after a short idle time.
    for _ in 0..2 {
        let mut uow = storage.begin().await.unwrap();
        assert!(uow.users().find(new_user(1).id).await.unwrap().is_none(), "what was not committed is gone");
        uow.commit().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        cut(&storage, &other).await;
    }

    // A read detects it before its first statement, after a longer idle time.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let mut uow = storage.read().await.unwrap();
    assert!(uow.users().find(new_user(1).id).await.unwrap().is_none());
    assert_eq!(storage.readiness().await, []);
}

#[tokio::test]
async fn reads_pass_a_connection_on_and_keep_none_from_those_who_wait_or_close() {
    let database = databases::postgres().await;
    let options = Options { max_connections: 2, ..databases::options() };
    let storage = PostgresStorage::connect(&database.url, &options).await.unwrap();
    let mut backends = Vec::new();
    for _ in 0..3 {
        let mut uow = storage.read().await.unwrap();
        assert!(uow.users().find(new_user(1).id).await.unwrap().is_none());
        drop(uow);
        backends.push((storage.pool().size(), storage.pool().num_idle()));
    }
    assert_eq!(backends, [(1, 0); 3], "one connection, which the pool does not get back in between");

    // The writers get both connections, although the lane kept one.
    let (mut one, mut other) = (storage.begin().await.unwrap(), storage.begin().await.unwrap());
    one.users().insert(&new_user(1)).await.unwrap();
    other.users().insert(&new_user(2)).await.unwrap();
    one.commit().await.unwrap();
    other.commit().await.unwrap();

    let mut uow = storage.read().await.unwrap();
    assert!(uow.users().find(new_user(1).id).await.unwrap().is_some());
    drop(uow);
    tokio::time::timeout(Duration::from_secs(20), Database::close(&storage)).await.unwrap();
}

#[tokio::test]
async fn the_connection_of_a_read_that_was_broken_off_is_not_passed_on() {
    let database = databases::postgres().await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    for n in 1..=2 {
        let mut uow = storage.begin().await.unwrap();
        uow.users().insert(&new_user(n)).await.unwrap();
        uow.commit().await.unwrap();
    }
    let mut holder = storage.pool().begin().await.unwrap();
    holder.execute("LOCK TABLE ws_users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut uow = storage.read().await.unwrap();
    let broken_off = tokio::time::timeout(Duration::from_millis(100), uow.users().find(new_user(1).id)).await;
    assert!(broken_off.is_err(), "the table was locked");
    drop(uow);
    holder.rollback().await.unwrap();
    for _ in 0..20 {
        let mut uow = storage.read().await.unwrap();
        let found = uow.users().find(new_user(2).id).await.unwrap().unwrap();
        assert_eq!(found.id, new_user(2).id, "its own answer, and not that of the one broken off");
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up() {
    let database = databases::postgres().await;
    let options = Options { statement_timeout: Duration::from_millis(200), ..databases::options() };
    let storage = PostgresStorage::connect(&database.url, &options).await.unwrap();
    let mut holder = storage.begin().await.unwrap();
    holder.users().insert(&new_user(1)).await.unwrap();
    let mut waiter = storage.begin().await.unwrap();
    let given_up = waiter.users().insert(&new_user(1)).await.unwrap_err();
    assert!(matches!(given_up, StoreError::Unavailable(_)), "{given_up:?}");
    assert!(std::error::Error::source(&given_up).unwrap().to_string().contains("ws_users: insert"));
}

#[tokio::test]
async fn errors_do_not_quote_the_row() {
    let database = databases::postgres().await;
    let storage = PostgresStorage::connect(&database.url, &databases::options()).await.unwrap();
    storage
        .pool()
        .execute("ALTER TABLE ws_users ADD CONSTRAINT ws_users_none_check CHECK (version < 0) NOT VALID")
        .await
        .unwrap();
    let mut uow = storage.begin().await.unwrap();
    let user = NewUser { password_hash: Some("s3cret".into()), ..new_user(7) };
    let error = uow.users().insert(&user).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("ws_users_none_check") && text.contains("23514"), "{text}");
    assert!(!text.contains("s3cret") && !text.contains("user7@"), "{text}");
}

#[tokio::test]
async fn a_url_of_another_database_is_refused_without_being_quoted() {
    let error = workscribe_sql::connect("mysql://root:s3cret@localhost/x", &Options::default()).await;
    let text = format!("{:?}", error.err().unwrap());
    assert!(!text.contains("s3cret"), "{text}");
}
