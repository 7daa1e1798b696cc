//! Webhooks over HTTP. What they are told, and how, is in the description of [`Tags::Webhooks`].

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use workscribe_core::id::{WebhookDeliveryId, WebhookId};
use workscribe_core::webhooks::{DeliveryStatus, WebhookChange};
use workscribe_core::{Code, Error, WorkScribe};

use crate::auth::BearerAuth;
use crate::body::{Body, not_null, nullable};
use crate::problem::ApiResult;
use crate::query::{choice, page};
use crate::reply::{Accepted, Created, NoContent, Reply, Versioned, if_match};
use crate::tags::Tags;

pub use dto::*;

/// Webhooks, and what was sent to them.
pub struct WebhooksApi {
    app: WorkScribe,
}

impl WebhooksApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone() }
    }
}

fn webhook_id(text: &str) -> Result<WebhookId, Error> {
    text.parse()
        .map_err(|_| Error::new(Code::WebhookNotFound, "This organization has no webhook with this id."))
}

fn delivery_id(text: &str) -> Result<WebhookDeliveryId, Error> {
    text.parse().map_err(|_| Error::new(Code::DeliveryNotFound, "This webhook has no delivery with this id."))
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Webhooks")]
impl WebhooksApi {
    /// List webhooks
    ///
    /// For admins and owners.
    #[oai(path = "/organizations/:slug/webhooks", method = "get", operation_id = "listWebhooks")]
    async fn list(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<WebhookList>> {
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let found = self.app.webhooks().list(&mut *uow, &scope, &page).await?;
        let webhooks = found.items.into_iter().map(Webhook::from).collect();
        Ok(Reply::new(WebhookList { webhooks, next_cursor: found.next_cursor, total: found.total }))
    }

    /// Make a webhook
    ///
    /// The answer has the secret that signs its messages, which is not shown again; so there is no `Idempotency-Key`. An
    /// organization has at most 20. For admins and owners.
    ///
    /// The events: `member.joined`, `member.role_changed`, `member.removed`, `invitation.created`, `invitation.revoked`,
    /// `project.created`, `project.updated`, `status.created`, `status.updated`, `status.deleted`, `label.created`,
    /// `label.updated`, `label.deleted`, `task.created`, `task.updated`, `task.deleted`, `comment.created`,
    /// `comment.updated`, `comment.deleted`.
    #[oai(path = "/organizations/:slug/webhooks", method = "post", operation_id = "createWebhook")]
    async fn create(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        body: Body<CreateWebhookRequest>,
    ) -> ApiResult<Created<WebhookWithSecret>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, organization) = auth.enter(&mut *uow, &slug.0).await?;
        let CreateWebhookRequest { url, description, events, is_enabled } = body.0;
        let new = WebhookChange {
            url: Some(url),
            description: nullable(description),
            events: Some(events),
            is_enabled: not_null("/is_enabled", is_enabled)?,
        };
        let (webhook, secret) = self.app.webhooks().create(&mut *uow, &scope, &new).await?;
        self.app.commit(uow).await?;
        let (slug, version) = (organization.slug.as_str(), webhook.version);
        let location = format!("/api/v1/organizations/{slug}/webhooks/{}", webhook.id);
        Ok(Created::new((webhook, secret).into(), location, version))
    }

    /// Get a webhook
    ///
    /// For admins and owners.
    #[oai(path = "/organizations/:slug/webhooks/:webhook_id", method = "get", operation_id = "getWebhook")]
    async fn get(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
    ) -> ApiResult<Versioned<Webhook>> {
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::webhook_id(&webhook_id.0)?;
        let webhook = self.app.webhooks().find(&mut *uow, &scope, id).await?;
        let version = webhook.version;
        Ok(Versioned::new(webhook.into(), version))
    }

    /// Change a webhook, or turn it on or off
    ///
    /// What was made before the change is sent to the URL as it is then, and given up if the webhook is off. The events are
    /// those of `createWebhook`. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id",
        method = "patch",
        operation_id = "updateWebhook"
    )]
    async fn update(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
        /// The `ETag` the change is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
        body: Body<UpdateWebhookRequest>,
    ) -> ApiResult<Versioned<Webhook>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::webhook_id(&webhook_id.0)?;
        let UpdateWebhookRequest { url, description, events, is_enabled } = body.0;
        let change = WebhookChange {
            url: not_null("/url", url)?,
            description: nullable(description),
            events: not_null("/events", events)?,
            is_enabled: not_null("/is_enabled", is_enabled)?,
        };
        let expected = if_match(condition.0.as_deref());
        let updated = self.app.webhooks().update(&mut *uow, &scope, id, &change, expected).await?;
        self.app.commit(uow).await?;
        let version = updated.version;
        Ok(Versioned::new(updated.into(), version))
    }

    /// Remove a webhook
    ///
    /// With the log of its deliveries. What is on its way may arrive still. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id",
        method = "delete",
        operation_id = "deleteWebhook"
    )]
    async fn delete(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
        /// The `ETag` the removal is meant for.
        #[oai(name = "If-Match")]
        condition: Header<Option<String>>,
    ) -> ApiResult<NoContent> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::webhook_id(&webhook_id.0)?;
        self.app.webhooks().delete(&mut *uow, &scope, id, if_match(condition.0.as_deref())).await?;
        self.app.commit(uow).await?;
        Ok(NoContent::Done)
    }

    /// Give a webhook a new secret
    ///
    /// It is not shown again. For 24 hours the secret before it signs too, so that the receiver can change over without losing
    /// a message; a secret before that signs no more. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/rotate-secret",
        method = "post",
        operation_id = "rotateWebhookSecret"
    )]
    async fn rotate_secret(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
    ) -> ApiResult<Versioned<WebhookWithSecret>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::webhook_id(&webhook_id.0)?;
        let (webhook, secret) = self.app.webhooks().rotate_secret(&mut *uow, &scope, id).await?;
        self.app.commit(uow).await?;
        let version = webhook.version;
        Ok(Versioned::new((webhook, secret).into(), version))
    }

    /// Try a webhook
    ///
    /// Sends it a `ping`, whatever it asks for. What comes of it is in its deliveries. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/ping",
        method = "post",
        operation_id = "pingWebhook"
    )]
    async fn ping(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
    ) -> ApiResult<Accepted<WebhookDelivery>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::webhook_id(&webhook_id.0)?;
        let delivery = self.app.webhooks().ping(&mut *uow, &scope, id).await?;
        self.app.commit(uow).await?;
        Ok(Accepted::new(delivery.into()))
    }

    /// List deliveries
    ///
    /// The newest first. They are kept for 30 days. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/deliveries",
        method = "get",
        operation_id = "listWebhookDeliveries"
    )]
    async fn deliveries(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
        /// Only those that stand there.
        status: Query<Option<String>>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to answer the `total`.
        count: Query<Option<String>>,
    ) -> ApiResult<Reply<WebhookDeliveryList>> {
        let names: Vec<_> = DeliveryStatus::ALL.iter().map(|status| status.as_str()).collect();
        let status = choice("status", status, &names, DeliveryStatus::parse)?;
        let page = page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let id = self::webhook_id(&webhook_id.0)?;
        let found = self.app.webhooks().deliveries(&mut *uow, &scope, id, status, &page).await?;
        let deliveries = found.items.into_iter().map(WebhookDelivery::from).collect();
        Ok(Reply::new(WebhookDeliveryList { deliveries, next_cursor: found.next_cursor, total: found.total }))
    }

    /// Get a delivery
    ///
    /// With what is sent, and what came of each attempt. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/deliveries/:delivery_id",
        method = "get",
        operation_id = "getWebhookDelivery"
    )]
    async fn delivery(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
        /// The delivery's id.
        delivery_id: Path<String>,
    ) -> ApiResult<Reply<WebhookDeliveryDetail>> {
        let mut uow = auth.read(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let (id, delivery) = (self::webhook_id(&webhook_id.0)?, self::delivery_id(&delivery_id.0)?);
        let (found, attempts) = self.app.webhooks().delivery(&mut *uow, &scope, id, delivery).await?;
        Ok(Reply::new(WebhookDeliveryDetail::of(found, attempts)?))
    }

    /// Send a delivery again
    ///
    /// As a delivery of its own with the same `message_id` and body, wherever the first one stands. For admins and owners.
    #[oai(
        path = "/organizations/:slug/webhooks/:webhook_id/deliveries/:delivery_id/redeliver",
        method = "post",
        operation_id = "redeliverWebhook"
    )]
    async fn redeliver(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
        /// The webhook's id.
        webhook_id: Path<String>,
        /// The delivery's id.
        delivery_id: Path<String>,
    ) -> ApiResult<Accepted<WebhookDelivery>> {
        let mut uow = auth.begin(&self.app).await?;
        let (scope, _) = auth.enter(&mut *uow, &slug.0).await?;
        let (id, delivery) = (self::webhook_id(&webhook_id.0)?, self::delivery_id(&delivery_id.0)?);
        let again = self.app.webhooks().redeliver(&mut *uow, &scope, id, delivery).await?;
        self.app.commit(uow).await?;
        Ok(Accepted::new(again.into()))
    }
}
