//! The store trait of webhooks.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{OrgId, UserId, WebhookDeliveryId, WebhookId};
use crate::identity::Sealed;
use crate::page::PageRequest;
use crate::portion::Portion;
use crate::store_error::StoreResult;
use crate::tenancy::OrgScope;

use super::model::{
    DeliveryAttempt, DeliveryState, DeliveryStatus, Disabled, Resealing, Subscription, Webhook,
    WebhookDelivery,
};
use super::scope::{DeliveryPass, EnteredDelivery};

/// The endpoints of an organization, and the messages to them.
#[async_trait]
pub trait WebhookStore: Send {
    /// Endpoints, oldest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> StoreResult<Vec<Webhook>>;
    /// The number of endpoints. To enforce a limit, take the organization's lock first.
    async fn count(&mut self, scope: &OrgScope) -> StoreResult<i64>;
    /// Finds an endpoint.
    async fn find(&mut self, scope: &OrgScope, id: WebhookId) -> StoreResult<Option<Webhook>>;
    /// Finds an endpoint and locks it until the end of the transaction.
    async fn lock(&mut self, scope: &OrgScope, id: WebhookId) -> StoreResult<Option<Webhook>>;
    /// Inserts an endpoint.
    async fn insert(&mut self, scope: &OrgScope, webhook: &Webhook) -> StoreResult<()>;
    /// Writes all fields of an endpoint. Lock it first.
    async fn update(&mut self, scope: &OrgScope, webhook: &Webhook) -> StoreResult<()>;
    /// Removes an endpoint with its deliveries.
    async fn delete(&mut self, scope: &OrgScope, id: WebhookId) -> StoreResult<()>;
    /// The enabled endpoints, by id.
    async fn subscriptions(&mut self, scope: &OrgScope) -> StoreResult<Vec<Subscription>>;

    /// Inserts pending deliveries; a broken rule gives an error here or at the commit. It does not check that the endpoints still
    /// exist: a delivery to an endpoint that was just removed is never sent, and [`WebhookStore::sweep`] removes it.
    async fn add_deliveries(&mut self, scope: &OrgScope, deliveries: &[WebhookDelivery]) -> StoreResult<()>;
    /// Deliveries to an endpoint, without their payloads, newest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        page: &PageRequest,
    ) -> StoreResult<Vec<WebhookDelivery>>;
    /// The number of deliveries to an endpoint.
    async fn count_deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
    ) -> StoreResult<i64>;
    /// Finds a delivery to an endpoint, with its payload.
    async fn delivery(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        id: WebhookDeliveryId,
    ) -> StoreResult<Option<WebhookDelivery>>;
    /// The attempts at a delivery, in order.
    async fn attempts(
        &mut self,
        scope: &OrgScope,
        delivery: WebhookDeliveryId,
    ) -> StoreResult<Vec<DeliveryAttempt>>;

    /// The look-up of [`DeliveryPass::enter`]: a delivery with its endpoint and organization. It is one statement.
    async fn enter_delivery(
        &mut self,
        org: OrgId,
        delivery: WebhookDeliveryId,
    ) -> StoreResult<Option<EnteredDelivery>>;
    /// Inserts an attempt and sets the status of the delivery; `false` when another worker settled it first.
    async fn note_attempt(
        &mut self,
        pass: &DeliveryPass,
        attempt: Option<&DeliveryAttempt>,
        state: DeliveryState,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// Stores that the endpoint accepted a message.
    async fn note_success(&mut self, pass: &DeliveryPass, now: Timestamp) -> StoreResult<()>;
    /// Turns the endpoint off, unless it is off or accepted a message since `unless_since`; `true` if it did.
    async fn turn_off(
        &mut self,
        pass: &DeliveryPass,
        disabled: Disabled,
        unless_since: Option<Timestamp>,
    ) -> StoreResult<bool>;
    /// The owners of the organization.
    async fn owners(&mut self, pass: &DeliveryPass) -> StoreResult<Vec<UserId>>;

    /// Removes up to `limit` deliveries that were created before a time, and returns their number.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64>;
    /// Removes a portion of the messages that were created before a time and have no delivery any more; returns their number.
    async fn sweep_messages(&mut self, before: Timestamp, portion: Portion) -> StoreResult<u64>;
    /// Endpoints of all organizations whose secrets are not sealed with this key.
    async fn sealed_otherwise(&mut self, key_id: &str, limit: u32) -> StoreResult<Vec<Resealing>>;
    /// Replaces the secrets of an endpoint, if they are still the given ones.
    async fn reseal(&mut self, which: &Resealing, secrets: &Sealed) -> StoreResult<()>;
}
