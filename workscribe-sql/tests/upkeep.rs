//! Long work runs in portions and covers every table, and a fault in one part does not affect the others.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, query, query_scalar};
use workscribe_core::idempotency::IdempotencyKey;
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::ports::Secret;
use workscribe_core::sweep::{Portion, SWEPT_AT_ONCE};
use workscribe_core::tenancy::{In, OrgScope, VacatedOrg};
use workscribe_core::transfer::{DEMO_OWNER, DEMO_TASKS, DemoOptions};
use workscribe_core::webhooks::{DeliverWebhook, SendResult, Sent, WebhookChange};
use workscribe_core::{Storage, WorkScribe};
use workscribe_sql::{PostgresStorage, SqliteStorage};
use workscribe_testkit::clock::FrozenClock;
use workscribe_testkit::databases::{TestDatabase, options};

/// A database of either kind, for plain SQL.
enum Raw {
    Postgres(PostgresStorage),
    Sqlite(SqliteStorage),
}

impl Raw {
    async fn of(database: &TestDatabase) -> Self {
        if database.url.starts_with("sqlite:") {
            return Self::Sqlite(SqliteStorage::connect(&database.url, &options()).await.unwrap());
        }
        Self::Postgres(PostgresStorage::connect(&database.url, &options()).await.unwrap())
    }

    async fn run(&self, statement: &str) {
        match self {
            Self::Postgres(storage) => {
                query(AssertSqlSafe(statement)).execute(storage.pool()).await.map(drop).unwrap();
            }
            Self::Sqlite(storage) => {
                query(AssertSqlSafe(statement)).execute(storage.writer()).await.map(drop).unwrap();
            }
        }
    }

    async fn count(&self, table: &str) -> i64 {
        let count = format!("SELECT count(*) FROM {table}");
        match self {
            Self::Postgres(storage) => {
                query_scalar(AssertSqlSafe(count)).fetch_one(storage.pool()).await.unwrap()
            }
            Self::Sqlite(storage) => {
                query_scalar(AssertSqlSafe(count)).fetch_one(storage.writer()).await.unwrap()
            }
        }
    }

    /// The tables in which every row belongs to an organization, from the catalogue.
    async fn tenant_tables(&self) -> Vec<String> {
        match self {
            Self::Postgres(storage) => query_scalar(
                "SELECT table_name::text FROM information_schema.columns
                  WHERE table_schema = current_schema() AND column_name = 'org_id' AND is_nullable = 'NO'
                  ORDER BY table_name",
            )
            .fetch_all(storage.pool())
            .await
            .unwrap(),
            Self::Sqlite(storage) => query_scalar(
                "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
                  WHERE t.type = 'table' AND c.name = 'org_id' AND c.\"notnull\" = 1 ORDER BY t.name",
            )
            .fetch_all(storage.writer())
            .await
            .unwrap(),
        }
    }
}

fn app(database: &TestDatabase, clock: &FrozenClock) -> WorkScribe {
    let key = SecretKey::new(&Secret::new("k".repeat(32))).unwrap();
    let storage: Arc<dyn Storage> = Arc::clone(&database.storage);
    WorkScribe::builder(storage, SecretRing::new(key, vec![]))
        .hasher(Arc::new(workscribe_core::local::BcryptHasher::new(4)))
        .clock(Arc::new(clock.clone()))
        .build()
}

/// An organization with rows in every table.
async fn filled(app: &WorkScribe) -> OrgScope {
    let password = Secret::new("correct horse battery staple".to_owned());
    let options = DemoOptions { slug: "demo".into(), tasks: DEMO_TASKS, password, seed: 1 };
    app.transfer().demo(&options).await.unwrap();
    let mut uow = app.begin().await.unwrap();
    let owner = app.identity().find_by_email(&mut *uow, DEMO_OWNER).await.unwrap().unwrap();
    let scope = *In::organization(&mut *uow, "demo", owner.id).await.unwrap().scope();
    let new = WebhookChange {
        url: Some("https://example.com/".into()),
        events: Some(vec!["*".into()]),
        ..WebhookChange::default()
    };
    let (webhook, _) = app.webhooks().create(&mut *uow, &scope, &new).await.unwrap();
    let ping = app.webhooks().ping(&mut *uow, &scope, webhook.id).await.unwrap();
    app.commit(uow).await.unwrap();
    let job = DeliverWebhook { org_id: scope.org(), delivery_id: ping.id };
    let prepared = app.webhooks().prepare_delivery(&job).await.unwrap().unwrap();
    let result = SendResult::Response { status: 500, retry_after: None };
    let sent = Sent { at: app.now(), took: Duration::ZERO, result };
    app.webhooks().settle_delivery(&prepared, &sent).await.unwrap();
    scope
}

async fn a_removal_leaves_nothing_for_its_last_statement(database: TestDatabase) {
    let app = app(&database, &FrozenClock::default());
    let scope = filled(&app).await;
    let raw = Raw::of(&database).await;
    let tables = raw.tenant_tables().await;
    assert!(tables.len() > 15, "{tables:?}");
    for table in tables.iter().filter(|table| *table != "ws_invitations") {
        assert!(raw.count(table).await > 0, "{table} has rows");
    }
    let mut uow = app.begin().await.unwrap();
    assert!(uow.organizations().vacate(&scope, None, &VacatedOrg::slug(scope.org()), 2_000).await.unwrap());
    app.commit(uow).await.unwrap();
    for portion in 0.. {
        let mut left = Vec::new();
        for table in &tables {
            if raw.count(table).await > 0 {
                left.push(table);
            }
        }
        let mut uow = app.begin().await.unwrap();
        let vacated = VacatedOrg::enter(&mut *uow, scope.org()).await.unwrap().unwrap();
        let removed = uow.organizations().clear(&vacated, Portion::of(2_000)).await.unwrap();
        app.commit(uow).await.unwrap();
        if removed == 0 {
            assert_eq!(left, Vec::<&String>::new(), "what the last statement would have had to remove");
            break;
        }
        assert!(portion < 1_000, "it comes to an end");
    }
    assert_eq!(raw.count("ws_organizations").await, 0);
}

async fn what_cannot_be_swept_leaves_the_rest(database: TestDatabase) {
    let clock = FrozenClock::default();
    let app = app(&database, &clock);
    let keys = i64::from(SWEPT_AT_ONCE.rows) * 2 + 1;
    let mut uow = app.begin().await.unwrap();
    for number in 0..keys {
        let key =
            IdempotencyKey { org: None, scope: "s".into(), key: number.to_string(), fingerprint: [1; 32] };
        workscribe_core::idempotency::claim(uow.idempotency(), &key, app.now()).await.unwrap();
    }
    app.commit(uow).await.unwrap();
    clock.advance(TimeDelta::days(2));
    let raw = Raw::of(&database).await;
    assert_eq!(raw.count("ws_idempotency_keys").await, keys);
    raw.run("ALTER TABLE ws_sessions RENAME TO ws_sessions_away").await;
    app.sweep().await.unwrap_err();
    assert_eq!(raw.count("ws_idempotency_keys").await, 0, "in three portions");
    raw.run("ALTER TABLE ws_sessions_away RENAME TO ws_sessions").await;
    assert_eq!(app.sweep().await.unwrap(), 0, "the next time all goes well");
}

async fn a_removal_of_large_texts_goes_in_portions_of_so_many_bytes(database: TestDatabase) {
    let app = app(&database, &FrozenClock::default());
    let scope = filled(&app).await;
    let raw = Raw::of(&database).await;
    let mut uow = app.begin().await.unwrap();
    assert!(uow.organizations().vacate(&scope, None, &VacatedOrg::slug(scope.org()), 2_000).await.unwrap());
    app.commit(uow).await.unwrap();
    let text = format!("'{}'", "x".repeat(1_000));
    for (table, column) in
        [("ws_comments", "body"), ("ws_tasks", "description"), ("ws_webhook_messages", "payload")]
    {
        raw.run(&format!("UPDATE {table} SET {column} = {text}")).await;
    }
    // Two rows have less than this, so a portion ends after the third.
    let portion = Portion { rows: 1_000, bytes: 2_500 };
    for table in ["ws_webhook_messages", "ws_comments", "ws_tasks"] {
        let (before, mut portions) = (raw.count(table).await, 0);
        loop {
            let there = raw.count(table).await;
            let mut uow = app.begin().await.unwrap();
            let vacated = VacatedOrg::enter(&mut *uow, scope.org()).await.unwrap().unwrap();
            uow.organizations().clear(&vacated, portion).await.unwrap();
            app.commit(uow).await.unwrap();
            let gone = there - raw.count(table).await;
            assert!(gone <= 3, "{gone} rows of {table} at once");
            portions += i64::from(gone > 0);
            if there == gone {
                break;
            }
        }
        assert_eq!(portions, (before + 2) / 3, "{table}");
    }
}

#[tokio::test]
async fn who_is_in_an_organization_goes_in_portions_and_what_opens_no_door_is_left_to_the_job() {
    let database = workscribe_testkit::databases::postgres().await;
    let app = app(&database, &FrozenClock::default());
    let scope = filled(&app).await;
    let raw = Raw::of(&database).await;
    let org = scope.org();
    raw.run(
        "INSERT INTO ws_users (id, email, display_name, email_verified, session_epoch, version, created_at, updated_at)
         SELECT gen_random_uuid(), 'user' || n || '@example.net', 'A user', true, 0, 1, now(), now() FROM generate_series(1, 35) n",
    )
    .await;
    for statement in [
        "INSERT INTO ws_members (org_id, user_id, role, version, joined_at)
         SELECT 'ORG', id, 'member', 1, now() FROM ws_users WHERE email LIKE '%@example.net'",
        "INSERT INTO ws_invitations (org_id, id, email, role, status, token_hash, invited_by, expires_at, version, created_at)
         SELECT 'ORG', gen_random_uuid(), s || email, 'member', s, sha256('x'), id, now(), 1, now()
           FROM ws_users, unnest(ARRAY['pending', 'accepted']) s WHERE email LIKE '%@example.net'",
    ] {
        raw.run(&statement.replace("ORG", &org.to_string())).await;
    }
    raw.run(
        "CREATE FUNCTION bounded() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM gone) > 10 THEN RAISE EXCEPTION 'too many rows at once'; END IF;
            RETURN NULL;
         END $$",
    )
    .await;
    for table in ["ws_members", "ws_invitations", "ws_webhooks"] {
        raw.run(&format!(
            "CREATE TRIGGER bounded AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
             FOR EACH STATEMENT EXECUTE FUNCTION bounded()"
        ))
        .await;
    }
    let mut uow = app.begin().await.unwrap();
    assert!(uow.organizations().vacate(&scope, None, &VacatedOrg::slug(org), 10).await.unwrap());
    app.commit(uow).await.unwrap();
    assert_eq!((raw.count("ws_members").await, raw.count("ws_webhooks").await), (0, 0));
    assert_eq!(raw.count("ws_invitations WHERE status = 'pending'").await, 0);
    assert_eq!(raw.count("ws_invitations WHERE status = 'accepted'").await, 35, "these open no door");
    let mut uow = app.begin().await.unwrap();
    let vacated = VacatedOrg::enter(&mut *uow, org).await.unwrap().unwrap();
    while uow.organizations().clear(&vacated, Portion::of(10)).await.unwrap() > 0 {}
    app.commit(uow).await.unwrap();
    assert_eq!(raw.count("ws_invitations").await, 0);
}

macro_rules! on_both {
    ($($test:ident)+) => {
        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(workscribe_testkit::databases::postgres().await).await;
            })+
        }
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(workscribe_testkit::databases::sqlite().await).await;
            })+
        }
    };
}

on_both! {
    a_removal_leaves_nothing_for_its_last_statement
    a_removal_of_large_texts_goes_in_portions_of_so_many_bytes
    what_cannot_be_swept_leaves_the_rest
}
