use std::borrow::Cow;

use poem_openapi::Object;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{MaybeUndefined, ParseFromJSON, ParseResult, ToJSON, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use workscribe_core::{Error, webhooks};

use crate::time::Time;
use crate::wire::{RichText, wire_names};

wire_names! {
    /// What a message tells of.
    WebhookEvent = webhooks::WebhookEvent {
        /// Somebody joined.
        MemberJoined = "member.joined",
        /// A member's role was changed.
        MemberRoleChanged = "member.role_changed",
        /// Somebody left or was removed.
        MemberRemoved = "member.removed",
        /// Somebody was invited.
        InvitationCreated = "invitation.created",
        /// An invitation was taken back.
        InvitationRevoked = "invitation.revoked",
        /// A project was made.
        ProjectCreated = "project.created",
        /// A project was changed, archived or restored.
        ProjectUpdated = "project.updated",
        /// A status was made.
        StatusCreated = "status.created",
        /// A status was changed or moved.
        StatusUpdated = "status.updated",
        /// A status was removed.
        StatusDeleted = "status.deleted",
        /// A label was made.
        LabelCreated = "label.created",
        /// A label was changed.
        LabelUpdated = "label.updated",
        /// A label was removed.
        LabelDeleted = "label.deleted",
        /// A task was made.
        TaskCreated = "task.created",
        /// Fields of a task were changed.
        TaskUpdated = "task.updated",
        /// A task was removed.
        TaskDeleted = "task.deleted",
        /// A comment was made.
        CommentCreated = "comment.created",
        /// A comment was changed.
        CommentUpdated = "comment.updated",
        /// A comment was removed.
        CommentDeleted = "comment.deleted",
        /// A trial that somebody asked for.
        Ping = "ping",
    }

    /// Why a webhook is off.
    WebhookDisabledReason = webhooks::DisabledReason {
        /// An admin turned it off.
        Manual = "manual",
        /// It answered 410: it wants no more.
        Gone = "gone",
        /// A message was tried for more than a day, and nothing else arrived meanwhile.
        Failing = "failing",
    }

    /// Where a delivery stands.
    WebhookDeliveryStatus = webhooks::DeliveryStatus {
        /// It is to be tried, perhaps again.
        Pending = "pending",
        /// The endpoint took it.
        Delivered = "delivered",
        /// It is given up.
        Failed = "failed",
    }
}

/// An endpoint that is told of what happens.
#[derive(Object, Serialize)]
pub struct Webhook {
    /// Its id.
    pub id: Uuid,
    /// Where messages are sent.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// The names of the events that it asks for, or `*` alone for all of them.
    pub events: Vec<String>,
    /// Whether messages are sent to it.
    pub is_enabled: bool,
    /// Why it is off; null while it is on.
    pub disabled_reason: Option<WebhookDisabledReason>,
    /// Since when it is off; null while it is on.
    pub disabled_at: Option<Time>,
    /// When it last took a message.
    pub last_success_at: Option<Time>,
    /// The user who made it.
    pub created_by: Uuid,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl From<webhooks::Webhook> for Webhook {
    fn from(webhook: webhooks::Webhook) -> Self {
        Self {
            id: webhook.id.into(),
            url: webhook.url,
            description: webhook.description,
            events: webhook.events.names().into_iter().map(str::to_owned).collect(),
            is_enabled: webhook.disabled.is_none(),
            disabled_reason: webhook.disabled.map(|disabled| disabled.reason.into()),
            disabled_at: webhook.disabled.map(|disabled| disabled.at.into()),
            last_success_at: webhook.last_success_at.map(Time::from),
            created_by: webhook.created_by.into(),
            created_at: webhook.created_at.into(),
            updated_at: webhook.updated_at.into(),
        }
    }
}

/// An endpoint, and the secret with which its messages are signed.
#[derive(Object, Serialize)]
pub struct WebhookWithSecret {
    /// The endpoint.
    #[oai(flatten)]
    #[serde(flatten)]
    pub webhook: Webhook,
    /// `whsec_` and base64, as the libraries of Standard Webhooks take it. It is not shown again.
    pub secret: String,
}

impl From<(webhooks::Webhook, webhooks::SigningSecret)> for WebhookWithSecret {
    fn from((webhook, secret): (webhooks::Webhook, webhooks::SigningSecret)) -> Self {
        Self { webhook: webhook.into(), secret: secret.expose() }
    }
}

/// A page of webhooks, the oldest first.
#[derive(Object, Serialize)]
pub struct WebhookList {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// A message on its way to a webhook.
#[derive(Object, Serialize)]
pub struct WebhookDelivery {
    /// Its id.
    pub id: Uuid,
    /// To which webhook.
    pub webhook_id: Uuid,
    /// What the receiver tells repeats by: the `webhook-id` of every attempt, also when it is sent again.
    pub message_id: Uuid,
    /// What it tells of.
    pub event: WebhookEvent,
    /// Where it stands.
    pub status: WebhookDeliveryStatus,
    /// How often it was tried.
    pub attempt_count: i64,
    /// When it is tried again, at the earliest; null unless it failed and is pending.
    pub next_attempt_at: Option<Time>,
    /// When it was made.
    pub created_at: Time,
    /// When it was taken or given up.
    pub finished_at: Option<Time>,
}

impl From<webhooks::WebhookDelivery> for WebhookDelivery {
    fn from(delivery: webhooks::WebhookDelivery) -> Self {
        Self {
            id: delivery.id.into(),
            webhook_id: delivery.webhook_id.into(),
            message_id: delivery.message_id.into(),
            event: delivery.event.into(),
            status: delivery.status.into(),
            attempt_count: delivery.attempts.into(),
            next_attempt_at: delivery.next_attempt_at.map(Time::from),
            created_at: delivery.created_at.into(),
            finished_at: delivery.finished_at.map(Time::from),
        }
    }
}

/// A page of deliveries, the newest first.
#[derive(Object, Serialize)]
pub struct WebhookDeliveryList {
    /// The deliveries.
    pub deliveries: Vec<WebhookDelivery>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// One attempt at a delivery.
#[derive(Object, Serialize)]
pub struct WebhookAttempt {
    /// Which one, from 1.
    pub number: i64,
    /// When it began.
    pub at: Time,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The HTTP status of the answer, if there was one. What else was answered is not kept.
    pub response_status: Option<u16>,
    /// Why it failed; null if it did not.
    pub error: Option<String>,
}

impl From<webhooks::DeliveryAttempt> for WebhookAttempt {
    fn from(attempt: webhooks::DeliveryAttempt) -> Self {
        Self {
            number: attempt.number.into(),
            at: attempt.at.into(),
            duration_ms: i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX),
            response_status: attempt.response_status,
            error: attempt.error,
        }
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
    pub data: RichText,
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

/// A new webhook.
#[derive(Object, Deserialize)]
pub struct CreateWebhookRequest {
    /// Where messages are sent: an HTTPS URL of at most 2,000 characters that can be reached from the public internet,
    /// without a user name and without a fragment.
    #[oai(validator(max_length = 2000))]
    pub url: String,
    /// What it is for: at most 200 characters.
    #[serde(default)]
    #[oai(validator(max_length = 200))]
    pub description: MaybeUndefined<String>,
    /// Names of events, or `*` for all of them, those of later versions too.
    #[oai(validator(min_items = 1, max_items = 50))]
    pub events: Vec<String>,
    /// Whether messages are sent to it: `true` unless given.
    #[serde(default)]
    pub is_enabled: MaybeUndefined<bool>,
}

/// A change of a webhook. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateWebhookRequest {
    /// As for a new webhook.
    #[serde(default)]
    #[oai(validator(max_length = 2000))]
    pub url: MaybeUndefined<String>,
    /// At most 200 characters, or null for none.
    #[serde(default)]
    #[oai(validator(max_length = 200))]
    pub description: MaybeUndefined<String>,
    /// As for a new webhook; in the place of those that it asks for.
    #[serde(default)]
    #[oai(validator(min_items = 1, max_items = 50))]
    pub events: MaybeUndefined<Vec<String>>,
    /// `false` turns it off; `true` turns it on, whatever turned it off.
    #[serde(default)]
    pub is_enabled: MaybeUndefined<bool>,
}
