//! Migrations that move rows: from an earlier schema with rows to the current one.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;

use sqlx::{AssertSqlSafe, query, query_scalar};
use workscribe_core::Storage;
use workscribe_core::id::{UserId, WebhookDeliveryId, WebhookId};
use workscribe_core::tenancy::In;
use workscribe_migrations::{POSTGRES, SQLITE};
use workscribe_sql::{Database, PostgresStorage, SqliteStorage};
use workscribe_testkit::databases::{Schema, options};

/// A database, with its own form of values in SQL.
enum Raw {
    Postgres(PostgresStorage),
    Sqlite(SqliteStorage),
}

impl Raw {
    /// Applies the migrations up to this number.
    async fn migrate_to(&self, number: i64) {
        match self {
            Self::Postgres(storage) => POSTGRES.run_to(number, storage.pool()).await.unwrap(),
            Self::Sqlite(storage) => SQLITE.run_to(number, storage.writer()).await.unwrap(),
        }
    }

    fn id(&self, number: u128) -> String {
        match self {
            Self::Postgres(_) => format!("'{}'", uuid::Uuid::from_u128(number)),
            Self::Sqlite(_) => format!("x'{number:032x}'"),
        }
    }

    fn time(&self, seconds: i64) -> String {
        match self {
            Self::Postgres(_) => format!("to_timestamp({seconds})"),
            Self::Sqlite(_) => format!("{seconds}000000"),
        }
    }

    async fn run(&self, statement: String) {
        match self {
            Self::Postgres(storage) => {
                query(AssertSqlSafe(statement)).execute(storage.pool()).await.map(drop).unwrap();
            }
            Self::Sqlite(storage) => {
                query(AssertSqlSafe(statement)).execute(storage.writer()).await.map(drop).unwrap();
            }
        }
    }

    async fn number(&self, statement: &'static str) -> i64 {
        match self {
            Self::Postgres(storage) => query_scalar(statement).fetch_one(storage.pool()).await.unwrap(),
            Self::Sqlite(storage) => query_scalar(statement).fetch_one(storage.writer()).await.unwrap(),
        }
    }

    fn storage(&self) -> Arc<dyn Storage> {
        match self {
            Self::Postgres(storage) => Database::storage(storage),
            Self::Sqlite(storage) => Database::storage(storage),
        }
    }

    /// An organization with one member and two webhooks; number 7 has the webhooks 71 and 72.
    async fn organization(&self, number: u128, user: u128) {
        let (org, user, at) = (self.id(number), self.id(user), self.time(0));
        self.run(format!(
            "INSERT INTO ws_organizations (id, name, slug, version, created_at, updated_at)
             VALUES ({org}, 'An organization', 'org-{number}', 1, {at}, {at})"
        ))
        .await;
        self.run(format!(
            "INSERT INTO ws_members (org_id, user_id, role, version, joined_at) VALUES ({org}, {user}, 'owner', 1, {at})"
        ))
        .await;
        for webhook in [number * 10 + 1, number * 10 + 2] {
            let (webhook, secrets) = (self.id(webhook), self.id(0));
            self.run(format!(
                "INSERT INTO ws_webhooks (org_id, id, url, events, secrets, secrets_key, created_by, version, created_at, updated_at)
                 VALUES ({org}, {webhook}, 'https://example.com/', '*', {secrets}, 'key', {user}, 1, {at}, {at})"
            ))
            .await;
        }
    }
}

/// Deliveries as stored up to migration 0011: organization, id, webhook, message, the text of the message, seconds.
const DELIVERIES: [(u128, u128, u128, u128, &str, i64); 6] = [
    (7, 101, 71, 201, r#"{"type": "task.created", "name": "Ada''s café"}"#, 10),
    (7, 102, 72, 201, r#"{"type": "task.created", "name": "Ada''s café"}"#, 11),
    // Sent again, later than the next message.
    (7, 103, 71, 201, r#"{"type": "task.created", "name": "Ada''s café"}"#, 30),
    (7, 104, 71, 202, r#"{"type": "task.deleted"}"#, 20),
    // Another organization's, with the same ids.
    (8, 101, 81, 201, r#"{"type": "of another"}"#, 5),
    (8, 105, 82, 203, "{}", 6),
];

async fn every_delivery_has_its_message_once_messages_are_stored_once(raw: Raw) {
    raw.migrate_to(11).await;
    let (user, at) = (raw.id(1), raw.time(0));
    raw.run(format!(
        "INSERT INTO ws_users (id, email, display_name, email_verified, session_epoch, version, created_at, updated_at)
         VALUES ({user}, 'ada@example.com', 'Ada Lovelace', TRUE, 0, 1, {at}, {at})"
    ))
    .await;
    raw.organization(7, 1).await;
    raw.organization(8, 1).await;
    for (org, id, webhook, message, payload, seconds) in DELIVERIES {
        let [org, id, webhook, message] = [org, id, webhook, message].map(|number| raw.id(number));
        let at = raw.time(seconds);
        raw.run(format!(
            "INSERT INTO ws_webhook_deliveries (org_id, id, webhook_id, message_id, event, payload, status, attempts,
                                                created_at, finished_at)
             VALUES ({org}, {id}, {webhook}, {message}, 'task.created', '{payload}', 'delivered', 1, {at}, {at})"
        ))
        .await;
    }
    let storage = raw.storage();
    match &raw {
        Raw::Postgres(storage) => storage.migrate().await.unwrap(),
        Raw::Sqlite(storage) => storage.migrate().await.unwrap(),
    }

    for (org, id, webhook, message, payload, seconds) in DELIVERIES {
        let mut uow = storage.read().await.unwrap();
        let user = UserId::from(uuid::Uuid::from_u128(1));
        let scope = *In::organization(&mut *uow, &format!("org-{org}"), user).await.unwrap().scope();
        let [id, webhook, message] = [id, webhook, message].map(uuid::Uuid::from_u128);
        let found = uow
            .webhooks()
            .delivery(&scope, WebhookId::from(webhook), WebhookDeliveryId::from(id))
            .await
            .unwrap();
        let found = found.unwrap_or_else(|| panic!("{id} of {org} is there"));
        assert_eq!(found.payload, Some(payload.replace("''", "'")));
        assert_eq!((found.message_id, found.created_at.timestamp()), (message.into(), seconds));
    }
    assert_eq!(raw.number("SELECT count(*) FROM ws_webhook_deliveries").await, 6);
    assert_eq!(raw.number("SELECT count(*) FROM ws_webhook_messages").await, 4, "each is there once");
    let of_the_first = "SELECT count(*) FROM ws_webhook_messages m
                         WHERE m.created_at = (SELECT min(d.created_at) FROM ws_webhook_deliveries d
                                                WHERE d.org_id = m.org_id AND d.message_id = m.id)";
    assert_eq!(raw.number(of_the_first).await, 4, "as old as its first delivery");
}

#[tokio::test]
async fn every_delivery_has_its_message_once_messages_are_stored_once_on_postgres() {
    let schema = Schema::new().await;
    let storage = PostgresStorage::connect(&schema.url, &options()).await.unwrap();
    every_delivery_has_its_message_once_messages_are_stored_once(Raw::Postgres(storage)).await;
}

#[tokio::test]
async fn every_delivery_has_its_message_once_messages_are_stored_once_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("workscribe.db").display());
    let storage = SqliteStorage::connect(&url, &options()).await.unwrap();
    every_delivery_has_its_message_once_messages_are_stored_once(Raw::Sqlite(storage)).await;
}
