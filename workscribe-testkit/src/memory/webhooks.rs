//! Endpoints that are told of what happens, and what is sent to them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{OrgId, UserId, WebhookDeliveryId, WebhookId};
use workscribe_core::identity::Sealed;
use workscribe_core::page::PageRequest;
use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::{OrgScope, Role};
use workscribe_core::webhooks::{
    DeliveryAttempt, DeliveryPass, DeliveryStatus, Disabled, EnteredDelivery, Listener, Resealing, Webhook,
    WebhookDelivery, WebhookStore,
};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict, page_of, taken_key};

#[derive(Clone)]
pub(super) struct DeliveryRow {
    delivery: WebhookDelivery,
    attempts: Vec<DeliveryAttempt>,
}

/// A message, which is stored once and goes after its deliveries.
#[derive(Clone)]
pub(super) struct MessageRow {
    bytes: usize,
    created_at: Timestamp,
}

impl MessageRow {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Tables {
    fn webhooks_of(&self, org: OrgId) -> impl Iterator<Item = &Webhook> {
        self.webhooks.iter().filter(move |((other, _), _)| *other == org).map(|(_, webhook)| webhook)
    }

    fn deliveries_to(
        &self,
        org: OrgId,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
    ) -> impl Iterator<Item = &WebhookDelivery> {
        let of_org = self.deliveries.iter().filter(move |((other, _), _)| *other == org);
        of_org.map(|(_, row)| &row.delivery).filter(move |delivery| {
            delivery.webhook_id == webhook && status.is_none_or(|status| delivery.status == status)
        })
    }
}

#[async_trait]
impl WebhookStore for MemoryUnit {
    async fn list(&mut self, scope: &OrgScope, page: &PageRequest) -> Result<Vec<Webhook>, StoreError> {
        self.view(|tables| {
            page_of(tables.webhooks_of(scope.org()).cloned(), page, false, |webhook| {
                (webhook.created_at, webhook.id.into())
            })
        })
        .await
    }

    async fn count(&mut self, scope: &OrgScope) -> Result<i64, StoreError> {
        self.view(|tables| tables.webhooks_of(scope.org()).count() as i64).await
    }

    async fn find(&mut self, scope: &OrgScope, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.view(|tables| tables.webhooks.get(&(scope.org(), id)).cloned()).await
    }

    async fn lock(&mut self, scope: &OrgScope, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.change(|tables| Ok(tables.webhooks.get(&(scope.org(), id)).cloned())).await
    }

    async fn insert(&mut self, scope: &OrgScope, webhook: &Webhook) -> Result<(), StoreError> {
        let org = scope.org();
        self.change(|tables| {
            if tables.webhooks.contains_key(&(org, webhook.id)) {
                return Err(taken_key());
            }
            if !tables.organizations.contains_key(&org) || !tables.users.contains_key(&webhook.created_by) {
                return Err(conflict(Constraint::Reference));
            }
            tables.webhooks.insert((org, webhook.id), webhook.clone());
            Ok(())
        })
        .await
    }

    async fn update(&mut self, scope: &OrgScope, webhook: &Webhook) -> Result<(), StoreError> {
        self.change(|tables| {
            if let Some(row) = tables.webhooks.get_mut(&(scope.org(), webhook.id)) {
                let (last_success_at, created_by, created_at) =
                    (row.last_success_at, row.created_by, row.created_at);
                *row = Webhook { last_success_at, created_by, created_at, ..webhook.clone() };
            }
            Ok(())
        })
        .await
    }

    async fn delete(&mut self, scope: &OrgScope, id: WebhookId) -> Result<(), StoreError> {
        self.change(|tables| {
            let org = scope.org();
            tables.deliveries.retain(|(other, _), row| *other != org || row.delivery.webhook_id != id);
            tables.webhooks.remove(&(org, id));
            Ok(())
        })
        .await
    }

    async fn listeners(&mut self, scope: &OrgScope) -> Result<Vec<Listener>, StoreError> {
        self.view(|tables| {
            let on = tables.webhooks_of(scope.org()).filter(|webhook| webhook.disabled.is_none());
            on.map(|webhook| Listener { id: webhook.id, events: webhook.events.clone() }).collect()
        })
        .await
    }

    async fn add_deliveries(
        &mut self,
        scope: &OrgScope,
        deliveries: &[WebhookDelivery],
    ) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let org = scope.org();
        self.change(|tables| {
            if !tables.organizations.contains_key(&org) {
                return Err(conflict(Constraint::Reference));
            }
            if deliveries.iter().any(|delivery| tables.deliveries.contains_key(&(org, delivery.id))) {
                return Err(taken_key());
            }
            for delivery in deliveries {
                let row = DeliveryRow { delivery: delivery.clone(), attempts: Vec::new() };
                tables.deliveries.insert((org, delivery.id), row);
                let bytes = delivery.payload.as_ref().map_or(0, String::len);
                let message = MessageRow { bytes, created_at: delivery.created_at };
                // One that is sent again is there.
                tables.messages.entry((org, delivery.message_id)).or_insert(message);
            }
            Ok(())
        })
        .await
    }

    async fn deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        page: &PageRequest,
    ) -> Result<Vec<WebhookDelivery>, StoreError> {
        self.view(|tables| {
            let rows = tables
                .deliveries_to(scope.org(), webhook, status)
                .map(|delivery| WebhookDelivery { payload: None, ..delivery.clone() });
            page_of(rows, page, true, |delivery| (delivery.created_at, delivery.id.into()))
        })
        .await
    }

    async fn count_deliveries(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
    ) -> Result<i64, StoreError> {
        self.view(|tables| tables.deliveries_to(scope.org(), webhook, status).count() as i64).await
    }

    async fn delivery(
        &mut self,
        scope: &OrgScope,
        webhook: WebhookId,
        id: WebhookDeliveryId,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        self.view(|tables| {
            let found = tables.deliveries.get(&(scope.org(), id)).map(|row| row.delivery.clone());
            found.filter(|delivery| delivery.webhook_id == webhook)
        })
        .await
    }

    async fn attempts(
        &mut self,
        scope: &OrgScope,
        delivery: WebhookDeliveryId,
    ) -> Result<Vec<DeliveryAttempt>, StoreError> {
        self.view(|tables| {
            let found = tables.deliveries.get(&(scope.org(), delivery));
            found.map(|row| row.attempts.clone()).unwrap_or_default()
        })
        .await
    }

    async fn enter_delivery(
        &mut self,
        org: OrgId,
        delivery: WebhookDeliveryId,
    ) -> Result<Option<EnteredDelivery>, StoreError> {
        self.view(|tables| {
            let delivery = tables.deliveries.get(&(org, delivery))?.delivery.clone();
            let webhook = tables.webhooks.get(&(org, delivery.webhook_id))?.clone();
            let organization = tables.organizations.get(&org)?;
            let (org_name, org_slug) = (organization.name.clone(), organization.slug.clone());
            Some(EnteredDelivery { delivery, webhook, org_name, org_slug })
        })
        .await
    }

    async fn note_attempt(
        &mut self,
        pass: &DeliveryPass,
        attempt: Option<&DeliveryAttempt>,
        status: DeliveryStatus,
        next_attempt_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let known = pass.delivery();
            let Some(row) = tables.deliveries.get_mut(&(pass.org(), known.id)) else { return Ok(false) };
            if row.delivery.status != DeliveryStatus::Pending || row.delivery.attempts != known.attempts {
                return Ok(false);
            }
            row.delivery.status = status;
            row.delivery.next_attempt_at = next_attempt_at;
            row.delivery.finished_at = (status != DeliveryStatus::Pending).then_some(now);
            if let Some(attempt) = attempt {
                row.delivery.attempts = attempt.number;
                row.attempts.push(attempt.clone());
            }
            Ok(true)
        })
        .await
    }

    async fn note_success(&mut self, pass: &DeliveryPass, now: Timestamp) -> Result<(), StoreError> {
        self.change(|tables| {
            if let Some(webhook) = tables.webhooks.get_mut(&(pass.org(), pass.webhook().id)) {
                webhook.last_success_at = Some(now);
            }
            Ok(())
        })
        .await
    }

    async fn turn_off(
        &mut self,
        pass: &DeliveryPass,
        disabled: Disabled,
        unless_since: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let found = tables.webhooks.get_mut(&(pass.org(), pass.webhook().id));
            let Some(webhook) = found.filter(|webhook| webhook.disabled.is_none()) else { return Ok(false) };
            if let (Some(since), Some(last)) = (unless_since, webhook.last_success_at)
                && last >= since
            {
                return Ok(false);
            }
            webhook.disabled = Some(disabled);
            webhook.version += 1;
            webhook.updated_at = disabled.at;
            Ok(true)
        })
        .await
    }

    async fn owners(&mut self, pass: &DeliveryPass) -> Result<Vec<UserId>, StoreError> {
        self.view(|tables| {
            let members = tables.members.iter().filter(|((org, _), _)| *org == pass.org());
            members.filter(|(_, row)| row.role == Role::Owner).map(|((_, user), _)| *user).collect()
        })
        .await
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.change(|tables| {
            let old = tables.deliveries.iter().filter(|(_, row)| row.delivery.created_at < before);
            let mut old: Vec<_> = old.map(|(key, row)| (row.delivery.created_at, *key)).collect();
            old.sort_unstable();
            old.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            for (_, key) in &old {
                tables.deliveries.remove(key);
            }
            Ok(old.len() as u64)
        })
        .await
    }

    async fn sweep_messages(&mut self, before: Timestamp, portion: Portion) -> Result<u64, StoreError> {
        self.change(|tables| {
            let kept = tables.deliveries.iter().map(|((org, _), row)| (*org, row.delivery.message_id));
            let kept: BTreeSet<_> = kept.collect();
            let old =
                tables.messages.iter().filter(|(key, row)| row.created_at < before && !kept.contains(key));
            let mut old: Vec<_> = old.map(|(key, row)| (row.created_at, *key, row.bytes)).collect();
            old.sort_unstable();
            let (mut removed, mut weight) = (0, 0);
            for (_, key, bytes) in old.into_iter().take(portion.rows as usize) {
                if weight >= portion.bytes as usize {
                    break;
                }
                weight += bytes;
                removed += 1;
                tables.messages.remove(&key);
            }
            Ok(removed)
        })
        .await
    }

    async fn sealed_otherwise(&mut self, key_id: &str, limit: u32) -> Result<Vec<Resealing>, StoreError> {
        self.view(|tables| {
            let others = tables.webhooks.iter().filter(|(_, webhook)| webhook.secrets.key_id != key_id);
            others
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .map(|((org, id), webhook)| Resealing {
                    org: *org,
                    webhook: *id,
                    secrets: webhook.secrets.clone(),
                })
                .collect()
        })
        .await
    }

    async fn reseal(&mut self, which: &Resealing, secrets: &Sealed) -> Result<(), StoreError> {
        self.change(|tables| {
            let found = tables.webhooks.get_mut(&(which.org, which.webhook));
            if let Some(webhook) = found.filter(|webhook| webhook.secrets == which.secrets) {
                webhook.secrets = secrets.clone();
            }
            Ok(())
        })
        .await
    }
}
