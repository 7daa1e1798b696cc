//! Connections are shared: no party takes all of them, no abandoned statement keeps one, and no failed transaction leaves one
//! unusable.

#![expect(clippy::unwrap_used, reason = "a test fails where something else happens than it says")]

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Executor as _, query_scalar};
use workscribe_core::clock::{Clock as _, SystemClock};
use workscribe_core::id::OrgId;
use workscribe_core::identity::{Email, NewUser};
use workscribe_core::storage::Party;
use workscribe_core::{Storage, StoreError, UnitOfWork};
use workscribe_sql::{Options, PostgresStorage, SqliteStorage};
use workscribe_testkit::databases;
use workscribe_testkit::servers::PostgresServer;

fn party(n: u128) -> Party {
    Party::Organization(OrgId::from(uuid::Uuid::from_u128(n)))
}

fn user(n: u128) -> NewUser {
    NewUser {
        id: uuid::Uuid::from_u128(n).into(),
        email: Email::parse(&format!("user{n}@example.com")).unwrap(),
        display_name: "A user".into(),
        password_hash: None,
        email_verified: true,
        created_at: SystemClock.now(),
    }
}

fn address() -> Email {
    Email::parse("somebody@example.com").unwrap()
}

async fn read_for(storage: &dyn Storage, party: Party) -> Result<Box<dyn UnitOfWork>, StoreError> {
    let mut uow = storage.read().await?;
    uow.on_behalf_of(party);
    uow.bounces().find(&address()).await?;
    Ok(uow)
}

async fn write_for(storage: &dyn Storage, party: Party, n: u128) -> Result<(), StoreError> {
    let mut uow = storage.begin().await?;
    uow.on_behalf_of(party);
    uow.users().insert(&user(n)).await?;
    uow.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_keeps_all_connections_it_gets_leaves_others_some() {
    let options = Options { max_connections: 4, readers: 4, ..databases::options() };
    for database in [databases::sqlite().await, databases::postgres().await] {
        let storage = workscribe_sql::connect(&database.url, &options).await.unwrap().storage();
        let mut flood = Vec::new();
        for _ in 0..20 {
            let storage = Arc::clone(&storage);
            // Each keeps its connection while the others are served.
            flood.push(tokio::spawn(async move {
                let held = read_for(&*storage, party(1)).await;
                std::future::pending::<()>().await;
                drop(held);
            }));
        }
        for n in 1..=20 {
            drop(read_for(&*storage, party(2)).await.unwrap());
            if database.url.starts_with("postgres") {
                write_for(&*storage, party(2), n).await.unwrap();
            }
        }
        for one in flood {
            one.abort();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_too_long_is_refused_and_others_are_not() {
    let options = Options { max_connections: 4, ..databases::options() };
    for database in [databases::sqlite().await, databases::postgres().await] {
        let storage = workscribe_sql::connect(&database.url, &options).await.unwrap().storage();
        // Other writers wait for the open transaction: on SQLite for its connection, on Postgres for its row.
        let mut first = storage.begin().await.unwrap();
        first.on_behalf_of(party(1));
        first.users().insert(&user(1)).await.unwrap();
        let flood: Vec<_> = (0..300)
            .map(|_| {
                let storage = Arc::clone(&storage);
                tokio::spawn(async move { write_for(&*storage, party(1), 1).await })
            })
            .collect();
        let refused = tokio::spawn(async move {
            let mut refused = 0;
            for one in flood {
                refused += usize::from(matches!(one.await.unwrap(), Err(StoreError::Crowded)));
            }
            refused
        });
        for _ in 0..20 {
            drop(read_for(&*storage, party(2)).await.unwrap());
        }
        first.commit().await.unwrap();
        write_for(&*storage, party(2), 2).await.unwrap();
        assert!(refused.await.unwrap() >= 100, "a line holds 128, and so many came that it had no end");
    }
}

/// A table that takes forever to read.
const ENDLESS: [&str; 2] = [
    "DROP TABLE ws_email_bounces;
     CREATE VIEW ws_email_bounces AS
     WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
     SELECT x AS email, '' AS reason, NULL AS job_id, x AS bounced_at FROM n",
    "DROP TABLE ws_email_bounces;
     CREATE VIEW ws_email_bounces AS
     SELECT CAST(n AS text) AS email, '' AS reason, CAST(NULL AS uuid) AS job_id, now() AS bounced_at
       FROM generate_series(1, 1000000000000) AS n WHERE pg_sleep(0.01) IS NOT NULL",
];

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_broken_off() {
    let minute = Duration::from_secs(60);
    let options = Options {
        max_connections: 1,
        readers: 1,
        acquire_timeout: minute,
        statement_timeout: minute,
        ..databases::options()
    };
    let (sqlite, postgres) = (databases::sqlite().await, databases::postgres().await);
    let lite = SqliteStorage::connect(&sqlite.url, &options).await.unwrap();
    let pg = PostgresStorage::connect(&postgres.url, &options).await.unwrap();
    lite.writer().execute(ENDLESS[0]).await.unwrap();
    pg.pool().execute(ENDLESS[1]).await.unwrap();
    for storage in [&lite as &dyn Storage, &pg] {
        for transaction in [false, true] {
            let mut uow = if transaction { storage.begin().await } else { storage.read().await }.unwrap();
            let asked = tokio::time::timeout(Duration::from_millis(300), async {
                uow.bounces().find(&address()).await.map(drop)
            });
            assert!(asked.await.is_err(), "it does not end by itself");
            drop(uow);
            // The pool has only this connection.
            let mut uow = if transaction { storage.begin().await } else { storage.read().await }.unwrap();
            assert!(uow.users().find(user(1).id).await.unwrap().is_none());
        }
    }
    // The statement has ended on the server too.
    let running = "SELECT count(*) FROM pg_stat_activity
                    WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%FROM ws_email_bounces WHERE email%'";
    for tries_left in (0..600).rev() {
        if query_scalar::<_, i64>(running).fetch_one(pg.pool()).await.unwrap() == 0 {
            break;
        }
        assert!(tries_left > 0, "the statement goes on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_read_that_takes_too_long_ends_by_itself_and_the_next_is_served() {
    let options = Options {
        max_connections: 1,
        readers: 1,
        statement_timeout: Duration::from_millis(200),
        ..databases::options()
    };
    let (sqlite, postgres) = (databases::sqlite().await, databases::postgres().await);
    let lite = SqliteStorage::connect(&sqlite.url, &options).await.unwrap();
    let pg = PostgresStorage::connect(&postgres.url, &options).await.unwrap();
    lite.writer().execute(ENDLESS[0]).await.unwrap();
    pg.pool().execute(ENDLESS[1]).await.unwrap();
    for storage in [&lite as &dyn Storage, &pg] {
        for _ in 0..3 {
            let mut uow = storage.read().await.unwrap();
            let ended = uow.bounces().find(&address()).await.unwrap_err();
            assert!(matches!(ended, StoreError::Unavailable(_)), "{ended:?}");
            drop(uow);
            let mut uow = storage.read().await.unwrap();
            assert!(uow.users().find(user(1).id).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_forgotten_when_there_is_space_again() {
    for url in [None, Some("sqlite::memory:")] {
        let database = databases::sqlite().await;
        let storage =
            SqliteStorage::connect(url.unwrap_or(&database.url), &databases::options()).await.unwrap();
        storage.migrate().await.unwrap();
        // No more pages than the file has.
        storage.writer().execute("PRAGMA max_page_count = 1").await.unwrap();
        let mut written = 0;
        let full = loop {
            match write_for(&storage, party(1), written + 1).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 100_000, "it is never full");
        };
        assert!(matches!(full, StoreError::Unavailable(_)), "{full:?}");
        for _ in 0..3 {
            let refused = write_for(&storage, party(1), written + 1).await.unwrap_err();
            assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        }
        storage.writer().execute("PRAGMA max_page_count = 1000000").await.unwrap();
        for _ in 0..3 {
            written += 1;
            write_for(&storage, party(1), written).await.unwrap();
        }
        let mut uow = storage.read().await.unwrap();
        for n in 1..=written {
            assert!(uow.users().find(user(n).id).await.unwrap().is_some(), "what was acknowledged is there");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_noticed_and_served_by_again_when_it_goes_on() {
    let server = PostgresServer::start().await;
    let options = Options {
        max_connections: 4,
        statement_timeout: Duration::from_millis(500),
        acquire_timeout: Duration::from_millis(500),
        ..databases::options()
    };
    let storage = PostgresStorage::connect(&server.url(), &options).await.unwrap();
    storage.migrate().await.unwrap();
    let storage: Arc<dyn Storage> = Arc::new(storage);
    write_for(&*storage, party(2), 1).await.unwrap();
    server.freeze();
    let asked: Vec<_> = (0..30)
        .map(|n| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                match n % 3 {
                    0 => write_for(&*storage, party(2), n).await,
                    1 => read_for(&*storage, party(2)).await.map(drop),
                    _ => storage.read().await?.users().account(user(1).id).await.map(drop),
                }
            })
        })
        .collect();
    // Each call ends with an error, however long that takes here.
    for one in asked {
        let answer = tokio::time::timeout(Duration::from_secs(60), one).await.expect("nobody hangs").unwrap();
        assert!(
            matches!(answer, Err(StoreError::Unavailable(_) | StoreError::Crowded)),
            "{answer:?} from a server that does nothing"
        );
    }
    assert_ne!(storage.readiness().await, [], "it is known not to be ready");
    server.thaw();
    let served = async {
        while write_for(&*storage, party(2), 100).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), served).await.expect("it is served again");
    assert_eq!(storage.readiness().await, []);
}
