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
    /// Where messages are sent.
    pub url: String,
    /// What it is for: up to 200 characters.
    pub description: Option<String>,
    /// What it asks for.
    pub events: EventSet,
    /// Why it is off, and since when; `None` while it is on.
    pub disabled: Option<Disabled>,
    /// The secrets that sign its messages, encrypted: the one in use, and the one before it.
    pub secrets: Sealed,
    /// Until when the secret before this one signs too.
    pub previous_until: Option<Timestamp>,
    /// When it last took a message.
    pub last_success_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: UserId,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Why an endpoint is off, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Why.
    pub reason: DisabledReason,
    /// Since when.
    pub at: Timestamp,
}

names! {
    /// Why an endpoint is off.
    DisabledReason {
        /// An admin turned it off.
        Manual = "manual",
        /// It answered 410: it wants no more.
        Gone = "gone",
        /// A message was tried for more than a day, and nothing else arrived meanwhile.
        Failing = "failing",
    }
}

/// Which endpoint asks for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The endpoint.
    pub id: WebhookId,
    /// What it asks for.
    pub events: EventSet,
}

names! {
    /// Where a delivery stands.
    DeliveryStatus {
        /// It is to be tried, perhaps again.
        Pending = "pending",
        /// The endpoint took it.
        Delivered = "delivered",
        /// It is given up.
        Failed = "failed",
    }
}

/// A message on its way to one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookDelivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// To which endpoint.
    pub webhook_id: WebhookId,
    /// What the receiver tells repeats by: the same for every endpoint and every attempt, and when it is sent again.
    pub message_id: WebhookMessageId,
    /// What it tells of.
    pub event: EventKind,
    /// The body that is sent, as JSON. Lists leave it out.
    pub payload: Option<String>,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again, at the earliest; `None` unless it failed and is pending.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken or given up.
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

/// One attempt at a delivery. What the endpoint answered is not kept: it might be what the endpoint should not have been able
/// to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status of the answer, if there was one.
    pub response_status: Option<u16>,
    /// Why it failed, in a sentence; `None` if it did not.
    pub error: Option<String>,
}

/// The secrets of an endpoint that is sealed under an earlier key of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealing {
    /// Whose.
    pub org: OrgId,
    /// Which endpoint.
    pub webhook: WebhookId,
    /// As they are.
    pub secrets: Sealed,
}
