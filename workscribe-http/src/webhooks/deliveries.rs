//! What was sent to webhooks, over HTTP.

use std::collections::BTreeMap;

use poem_openapi::Object;
use poem_openapi::types::{ParseFromJSON, ParseResult, ToJSON};
use serde::Serialize;
use serde_json::Value;
use workscribe_core::Code::{DeliveryNotFound, RateLimited, WebhookDisabled, WebhookNotFound};
use workscribe_core::Error;
use workscribe_core::id::{WebhookDeliveryId, WebhookId};
use workscribe_core::webhooks::{self, DeliveryFilter, DeliveryStatus};

pub use crate::events::WebhookEvent;
use crate::prelude::*;

api! {
    /// What was sent to webhooks.
    DeliveriesApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Webhooks")]
impl DeliveriesApi {
    /// List deliveries
    ///
    /// The newest first. They are kept for 30 days. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/deliveries",
        method = "get",
        operation_id = "listWebhookDeliveries"
    )]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        asked: Asked<(StatusFilter, Paging)>,
    ) -> ApiResult<Reply<WebhookDeliveryList>, { IN_ORGANIZATION | codes(&[WebhookNotFound]) }> {
        let (status, page) = asked.0;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let of = DeliveryFilter { webhook: webhook_id.read()?, status };
        let found = self.app.webhooks().deliveries(&mut *uow, at.scope(), of, &page).await?;
        Ok(Reply::new(found))
    }

    /// Get a delivery
    ///
    /// With what is sent, and what came of each attempt. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/deliveries/:delivery_id",
        method = "get",
        operation_id = "getWebhookDelivery"
    )]
    async fn get(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        delivery_id: Path<Id<WebhookDeliveryId>>,
    ) -> ApiResult<
        Reply<WebhookDeliveryDetail>,
        { IN_ORGANIZATION | codes(&[WebhookNotFound, DeliveryNotFound]) },
    > {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let (id, delivery) = (webhook_id.read()?, delivery_id.read()?);
        let (found, attempts) = self.app.webhooks().delivery(&mut *uow, at.scope(), id, delivery).await?;
        Ok(Reply::new(WebhookDeliveryDetail::of(found, attempts)?))
    }

    /// Send a delivery again
    ///
    /// As a delivery of its own with the same `message_id` and body, wherever the first one stands. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/deliveries/:delivery_id/redeliver",
        method = "post",
        operation_id = "redeliverWebhook"
    )]
    async fn redeliver(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        delivery_id: Path<Id<WebhookDeliveryId>>,
    ) -> ApiResult<
        Accepted<WebhookDelivery>,
        { IN_ORGANIZATION | codes(&[WebhookNotFound, DeliveryNotFound, WebhookDisabled, RateLimited]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let (id, delivery) = (webhook_id.read()?, delivery_id.read()?);
        let again = self.app.webhooks().redeliver(&mut *uow, at.scope(), id, delivery).await?;
        self.app.commit(uow).await?;
        Ok(Accepted::new(again))
    }
}

named! {
    /// Where a delivery stands.
    WebhookDeliveryStatus = webhooks::DeliveryStatus;
}

params! {
    /// Which deliveries to list.
    StatusFilter {
        /// Only those that stand there.
        status: DeliveryStatus,
    } => Option<DeliveryStatus> = status;
}

answers! {
    /// A message on its way to a webhook.
    WebhookDelivery of delivery: webhooks::WebhookDelivery {
        /// Its id.
        id: Uuid,
        /// To which webhook.
        webhook_id: Uuid,
        /// What the receiver tells repeats by: the `webhook-id` of every attempt, also when it is sent again.
        message_id: Uuid,
        /// What it tells of.
        event: WebhookEvent,
        /// Where it stands.
        status: WebhookDeliveryStatus,
        /// How often it was tried.
        attempt_count: i64 = delivery.attempts,
        /// When it is tried again, at the earliest; null unless it failed and is pending.
        next_attempt_at: Nullable<Time>,
        /// When it was made.
        created_at: Time,
        /// When it was taken or given up.
        finished_at: Nullable<Time>,
    }
}

lists! {
    /// A page of deliveries, the newest first.
    WebhookDeliveryList {
        /// The deliveries.
        deliveries: WebhookDelivery
    }
}

answers! {
    /// One attempt at a delivery.
    WebhookAttempt of attempt: webhooks::DeliveryAttempt {
        /// Which one, from 1.
        number: i64,
        /// When it began.
        at: Time,
        /// How long it took, in milliseconds.
        duration_ms: i64 = i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX),
        /// The HTTP status of the answer, if there was one. What else was answered is not kept.
        response_status: Nullable<u16>,
        /// Why it failed; null if it did not.
        error: Nullable<String>,
    }
}

/// A delivery with what is sent, and what came of it.
#[derive(Object, Serialize)]
pub struct WebhookDeliveryDetail {
    /// The delivery.
    #[oai(flatten)]
    #[serde(flatten)]
    pub delivery: WebhookDelivery,
    /// The body that is sent.
    pub payload: SentMessage,
    /// The attempts in order.
    pub attempts: Vec<WebhookAttempt>,
}

impl WebhookDeliveryDetail {
    pub(super) fn of(
        delivery: webhooks::WebhookDelivery,
        attempts: Vec<webhooks::DeliveryAttempt>,
    ) -> Result<Self, Error> {
        let payload = serde_json::from_str(delivery.payload.as_deref().unwrap_or_default())
            .map_err(|_| Error::internal("the payload of a delivery is not JSON"))?;
        Ok(Self {
            delivery: delivery.into(),
            payload: SentMessage(payload),
            attempts: attempts.into_iter().map(WebhookAttempt::from).collect(),
        })
    }
}

/// The body of a message to a webhook.
#[derive(Object, Serialize)]
pub struct WebhookMessage {
    /// What it tells of.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: WebhookEvent,
    /// When that was.
    pub timestamp: Time,
    /// In which organization.
    pub organization_id: Uuid,
    /// The user who did it.
    pub actor_id: Uuid,
    /// What is told, by the kind of event: see the section Webhooks.
    pub data: BTreeMap<String, Value>,
}

/// A [`WebhookMessage`] as it was sent, by this version or by an earlier one.
#[derive(Serialize)]
#[serde(transparent)]
pub struct SentMessage(pub Value);

opaque!(SentMessage, WebhookMessage::name(), WebhookMessage::schema_ref(), registry => {
    WebhookMessage::register(registry)
});

impl ToJSON for SentMessage {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

impl ParseFromJSON for SentMessage {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Ok(Self(value.unwrap_or_default()))
    }
}
