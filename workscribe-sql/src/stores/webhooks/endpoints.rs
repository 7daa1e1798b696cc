//! The endpoints of organizations. `deliveries.rs` has the deliveries to them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::types::Uuid;
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, UserId, WebhookDeliveryId, WebhookId};
use workscribe_core::identity::Sealed;
use workscribe_core::page::PageRequest;
use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::webhooks::{
    DeliveryAttempt, DeliveryPass, DeliveryState, DeliveryStatus, Disabled, DisabledReason, EnteredDelivery,
    EventSet, Resealing, Subscription, Webhook, WebhookDelivery, WebhookStore,
};
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::deliveries::{AttemptRow, DeliveryRow, EnteredRow};
use super::pending::{ROWS_AT_ONCE, Statement, Write, push_rows};
use super::{Ts, Unit, after, before, named};

/// How many deliveries one statement removes: a log of 30 days may have too many for the time limit of one statement.
const PORTION: i64 = 5_000;

#[derive(FromRow)]
pub(crate) struct WebhookRow {
    webhook_id: Uuid,
    url: String,
    description: Option<String>,
    events: String,
    disabled_reason: Option<String>,
    disabled_at: Option<Ts>,
    secrets: Vec<u8>,
    secrets_key: String,
    previous_until: Option<Ts>,
    last_success_at: Option<Ts>,
    created_by: Uuid,
    webhook_version: i64,
    webhook_created_at: Ts,
    webhook_updated_at: Ts,
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = StoreError;

    fn try_from(row: WebhookRow) -> StoreResult<Self> {
        let disabled = match (row.disabled_reason, row.disabled_at) {
            (Some(reason), Some(Ts(at))) => {
                let reason = named("ws_webhooks", "disabled_reason", &reason, DisabledReason::parse)?;
                Some(Disabled { reason, at })
            }
            _ => None,
        };
        Ok(Self {
            id: row.webhook_id.into(),
            url: row.url,
            description: row.description,
            events: EventSet::from_stored(&row.events),
            disabled,
            secrets: Sealed { key_id: row.secrets_key, bytes: row.secrets },
            previous_until: row.previous_until.map(|Ts(at)| at),
            last_success_at: row.last_success_at.map(|Ts(at)| at),
            created_by: row.created_by.into(),
            version: row.webhook_version,
            created_at: row.webhook_created_at.0,
            updated_at: row.webhook_updated_at.0,
        })
    }
}

#[async_trait]
impl WebhookStore for Unit {
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> StoreResult<Vec<Webhook>> {
        let (at, id) = after(page);
        let list = query_as::<_, WebhookRow>(concat!(
            "SELECT ",
            webhook_columns!(),
            " FROM ws_webhooks w WHERE w.org_id = $1 AND (w.created_at, w.id) > ($2, $3)
              ORDER BY w.created_at, w.id LIMIT $4"
        ))
        .bind_all((scope, at, id, page.fetch()));
        self.all("ws_webhooks: list", list).await?.into_iter().map(Webhook::try_from).collect()
    }

    async fn count(&mut self, scope: &OrgScope) -> StoreResult<i64> {
        let count = query_as::<_, (i64,)>("SELECT count(*) FROM ws_webhooks WHERE org_id = $1")
            .bind(scope.org().as_uuid());
        Ok(self.one("ws_webhooks: count", count).await?.0)
    }

    async fn find(&mut self, scope: &OrgScope, id: WebhookId) -> StoreResult<Option<Webhook>> {
        let find = query_as::<_, WebhookRow>(concat!(
            "SELECT ",
            webhook_columns!(),
            " FROM ws_webhooks w WHERE w.org_id = $1 AND w.id = $2"
        ))
        .bind_all((scope, id));
        self.optional("ws_webhooks: find", find).await?.map(Webhook::try_from).transpose()
    }

    async fn lock(&mut self, scope: &OrgScope, id: WebhookId) -> StoreResult<Option<Webhook>> {
        let lock = query_as::<_, WebhookRow>(concat!(
            "SELECT ",
            webhook_columns!(),
            " FROM ws_webhooks w WHERE w.org_id = $1 AND w.id = $2",
            for_update!()
        ))
        .bind_all((scope, id));
        self.optional("ws_webhooks: lock", lock).await?.map(Webhook::try_from).transpose()
    }

    async fn insert(&mut self, scope: &OrgScope, webhook: &Webhook) -> StoreResult<()> {
        let insert = query(
            "INSERT INTO ws_webhooks (org_id, id, url, description, events, disabled_reason, disabled_at, secrets,
                                      secrets_key, previous_until, last_success_at, created_by, version, created_at,
                                      updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind_all((
            scope, webhook.id, &webhook.url, &webhook.description, webhook.events.to_stored(),
            webhook.disabled.map(|disabled| disabled.reason.as_str()),
            webhook.disabled.map(|disabled| Ts(disabled.at)), &webhook.secrets.bytes,
            &webhook.secrets.key_id, webhook.previous_until, webhook.last_success_at, webhook.created_by,
            webhook.version, webhook.created_at, webhook.updated_at,
        ));
        self.execute("ws_webhooks: insert", insert).await?;
        Ok(())
    }

    async fn update(&mut self, scope: &OrgScope, webhook: &Webhook) -> StoreResult<()> {
        let update = query(
            "UPDATE ws_webhooks
                SET url = $3, description = $4, events = $5, disabled_reason = $6, disabled_at = $7, secrets = $8,
                    secrets_key = $9, previous_until = $10, version = $11, updated_at = $12
              WHERE org_id = $1 AND id = $2",
        )
        .bind_all((
            scope, webhook.id, &webhook.url, &webhook.description, webhook.events.to_stored(),
            webhook.disabled.map(|disabled| disabled.reason.as_str()),
            webhook.disabled.map(|disabled| Ts(disabled.at)), &webhook.secrets.bytes,
            &webhook.secrets.key_id, webhook.previous_until, webhook.version, webhook.updated_at,
        ));
        self.execute("ws_webhooks: update", update).await?;
        Ok(())
    }

    async fn delete(&mut self, scope: &OrgScope, id: WebhookId) -> StoreResult<()> {
        loop {
            let portion = query(
                "DELETE FROM ws_webhook_deliveries
                  WHERE org_id = $1 AND id IN (SELECT id FROM ws_webhook_deliveries
                                                WHERE org_id = $1 AND webhook_id = $2 LIMIT $3)",
            )
            .bind_all((scope, id, PORTION));
            if self.execute("ws_webhook_deliveries: delete of webhook", portion).await? == 0 {
                break;
            }
        }
        let delete = query("DELETE FROM ws_webhooks WHERE org_id = $1 AND id = $2").bind_all((scope, id));
        self.execute("ws_webhooks: delete", delete).await?;
        Ok(())
    }

    async fn subscriptions(&mut self, scope: &OrgScope) -> StoreResult<Vec<Subscription>> {
        let find = query_as::<_, (Uuid, String)>(
            "SELECT id, events FROM ws_webhooks WHERE org_id = $1 AND disabled_at IS NULL ORDER BY id",
        )
        .bind(scope.org().as_uuid());
        let rows = self.all("ws_webhooks: subscriptions", find).await?;
        Ok(rows
            .into_iter()
            .map(|(id, events)| Subscription { id: id.into(), events: EventSet::from_stored(&events) })
            .collect())
    }

    async fn add_deliveries(&mut self, scope: &OrgScope, deliveries: &[WebhookDelivery]) -> StoreResult<()> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let org = scope.org().as_uuid();
        let messages: BTreeMap<_, _> =
            deliveries.iter().map(|delivery| (delivery.message_id, delivery)).collect();
        for messages in messages.into_values().cloned().collect::<Vec<_>>().chunks(ROWS_AT_ONCE) {
            let (name, rows, messages) = ("ws_webhook_messages: add", messages.len(), messages.to_vec());
            let push = move |insert: &mut Statement| {
                insert.push("INSERT INTO ws_webhook_messages (org_id, id, payload, created_at) ");
                push_rows(insert, messages, |row, delivery| {
                    row.push_bind(org)
                        .push_bind(delivery.message_id.as_uuid())
                        .push_bind(delivery.payload.unwrap_or_default())
                        .push_bind(Ts(delivery.created_at));
                });
                // A message that is sent again is already stored.
                insert.push(" ON CONFLICT (org_id, id) DO NOTHING");
            };
            self.write_later(Write { name, rows, updates: vec![], push: Box::new(push) }).await?;
        }
        for deliveries in deliveries.chunks(ROWS_AT_ONCE) {
            let (name, rows, deliveries) =
                ("ws_webhook_deliveries: add", deliveries.len(), deliveries.to_vec());
            let push = move |insert: &mut Statement| {
                insert.push(
                    "INSERT INTO ws_webhook_deliveries (org_id, id, webhook_id, message_id, event, status, attempts,
                                                        created_at) ",
                );
                push_rows(insert, deliveries, |row, delivery| {
                    row.push_bind(org)
                        .push_bind(delivery.id.as_uuid())
                        .push_bind(delivery.webhook_id.as_uuid())
                        .push_bind(delivery.message_id.as_uuid())
                        .push_bind(delivery.event.as_str())
                        .push_bind("pending")
                        .push_bind(0_i64)
                        .push_bind(Ts(delivery.created_at));
                });
            };
            self.write_later(Write { name, rows, updates: vec![], push: Box::new(push) }).await?;
        }
        Ok(())
    }

    async fn deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        page: &PageRequest,
    ) -> StoreResult<Vec<WebhookDelivery>> {
        let (at, id) = before(page);
        let list = query_as::<_, DeliveryRow>(concat!(
            "SELECT ",
            delivery_columns!("NULL"),
            " FROM ws_webhook_deliveries d
              WHERE d.org_id = $1 AND d.webhook_id = $2 AND (d.created_at, d.id) < ($3, $4)
                AND ($5 IS NULL OR d.status = $5)
              ORDER BY d.created_at DESC, d.id DESC LIMIT $6"
        ))
        .bind_all((scope, webhook, at, id, status.map(DeliveryStatus::as_str), page.fetch()));
        self.all("ws_webhook_deliveries: list", list).await?.into_iter().map(TryFrom::try_from).collect()
    }

    async fn count_deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
    ) -> StoreResult<i64> {
        let count = query_as::<_, (i64,)>(
            "SELECT count(*) FROM ws_webhook_deliveries
              WHERE org_id = $1 AND webhook_id = $2 AND ($3 IS NULL OR status = $3)",
        )
        .bind_all((scope, webhook, status.map(DeliveryStatus::as_str)));
        Ok(self.one("ws_webhook_deliveries: count", count).await?.0)
    }

    async fn delivery(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        id: WebhookDeliveryId,
    ) -> StoreResult<Option<WebhookDelivery>> {
        let find = query_as::<_, DeliveryRow>(concat!(
            "SELECT ",
            delivery_columns!("m.payload"),
            " FROM ws_webhook_deliveries d
               JOIN ws_webhook_messages m ON m.org_id = $1 AND m.id = d.message_id
              WHERE d.org_id = $1 AND d.webhook_id = $2 AND d.id = $3"
        ))
        .bind_all((scope, webhook, id));
        self.optional("ws_webhook_deliveries: find", find).await?.map(TryFrom::try_from).transpose()
    }

    async fn attempts(
        &mut self,
        scope: &OrgScope,
        delivery: WebhookDeliveryId,
    ) -> StoreResult<Vec<DeliveryAttempt>> {
        let list = query_as::<_, AttemptRow>(
            "SELECT number, at, took_ms, response_status, error FROM ws_webhook_attempts
              WHERE org_id = $1 AND delivery_id = $2 ORDER BY number",
        )
        .bind_all((scope, delivery));
        self.all("ws_webhook_attempts: list", list).await?.into_iter().map(TryFrom::try_from).collect()
    }

    async fn enter_delivery(
        &mut self,
        org: OrgId,
        delivery: WebhookDeliveryId,
    ) -> StoreResult<Option<EnteredDelivery>> {
        let find = query_as::<_, EnteredRow>(concat!(
            "SELECT ",
            delivery_columns!("m.payload"),
            ", ",
            webhook_columns!(),
            ", o.name AS org_name, o.slug AS org_slug
               FROM ws_webhook_deliveries d
               JOIN ws_webhook_messages m ON m.org_id = $1 AND m.id = d.message_id
               JOIN ws_webhooks w ON w.org_id = d.org_id AND w.id = d.webhook_id
               JOIN ws_organizations o ON o.id = d.org_id
              WHERE d.org_id = $1 AND d.id = $2"
        ))
        .bind_all((org, delivery));
        self.optional("ws_webhook_deliveries: enter", find).await?.map(TryFrom::try_from).transpose()
    }

    async fn note_attempt(
        &mut self,
        pass: &DeliveryPass,
        attempt: Option<&DeliveryAttempt>,
        DeliveryState { status, next_attempt_at }: DeliveryState,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let known = i64::from(pass.delivery().attempts);
        let update = query(
            "UPDATE ws_webhook_deliveries SET status = $4, attempts = $5, next_attempt_at = $6, finished_at = $7
              WHERE org_id = $1 AND id = $2 AND status = 'pending' AND attempts = $3",
        )
        .bind_all((
            pass.org(), pass.delivery().id, known, status.as_str(),
            attempt.map_or(known, |attempt| i64::from(attempt.number)), next_attempt_at,
            (status != DeliveryStatus::Pending).then_some(Ts(now)),
        ));
        if self.execute("ws_webhook_deliveries: note attempt", update).await? == 0 {
            return Ok(false);
        }
        let Some(attempt) = attempt else { return Ok(true) };
        let insert = query(
            "INSERT INTO ws_webhook_attempts (org_id, delivery_id, number, at, took_ms, response_status, error)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind_all((
            pass.org(), pass.delivery().id, attempt.number, attempt.at, milliseconds(attempt.took),
            attempt.response_status.map(i64::from), &attempt.error,
        ));
        self.execute("ws_webhook_attempts: insert", insert).await?;
        Ok(true)
    }

    async fn note_success(&mut self, pass: &DeliveryPass, now: Timestamp) -> StoreResult<()> {
        let update = query("UPDATE ws_webhooks SET last_success_at = $3 WHERE org_id = $1 AND id = $2")
            .bind_all((pass.org(), pass.webhook().id, now));
        self.execute("ws_webhooks: note success", update).await?;
        Ok(())
    }

    async fn turn_off(
        &mut self,
        pass: &DeliveryPass,
        disabled: Disabled,
        unless_since: Option<Timestamp>,
    ) -> StoreResult<bool> {
        let update = query(
            "UPDATE ws_webhooks
                SET disabled_reason = $3, disabled_at = $4, version = version + 1, updated_at = $4
              WHERE org_id = $1 AND id = $2 AND disabled_at IS NULL
                AND ($5 IS NULL OR last_success_at IS NULL OR last_success_at < $5)",
        )
        .bind_all((
            pass.org(),
            pass.webhook().id,
            disabled.reason.as_str(),
            disabled.at,
            unless_since,
        ));
        Ok(self.execute("ws_webhooks: turn off", update).await? > 0)
    }

    async fn owners(&mut self, pass: &DeliveryPass) -> StoreResult<Vec<UserId>> {
        let find = query_as::<_, (Uuid,)>(
            "SELECT user_id FROM ws_members WHERE org_id = $1 AND role = 'owner' ORDER BY user_id",
        )
        .bind(pass.org().as_uuid());
        Ok(self.all("ws_members: owners", find).await?.into_iter().map(|(id,)| id.into()).collect())
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64> {
        let sweep = query(
            "DELETE FROM ws_webhook_deliveries
              WHERE (org_id, id) IN (SELECT org_id, id FROM ws_webhook_deliveries
                                      WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        )
        .bind_all((before, limit));
        self.execute("ws_webhook_deliveries: sweep", sweep).await
    }

    async fn sweep_messages(&mut self, before: Timestamp, portion: Portion) -> StoreResult<u64> {
        self.remove_old_messages(before, portion).await
    }

    async fn sealed_otherwise(&mut self, key_id: &str, limit: u32) -> StoreResult<Vec<Resealing>> {
        let find = query_as::<_, (Uuid, Uuid, String, Vec<u8>)>(
            "SELECT org_id, id, secrets_key, secrets FROM ws_webhooks WHERE secrets_key <> $1 LIMIT $2",
        )
        .bind_all((key_id, limit));
        let rows = self.all("ws_webhooks: sealed otherwise", find).await?;
        Ok(rows
            .into_iter()
            .map(|(org, webhook, key_id, bytes)| Resealing {
                org: org.into(),
                webhook: webhook.into(),
                secrets: Sealed { key_id, bytes },
            })
            .collect())
    }

    async fn reseal(&mut self, which: &Resealing, secrets: &Sealed) -> StoreResult<()> {
        let update = query(
            "UPDATE ws_webhooks SET secrets = $3, secrets_key = $4
              WHERE org_id = $1 AND id = $2 AND secrets_key = $5 AND secrets = $6",
        )
        .bind_all((
            which.org,
            which.webhook,
            &secrets.bytes,
            &secrets.key_id,
            &which.secrets.key_id,
            &which.secrets.bytes,
        ));
        self.execute("ws_webhooks: reseal", update).await?;
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
