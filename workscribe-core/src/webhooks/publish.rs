//! The publishing of events: a delivery to each endpoint that asks for an event, in the event's transaction.

use std::sync::Arc;

use crate::app::WorkScribe;
use crate::error::Result;
use crate::events::DomainEvent;
use crate::id::WebhookId;
use crate::storage::UnitOfWork;
use crate::tenancy::OrgScope;

use super::delivery::DeliverWebhook;
use super::event::{Message, data};
use super::model::{DeliveryStatus, Subscription, WebhookDelivery};
use super::service::Webhooks;

impl WorkScribe {
    /// Calls every hook and publishes the event to the organization's webhooks, within the transaction.
    pub(crate) async fn announce(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        event: &DomainEvent,
    ) -> Result<()> {
        self.emit(uow, event).await?;
        self.webhooks().publish(uow, scope, event).await
    }
}

impl Webhooks<'_> {
    /// Enqueues deliveries to the endpoints that ask for an event, in its transaction. The list of endpoints is cached for a
    /// moment, so that an organization without endpoints needs no statement.
    pub(crate) async fn publish(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        event: &DomainEvent,
    ) -> Result<()> {
        let kind = event.kind();
        if kind.webhook_data().is_none() {
            return Ok(());
        }
        let subscriptions = self.subscriptions(uow, scope).await?;
        let ids: Vec<WebhookId> = subscriptions
            .iter()
            .filter(|subscription| subscription.events.has(kind))
            .map(|subscription| subscription.id)
            .collect();
        if !ids.is_empty() {
            let message = Message::new(self.app.new_id(), kind, scope, self.app.now(), &data(event));
            self.send(uow, scope, &message, &ids).await?;
        }
        Ok(())
    }

    async fn subscriptions(&self, uow: &mut dyn UnitOfWork, scope: &OrgScope) -> Result<Arc<[Subscription]>> {
        let now = self.app.now();
        if let Some(known) = self.app.subscriptions().get(&scope.org(), now) {
            return Ok(known);
        }
        let found: Arc<[Subscription]> = uow.webhooks().subscriptions(scope).await?.into();
        self.app.subscriptions().keep(scope.org(), scope.org(), Arc::clone(&found), now);
        Ok(found)
    }

    pub(super) async fn send(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        message: &Message,
        to: &[WebhookId],
    ) -> Result<Vec<WebhookDelivery>> {
        let now = self.app.now();
        let deliveries: Vec<WebhookDelivery> = to
            .iter()
            .map(|webhook| WebhookDelivery {
                id: self.app.new_id(),
                webhook_id: *webhook,
                message_id: message.id,
                event: message.event,
                payload: Some(message.payload.clone()),
                status: DeliveryStatus::Pending,
                attempts: 0,
                next_attempt_at: None,
                created_at: now,
                finished_at: None,
            })
            .collect();
        uow.webhooks().add_deliveries(scope, &deliveries).await?;
        let jobs = deliveries
            .iter()
            .map(|delivery| {
                self.app.jobs().prepare(&DeliverWebhook { org_id: scope.org(), delivery_id: delivery.id })
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.app.enqueue_all(uow, &jobs).await?;
        Ok(deliveries)
    }
}
