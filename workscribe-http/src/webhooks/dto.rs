//! Webhooks and what is sent to them, on the wire.

use std::borrow::Cow;
use std::collections::BTreeMap;

use poem_openapi::Object;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, ParseResult, ToJSON, Type};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use workscribe_core::Error;
use workscribe_core::webhooks::{self, WebhookChange};

use crate::dto::{answers, inputs, lists};
pub use crate::events::WebhookEvent;
use crate::field::{Clearable, Nullable, Patch, Required};
use crate::time::Time;
use crate::wire::{SigningSecret, WebhookUrl, named};

named! {
    /// Why a webhook is off.
    WebhookDisabledReason = webhooks::DisabledReason;

    /// Where a delivery stands.
    WebhookDeliveryStatus = webhooks::DeliveryStatus;
}

answers! {
    /// An endpoint that is told of what happens.
    Webhook of webhook: webhooks::Webhook {
        /// Its id.
        id: Uuid,
        /// Where messages are sent.
        url: WebhookUrl,
        /// What it is for.
        description: Nullable<String>,
        /// The names of the events that it asks for, or `*` alone for all of them.
        events: Vec<String> = webhook.events.names().into_iter().map(str::to_owned).collect::<Vec<_>>(),
        /// Whether messages are sent to it.
        is_enabled: bool = webhook.disabled.is_none(),
        /// Why it is off; null while it is on.
        disabled_reason: Nullable<WebhookDisabledReason> = webhook.disabled.map(|disabled| disabled.reason),
        /// Since when it is off; null while it is on.
        disabled_at: Nullable<Time> = webhook.disabled.map(|disabled| disabled.at),
        /// When it last took a message.
        last_success_at: Nullable<Time>,
        /// The user who made it.
        created_by: Uuid,
        /// When it was made.
        created_at: Time,
        /// When it was last changed.
        updated_at: Time,
    }
}

answers! {
    /// An endpoint, and the secret with which its messages are signed.
    WebhookWithSecret of (webhook, secret): (webhooks::Webhook, webhooks::SigningSecret) {
        /// The endpoint.
        #[oai(flatten)]
        #[serde(flatten)]
        webhook: Webhook = webhook,
        /// `whsec_` and base64, as the libraries of Standard Webhooks take it. It is not shown again.
        secret: SigningSecret = secret.expose(),
    }
}

lists! {
    /// A page of webhooks, the oldest first.
    WebhookList {
        /// The webhooks.
        webhooks: Webhook
    }
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

impl Type for SentMessage {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        WebhookMessage::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        WebhookMessage::schema_ref()
    }

    fn register(registry: &mut Registry) {
        WebhookMessage::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(std::iter::once(self))
    }
}

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

inputs! {
    /// A new webhook.
    CreateWebhookRequest {
        /// Where messages are sent: an HTTPS URL of at most 2,000 characters that can be reached from the public internet,
        /// without a user name and without a fragment.
        #[oai(validator(max_length = 2000))]
        url: Required<WebhookUrl>,
        /// What it is for: at most 200 characters.
        #[oai(validator(max_length = 200))]
        description: Clearable<String>,
        /// Names of events, or `*` for all of them, those of later versions too.
        #[oai(validator(min_items = 1, max_items = 50))]
        events: Required<Vec<String>>,
        /// Whether messages are sent to it: `true` unless given.
        is_enabled: Patch<bool>,
    } => WebhookChange = WebhookChange { url: Some(url), description, events: Some(events), is_enabled };

    /// A change of a webhook. What is left out stays as it is.
    UpdateWebhookRequest {
        /// As for a new webhook.
        #[oai(validator(max_length = 2000))]
        url: Patch<WebhookUrl>,
        /// At most 200 characters, or null for none.
        #[oai(validator(max_length = 200))]
        description: Clearable<String>,
        /// As for a new webhook; in the place of those that it asks for.
        #[oai(validator(min_items = 1, max_items = 50))]
        events: Patch<Vec<String>>,
        /// `false` turns it off; `true` turns it on, whatever turned it off.
        is_enabled: Patch<bool>,
    } => WebhookChange = WebhookChange { url, description, events, is_enabled };
}
