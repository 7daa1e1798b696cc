//! Messages and deliveries: their rows, and how they change and end.

use std::time::Duration;

use sqlx::types::Uuid;
use sqlx::{FromRow, query};
use workscribe_core::clock::Timestamp;
use workscribe_core::events::EventKind;
use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::Slug;
use workscribe_core::webhooks::{DeliveryAttempt, DeliveryStatus, EnteredDelivery, WebhookDelivery};
use workscribe_core::{StoreError, StoreResult};

use super::bind::BindAll as _;
use super::endpoints::WebhookRow;
use super::{Ts, Unit, named};
use crate::error::corrupt;

const TABLE: &str = "ws_webhook_deliveries";

#[derive(FromRow)]
pub(crate) struct DeliveryRow {
    delivery_id: Uuid,
    delivered_to: Uuid,
    message_id: Uuid,
    event: String,
    payload: Option<String>,
    status: String,
    attempts: i64,
    next_attempt_at: Option<Ts>,
    delivery_created_at: Ts,
    finished_at: Option<Ts>,
}

impl TryFrom<DeliveryRow> for WebhookDelivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> StoreResult<Self> {
        Ok(Self {
            id: row.delivery_id.into(),
            webhook_id: row.delivered_to.into(),
            message_id: row.message_id.into(),
            event: named(TABLE, "event", &row.event, EventKind::parse)?,
            payload: row.payload,
            status: named(TABLE, "status", &row.status, DeliveryStatus::parse)?,
            attempts: number(TABLE, "attempts", row.attempts)?,
            next_attempt_at: row.next_attempt_at.map(|Ts(at)| at),
            created_at: row.delivery_created_at.0,
            finished_at: row.finished_at.map(|Ts(at)| at),
        })
    }
}

#[derive(FromRow)]
pub(crate) struct EnteredRow {
    #[sqlx(flatten)]
    delivery: DeliveryRow,
    #[sqlx(flatten)]
    webhook: WebhookRow,
    org_name: String,
    org_slug: String,
}

impl TryFrom<EnteredRow> for EnteredDelivery {
    type Error = StoreError;

    fn try_from(row: EnteredRow) -> StoreResult<Self> {
        Ok(Self {
            delivery: row.delivery.try_into()?,
            webhook: row.webhook.try_into()?,
            org_name: row.org_name,
            org_slug: Slug::from_stored(row.org_slug),
        })
    }
}

#[derive(FromRow)]
pub(crate) struct AttemptRow {
    number: i64,
    at: Ts,
    took_ms: i64,
    response_status: Option<i64>,
    error: Option<String>,
}

impl TryFrom<AttemptRow> for DeliveryAttempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> StoreResult<Self> {
        const TABLE: &str = "ws_webhook_attempts";
        Ok(Self {
            number: number(TABLE, "number", row.number)?,
            at: row.at.0,
            took: Duration::from_millis(number(TABLE, "took_ms", row.took_ms)?),
            response_status: row
                .response_status
                .map(|status| number(TABLE, "response_status", status))
                .transpose()?,
            error: row.error,
        })
    }
}

fn number<T: TryFrom<i64>>(table: &'static str, column: &str, value: i64) -> StoreResult<T> {
    T::try_from(value).map_err(|_| corrupt(table, format!("{column} is {value}")))
}

impl Unit {
    /// Removes old messages that no delivery refers to. A message that was sent again stays until that delivery is removed.
    pub(crate) async fn remove_old_messages(
        &mut self,
        before: Timestamp,
        portion: Portion,
    ) -> StoreResult<u64> {
        let delete = query(concat!(
            "DELETE FROM ws_webhook_messages WHERE (org_id, id) IN (",
            first_bytes!(
                "org_id, id",
                "created_at, org_id, id",
                "$3",
                concat!(
                    "SELECT m.org_id, m.id, m.created_at, ",
                    bytes_of!("m.payload"),
                    " AS bytes FROM ws_webhook_messages m
                      WHERE m.created_at < $1
                        AND NOT EXISTS (SELECT 1 FROM ws_webhook_deliveries d
                                         WHERE d.org_id = m.org_id AND d.message_id = m.id)
                      ORDER BY m.created_at LIMIT $2"
                )
            ),
            ")"
        ))
        .bind_all((before, portion.rows, portion.bytes));
        self.execute("ws_webhook_messages: sweep", delete).await
    }
}
