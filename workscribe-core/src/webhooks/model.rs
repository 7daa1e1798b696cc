//! Endpoints, deliveries and attempts.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::events::EventKind;
use crate::id::{OrgId, UserId, WebhookDeliveryId, WebhookId, WebhookMessageId};
use crate::identity::Sealed;
use crate::named::names;

use super::event::EventSet;

/// An endpoint of an organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The URL to which messages are sent.
    pub url: String,
    /// What it is for, in up to 200 characters.
    pub description: Option<String>,
    /// The events to which it subscribes.
    pub events: EventSet,
    /// Why it is off, and since when; `None` while it is on.
    pub disabled: Option<Disabled>,
    /// The encrypted secrets that sign its messages: the current one and the previous one.
    pub secrets: Sealed,
    /// Until when the previous secret signs too.
    pub previous_until: Option<Timestamp>,
    /// When it last accepted a message.
    pub last_success_at: Option<Timestamp>,
    /// The user who created it.
    pub created_by: UserId,
    /// Grows with every change. It is the `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Why an endpoint is off, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// The reason.
    pub reason: DisabledReason,
    /// When it was turned off.
    pub at: Timestamp,
}

names! {
    /// Why an endpoint is off.
    DisabledReason {
        /// An admin turned it off.
        Manual = "manual",
        /// It responded 410: it accepts no more messages.
        Gone = "gone",
        /// A message failed for more than a day, and no other message arrived in that time.
        Failing = "failing",
    }
}

/// An endpoint and the events to which it subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The endpoint.
    pub id: WebhookId,
    /// The events.
    pub events: EventSet,
}

names! {
    /// The status of a delivery.
    DeliveryStatus {
        /// It waits for its first or its next attempt.
        Pending = "pending",
        /// The endpoint accepted the message.
        Delivered = "delivered",
        /// The last attempt failed.
        Failed = "failed",
    }
}

/// The delivery of a message to one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookDelivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// The endpoint.
    pub webhook_id: WebhookId,
    /// The id by which a receiver recognizes repeats: the same for all endpoints, for all attempts, and when it is sent again.
    pub message_id: WebhookMessageId,
    /// The event of the message.
    pub event: EventKind,
    /// The JSON body. Lists leave it out.
    pub payload: Option<String>,
    /// Its status.
    pub status: DeliveryStatus,
    /// The number of attempts.
    pub attempts: u32,
    /// The next attempt is not before this time; `None` unless an attempt failed and the delivery is pending.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was delivered or failed for good.
    pub finished_at: Option<Timestamp>,
}

/// What is known of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryState {
    /// Its status.
    pub status: DeliveryStatus,
    /// When the next attempt is due, if there will be one.
    pub next_attempt_at: Option<Timestamp>,
}

impl From<DeliveryStatus> for DeliveryState {
    /// Without a next attempt.
    fn from(status: DeliveryStatus) -> Self {
        Self { status, next_attempt_at: None }
    }
}

/// One attempt at a delivery. The response of the endpoint is not stored: it might contain data that the tenant is not allowed
/// to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// The number of the attempt, from 1.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status of the response, if there was one.
    pub response_status: Option<u16>,
    /// Why it failed, in a sentence; `None` if it succeeded.
    pub error: Option<String>,
}

/// The secrets of an endpoint that are sealed with an earlier key of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealing {
    /// The organization.
    pub org: OrgId,
    /// The endpoint.
    pub webhook: WebhookId,
    /// The stored secrets.
    pub secrets: Sealed,
}
