//! Deliveries to webhooks, over HTTP.

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
    /// Deliveries to webhooks.
    DeliveriesApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Webhooks")]
impl DeliveriesApi {
    /// List a webhook's deliveries
    ///
    /// Returns the deliveries, newest first. They are kept for 30 days. Requires an admin or an owner.
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
    /// Returns the delivery with the body of the message and the result of each attempt. Requires an admin or an owner.
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
    /// Creates a delivery with the same `message_id` and body, whatever the status of the first one. Requires an admin or an owner.
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
    /// The status of a delivery.
    WebhookDeliveryStatus = webhooks::DeliveryStatus;
}

params! {
    /// Which deliveries to list.
    StatusFilter {
        /// Only deliveries with this status.
        status: DeliveryStatus,
    } => Option<DeliveryStatus> = status;
}

answers! {
    /// The delivery of a message to a webhook.
    WebhookDelivery of delivery: webhooks::WebhookDelivery {
        /// The id of the delivery.
        id: Uuid,
        /// The id of the webhook.
        webhook_id: Uuid,
        /// The id by which the receiver recognizes repeats: the `webhook-id` of every attempt, also when the message is sent again.
        message_id: Uuid,
        /// The event of the message.
        event: WebhookEvent,
        /// The status.
        status: WebhookDeliveryStatus,
        /// The number of attempts.
        attempt_count: i64 = delivery.attempts,
        /// When the next attempt is due, at the earliest; null unless an attempt failed and the delivery is pending.
        next_attempt_at: Nullable<Time>,
        /// When the delivery was created.
        created_at: Time,
        /// When the message was delivered, or when the delivery failed for good.
        finished_at: Nullable<Time>,
    }
}

lists! {
    /// A page of deliveries, newest first.
    WebhookDeliveryList {
        /// The deliveries.
        deliveries: WebhookDelivery
    }
}

answers! {
    /// One attempt at a delivery.
    WebhookAttempt of attempt: webhooks::DeliveryAttempt {
        /// The number of the attempt, from 1.
        number: i64,
        /// When the attempt began.
        at: Time,
        /// How long the attempt took, in milliseconds.
        duration_ms: i64 = i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX),
        /// The HTTP status of the response, if there was one. The rest of the response is not stored.
        response_status: Nullable<u16>,
        /// Why the attempt failed; null if it succeeded.
        error: Nullable<String>,
    }
}

/// A delivery, with the body of the message and the attempts.
#[derive(Object, Serialize)]
pub struct WebhookDeliveryDetail {
    /// The delivery.
    #[oai(flatten)]
    #[serde(flatten)]
    pub delivery: WebhookDelivery,
    /// The body of the message.
    pub payload: SentMessage,
    /// The attempts, in order.
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
    /// The event.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: WebhookEvent,
    /// When it happened.
    pub timestamp: Time,
    /// The id of the organization.
    pub organization_id: Uuid,
    /// The id of the user who caused it.
    pub actor_id: Uuid,
    /// The data of the event, by its type: see the section Webhooks.
    pub data: BTreeMap<String, Value>,
}

/// A [`WebhookMessage`] as this version or an earlier one sent it.
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
