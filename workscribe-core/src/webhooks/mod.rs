//! Webhooks: HTTPS endpoints of an organization that are told of what happens in it.
//!
//! An event writes a delivery and its job for every endpoint that asks for it, in the transaction of the event. A worker sends
//! it, signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, at least once and in no certain order, and
//! repeats it for more than a day until the endpoint answers with a 2xx.
//!
//! | file | what |
//! |---|---|
//! | `event.rs` | [`EventSet`], and the message that tells of an event |
//! | `model.rs` | [`Webhook`], [`WebhookDelivery`], [`DeliveryAttempt`] |
//! | `address.rs` | where webhooks may go: [`WebhookNetworks`] |
//! | `signature.rs`, `secrets.rs` | how messages are signed, and how the secrets are kept |
//! | `store.rs` | [`WebhookStore`] |
//! | `service.rs` | what admins do |
//! | `delivery.rs` | what a worker does: the door ([`DeliveryPass`]), the attempts and what follows from them |
//!
//! **How to add an event**: see [`crate::events`].

mod address;
mod delivery;
mod event;
mod limits;
mod model;
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
    DeliveryAttempt, DeliveryState, DeliveryStatus, Disabled, DisabledReason, Listener, Resealing, Webhook,
    WebhookDelivery,
};
pub use scope::{DeliveryPass, EnteredDelivery};
pub use service::{DESCRIPTION_CHARS, DeliveryFilter, WebhookChange, Webhooks};
pub use signature::{ID_HEADER, SIGNATURE_HEADER, SigningSecret, TIMESTAMP_HEADER, VerifyingSecret};
pub use store::WebhookStore;
