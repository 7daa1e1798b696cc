//! The service of webhooks for admins.

use chrono::TimeDelta;
use serde_json::json;

use crate::app::WorkScribe;
use crate::error::{Code, Error, Result, Violations};
use crate::events::EventKind;
use crate::id::{WebhookDeliveryId, WebhookId};
use crate::limits::Limit;
use crate::page::{Cursor, Page, PageRequest};
use crate::storage::UnitOfWork;
use crate::target::{Target, expect_version};
use crate::tenancy::{Action, OrgScope};
use crate::work::text;

use super::event::{EventSet, Message};
use super::model::{DeliveryAttempt, DeliveryStatus, Disabled, DisabledReason, Webhook, WebhookDelivery};
use super::secrets;
use super::signature::SigningSecret;

/// Which deliveries a list contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only deliveries to this endpoint.
    pub webhook: WebhookId,
    /// Only deliveries with this status; `None` for all.
    pub status: Option<DeliveryStatus>,
}

/// The maximum length of a description, in characters.
pub const DESCRIPTION_CHARS: usize = Limit::WebhookDescriptionCharacters.default_value() as usize;
/// The maximum number of event names in one request, duplicates included.
const MAX_NAMES: usize = Limit::EventsPerWebhook.default_value() as usize;
/// How long the previous secret signs too.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// How many secrets are sealed again in one transaction.
const PORTION: u32 = 1_000;

/// Endpoints that receive the events of an organization. [`WorkScribe::webhooks`] returns it.
#[derive(Clone, Copy)]
pub struct Webhooks<'a> {
    pub(super) app: &'a WorkScribe,
}

/// The input of a new endpoint or of a change. `None` leaves a field unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookChange {
    /// The URL to which messages are sent.
    pub url: Option<String>,
    /// The description; `Some(None)` removes it.
    pub description: Option<Option<String>>,
    /// The names of the events that the endpoint asks for, or `*`.
    pub events: Option<Vec<String>>,
    /// Whether the endpoint is enabled.
    pub is_enabled: Option<bool>,
}

struct Checked {
    url: Option<String>,
    description: Option<Option<String>>,
    events: Option<EventSet>,
}

impl WorkScribe {
    /// Endpoints that receive the events of an organization.
    #[must_use]
    pub const fn webhooks(&self) -> Webhooks<'_> {
        Webhooks { app: self }
    }
}

impl Webhooks<'_> {
    /// The endpoints, oldest first.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn list(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        page: &PageRequest,
    ) -> Result<Page<Webhook>> {
        self.manage(scope)?;
        let rows = uow.webhooks().list(scope, page).await?;
        let total = if page.wants_count() { Some(uow.webhooks().count(scope).await?) } else { None };
        Ok(page.page(rows, total, |webhook| Cursor { at: webhook.created_at, id: webhook.id.into() }))
    }

    /// Finds an endpoint.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `WEBHOOK_NOT_FOUND`.
    pub async fn find(&self, uow: &mut dyn UnitOfWork, scope: &OrgScope, id: WebhookId) -> Result<Webhook> {
        self.manage(scope)?;
        uow.webhooks().find(scope, id).await?.ok_or_else(no_such_webhook)
    }

    /// Creates an endpoint, and returns it with the secret that signs its messages. The secret is not shown again.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`; `VALIDATION_FAILED`; `LIMIT_REACHED` for more than [`Limit::WebhooksPerOrganization`].
    pub async fn create(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        new: &WebhookChange,
    ) -> Result<(Webhook, SigningSecret)> {
        self.manage(scope)?;
        let Checked { url: Some(url), description, events: Some(events) } = self.check(new)? else {
            return Err(Error::internal("a fault was not noted"));
        };
        uow.organizations().lock(scope).await?;
        let there = uow.webhooks().count(scope).await?;
        self.app.limits().admit(Limit::WebhooksPerOrganization, there)?;
        let (id, now) = (self.app.new_id(), self.app.now());
        let secret = SigningSecret::new(self.app.entropy());
        let webhook = Webhook {
            id,
            url,
            description: description.flatten(),
            events,
            disabled: (new.is_enabled == Some(false))
                .then_some(Disabled { reason: DisabledReason::Manual, at: now }),
            secrets: secrets::seal(self.app, scope.org(), id, &secret, None)?,
            previous_until: None,
            last_success_at: None,
            created_by: scope.actor(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        uow.webhooks().insert(scope, &webhook).await?;
        self.app.subscriptions().forget(scope.org(), now);
        Ok((webhook, secret))
    }

    /// Changes, enables or disables an endpoint.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `WEBHOOK_NOT_FOUND`, `STALE_VERSION`.
    pub async fn update(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        webhook: Target<WebhookId>,
        change: &WebhookChange,
    ) -> Result<Webhook> {
        self.manage(scope)?;
        let checked = self.check(change)?;
        let before = self.lock(uow, scope, webhook).await?;
        let now = self.app.now();
        let mut after = before.clone();
        if let Some(url) = checked.url {
            after.url = url;
        }
        if let Some(description) = checked.description {
            after.description = description;
        }
        if let Some(events) = checked.events {
            after.events = events;
        }
        match change.is_enabled {
            Some(true) => after.disabled = None,
            Some(false) if after.disabled.is_none() => {
                after.disabled = Some(Disabled { reason: DisabledReason::Manual, at: now });
            }
            Some(false) | None => {}
        }
        if after == before {
            return Ok(before);
        }
        self.write(uow, scope, after).await
    }

    /// Gives an endpoint a new secret, which is not shown again. The previous secret signs too for 24 hours, so that the receiver
    /// can change to the new one without losing a message.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `WEBHOOK_NOT_FOUND`.
    pub async fn rotate_secret(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        id: WebhookId,
    ) -> Result<(Webhook, SigningSecret)> {
        self.manage(scope)?;
        let mut webhook = self.lock(uow, scope, id.into()).await?;
        let now = self.app.now();
        // When the server lacks the key of the previous secret, none is kept. Rotation is the way to repair such an endpoint.
        let previous =
            secrets::open(self.app, scope.org(), &webhook, now).ok().and_then(|all| all.into_iter().next());
        let secret = SigningSecret::new(self.app.entropy());
        webhook.secrets = secrets::seal(self.app, scope.org(), id, &secret, previous.as_ref())?;
        webhook.previous_until = previous.map(|_| now + OVERLAP);
        Ok((self.write(uow, scope, webhook).await?, secret))
    }

    /// Removes an endpoint with the log of its deliveries. A message that is being sent may still arrive.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `WEBHOOK_NOT_FOUND`, `STALE_VERSION`.
    pub async fn delete(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        webhook: Target<WebhookId>,
    ) -> Result<()> {
        self.manage(scope)?;
        self.lock(uow, scope, webhook).await?;
        uow.webhooks().delete(scope, webhook.id).await?;
        self.app.subscriptions().forget(scope.org(), self.app.now());
        Ok(())
    }

    /// Sends a `ping` to an endpoint, even if it does not ask for it.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `WEBHOOK_NOT_FOUND`, `WEBHOOK_DISABLED`, `RATE_LIMITED`.
    pub async fn ping(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        id: WebhookId,
    ) -> Result<WebhookDelivery> {
        let webhook = self.enabled(uow, scope, id).await?;
        self.limit_by_hand(scope.org(), &webhook.url).await?;
        let data = json!({ "webhook_id": id, "events": webhook.events.names() });
        let message = Message::new(self.app.new_id(), EventKind::Ping, scope, self.app.now(), &data);
        self.send(uow, scope, &message, &[id]).await?.pop().ok_or_else(|| Error::internal("nothing was sent"))
    }

    /// The deliveries to an endpoint, newest first, without their payloads. They are kept for 30 days.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `WEBHOOK_NOT_FOUND`.
    pub async fn deliveries(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        of: DeliveryFilter,
        page: &PageRequest,
    ) -> Result<Page<WebhookDelivery>> {
        let DeliveryFilter { webhook: id, status } = of;
        self.find(uow, scope, id).await?;
        let rows = uow.webhooks().deliveries(scope, id, status, page).await?;
        let total = if page.wants_count() {
            Some(uow.webhooks().count_deliveries(scope, id, status).await?)
        } else {
            None
        };
        Ok(page.page(rows, total, |delivery| Cursor { at: delivery.created_at, id: delivery.id.into() }))
    }

    /// Finds a delivery, with its payload and its attempts in order.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `WEBHOOK_NOT_FOUND`, `DELIVERY_NOT_FOUND`.
    pub async fn delivery(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<(WebhookDelivery, Vec<DeliveryAttempt>)> {
        self.manage(scope)?;
        let Some(found) = uow.webhooks().delivery(scope, id, delivery).await? else {
            self.find(uow, scope, id).await?;
            return Err(no_such_delivery());
        };
        let attempts = uow.webhooks().attempts(scope, delivery).await?;
        Ok((found, attempts))
    }

    /// Sends a message again, as a new delivery with the same message id and body.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `WEBHOOK_NOT_FOUND`, `DELIVERY_NOT_FOUND`, `WEBHOOK_DISABLED`,
    /// `RATE_LIMITED`.
    pub async fn redeliver(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<WebhookDelivery> {
        let webhook = self.enabled(uow, scope, id).await?;
        let found = uow.webhooks().delivery(scope, id, delivery).await?.ok_or_else(no_such_delivery)?;
        let payload = found.payload.ok_or_else(|| Error::internal("a delivery has no payload"))?;
        self.limit_by_hand(scope.org(), &webhook.url).await?;
        let message = Message { id: found.message_id, event: found.event, payload };
        self.send(uow, scope, &message, &[id]).await?.pop().ok_or_else(|| Error::internal("nothing was sent"))
    }

    /// Seals secrets again that are sealed under an earlier key of the server, so that the key can be removed.
    pub(crate) async fn reseal(&self) -> Result<()> {
        let mut uow = self.app.begin().await?;
        let current = self.app.secrets().current().id();
        for which in uow.webhooks().sealed_otherwise(current, PORTION).await? {
            match secrets::reseal(self.app, &which) {
                Some(sealed) => uow.webhooks().reseal(&which, &sealed).await?,
                None => tracing::warn!(
                    org.id = %which.org, webhook.id = %which.webhook, key.id = which.secrets.key_id,
                    "the secrets of an endpoint are sealed under a key that the server does not have: its messages cannot be \
                     signed until the key is among the accepted ones, or the secret is rotated"
                ),
            }
        }
        self.app.commit(uow).await
    }

    async fn lock(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        Target { id, version }: Target<WebhookId>,
    ) -> Result<Webhook> {
        let webhook = uow.webhooks().lock(scope, id).await?.ok_or_else(no_such_webhook)?;
        expect_version(version, webhook.version)?;
        Ok(webhook)
    }

    async fn write(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        mut webhook: Webhook,
    ) -> Result<Webhook> {
        webhook.version += 1;
        webhook.updated_at = self.app.now();
        uow.webhooks().update(scope, &webhook).await?;
        self.app.subscriptions().forget(scope.org(), webhook.updated_at);
        Ok(webhook)
    }

    async fn enabled(&self, uow: &mut dyn UnitOfWork, scope: &OrgScope, id: WebhookId) -> Result<Webhook> {
        let webhook = self.find(uow, scope, id).await?;
        if webhook.disabled.is_some() {
            return Err(Error::new(Code::WebhookDisabled, "This webhook is off. Turn it on first."));
        }
        Ok(webhook)
    }

    fn check(&self, change: &WebhookChange) -> Result<Checked> {
        let mut violations = Violations::default();
        let networks = &self.app.settings().webhook_networks;
        let url = change.url.as_deref().and_then(|url| violations.keep("/url", networks.check(url)));
        let description = change.description.as_ref().map(|given| {
            let given = given.as_deref().map(str::trim).filter(|given| !given.is_empty());
            given.and_then(|given| violations.keep("/description", text(given, DESCRIPTION_CHARS)))
        });
        let events = change.events.as_ref().and_then(|names| events(names, &mut violations));
        violations.into_result()?;
        Ok(Checked { url: url.map(String::from), description, events })
    }

    fn manage(&self, scope: &OrgScope) -> Result<()> {
        scope.require(self.app.authorizer(), Action::ManageWebhooks)
    }
}

fn events(names: &[String], violations: &mut Violations) -> Option<EventSet> {
    if names.is_empty() {
        violations.add("/events", "REQUIRED", "Name at least one event, or * for all of them.");
        return None;
    }
    if names.len() > MAX_NAMES {
        violations.add("/events", "TOO_MANY", format!("Name at most {MAX_NAMES} events."));
        return None;
    }
    let mut events = Vec::new();
    for (at, name) in names.iter().enumerate().filter(|(_, name)| *name != EventSet::ALL) {
        match EventKind::parse(name).filter(|kind| kind.webhook_data().is_some() && *kind != EventKind::Ping)
        {
            Some(event) => events.push(event),
            None => violations.add(
                format!("/events/{at}"),
                "UNKNOWN_EVENT",
                "There is no such event. The documentation of the operation lists them.",
            ),
        }
    }
    let is_all = names.iter().any(|name| name == EventSet::ALL);
    Some(if is_all { EventSet::All } else { EventSet::of(&events) })
}

fn no_such_webhook() -> Error {
    Error::new(Code::WebhookNotFound, "This organization has no webhook with this id.")
}

fn no_such_delivery() -> Error {
    Error::new(
        Code::DeliveryNotFound,
        "This webhook has no delivery with this id. They are kept for 30 days.",
    )
}
