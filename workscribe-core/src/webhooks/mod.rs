//! Webhooks: HTTPS endpoints of an organization, which receive messages about its events.
//!
//! In the transaction of an event, a delivery and its job are written for each endpoint that subscribes to the event. A worker
//! sends the message, signed according to [Standard Webhooks](https://www.standardwebhooks.com), at least once and in no
//! particular order, and repeats it for more than a day until the endpoint responds with a 2xx.
//!
//! | file | what |
//! |---|---|
//! | `event.rs` | [`EventSet`], and the message about an event |
//! | `model.rs` | [`Webhook`], [`WebhookDelivery`], [`DeliveryAttempt`] |
//! | `address.rs` | where webhooks may be sent: [`WebhookNetworks`] |
//! | `signature.rs`, `secrets.rs` | how messages are signed, and how the secrets are stored |
//! | `store.rs` | [`WebhookStore`] |
//! | `service.rs`, `publish.rs` | the admins' operations, and the publishing of events |
//! | `delivery.rs` | the worker's side: the door ([`DeliveryPass`]), the attempts and their consequences |
//!
//! **How to add an event**: see [`crate::events`].

mod address;
mod delivery;
mod event;
mod limits;
mod model;
mod publish;
mod scope;
mod secrets;
mod service;
mod signature;
mod store;

pub use address::{URL_CHARS, WebhookNetworks, is_public};
pub use delivery::{DeliverWebhook, DeliveryRetry, PreparedDelivery, SendResult, SendWebhookMail, Sent};
pub use event::EventSet;
pub use limits::host_and_port;
pub use model::{
    DeliveryAttempt, DeliveryState, DeliveryStatus, Disabled, DisabledReason, Resealing, Subscription,
    Webhook, WebhookDelivery,
};
pub use scope::{DeliveryPass, EnteredDelivery};
pub use service::{DESCRIPTION_CHARS, DeliveryFilter, WebhookChange, Webhooks};
pub use signature::{ID_HEADER, SIGNATURE_HEADER, SigningSecret, TIMESTAMP_HEADER, VerifyingSecret};
pub use store::WebhookStore;
