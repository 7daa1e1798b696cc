//! The store trait of webhooks.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{OrgId, UserId, WebhookDeliveryId, WebhookId};
use crate::identity::Sealed;
use crate::page::PageRequest;
use crate::portion::Portion;
use crate::store_error::StoreError;
use crate::tenancy::OrgScope;

use super::model::{
    DeliveryAttempt, DeliveryState, DeliveryStatus, Disabled, Listener, Resealing, Webhook, WebhookDelivery,
};
use super::scope::{DeliveryPass, EnteredDelivery};

/// The endpoints of an organization, and what is sent to them.
#[async_trait]
pub trait WebhookStore: Send {
    /// Endpoints by age (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> Result<Vec<Webhook>, StoreError>;
    /// How many endpoints there are. Take the organization's lock to hold them to a number.
    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError>;
    /// One endpoint.
    async fn find(&mut self, scope: &OrgScope, id: WebhookId) -> Result<Option<Webhook>, StoreError>;
    /// One endpoint, locked until the end of the transaction.
    async fn lock(&mut self, scope: &OrgScope, id: WebhookId) -> Result<Option<Webhook>, StoreError>;
    /// Adds an endpoint.
    async fn insert(&mut self, scope: &OrgScope, webhook: &Webhook) -> Result<(), StoreError>;
    /// Writes an endpoint as it is given. Lock it first.
    async fn update(&mut self, scope: &OrgScope, webhook: &Webhook) -> Result<(), StoreError>;
    /// Removes an endpoint with its deliveries.
    async fn delete(&mut self, scope: &OrgScope, id: WebhookId) -> Result<(), StoreError>;
    /// The endpoints that are on, by id.
    async fn listeners(&mut self, scope: &OrgScope) -> Result<Vec<Listener>, StoreError>;

    /// Adds pending deliveries; a rule that they break is told here or at the commit. That the endpoints are there still is not checked: a delivery to one that
    /// went at the same moment is never sent, and goes with [`WebhookStore::sweep`].
    async fn add_deliveries(
        &mut self,
        scope: &OrgScope,
        deliveries: &[WebhookDelivery],
    ) -> Result<(), StoreError>;
    /// Deliveries to an endpoint without their payloads, newest first (`created_at`, `id`), up to [`PageRequest::fetch`] rows.
    async fn deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        page: &PageRequest,
    ) -> Result<Vec<WebhookDelivery>, StoreError>;
    /// How many deliveries to an endpoint there are.
    async fn count_deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
    ) -> Result<i64, StoreError>;
    /// One delivery to an endpoint, with its payload.
    async fn delivery(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        id: WebhookDeliveryId,
    ) -> Result<Option<WebhookDelivery>, StoreError>;
    /// The attempts at a delivery, in order.
    async fn attempts(
        &mut self,
        scope: &OrgScope,
        delivery: WebhookDeliveryId,
    ) -> Result<Vec<DeliveryAttempt>, StoreError>;

    /// The look-up behind [`DeliveryPass::enter`]: a delivery with its endpoint and organization. One statement.
    async fn enter_delivery(
        &mut self,
        org: OrgId,
        delivery: WebhookDeliveryId,
    ) -> Result<Option<EnteredDelivery>, StoreError>;
    /// Adds an attempt, and says where the delivery stands then; `false` when it was settled by another worker.
    async fn note_attempt(
        &mut self,
        pass: &DeliveryPass,
        attempt: Option<&DeliveryAttempt>,
        state: DeliveryState,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Notes that the endpoint took a message.
    async fn note_success(&mut self, pass: &DeliveryPass, now: Timestamp) -> Result<(), StoreError>;
    /// Turns the endpoint off, unless it is off or took a message since `unless_since`; answers whether it did.
    async fn turn_off(
        &mut self,
        pass: &DeliveryPass,
        disabled: Disabled,
        unless_since: Option<Timestamp>,
    ) -> Result<bool, StoreError>;
    /// The owners of the organization.
    async fn owners(&mut self, pass: &DeliveryPass) -> Result<Vec<UserId>, StoreError>;

    /// Removes deliveries made before a time, up to a number of them, and answers how many it removed.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
    /// Removes a portion of the messages made before a time that no delivery has any more, and answers how many it removed.
    async fn sweep_messages(&mut self, before: Timestamp, portion: Portion) -> Result<u64, StoreError>;
    /// Endpoints of all organizations whose secrets are not sealed under this key.
    async fn sealed_otherwise(&mut self, key_id: &str, limit: u32) -> Result<Vec<Resealing>, StoreError>;
    /// Puts other secrets in the place of some, if they are there still.
    async fn reseal(&mut self, which: &Resealing, secrets: &Sealed) -> Result<(), StoreError>;
}
