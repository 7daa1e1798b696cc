//! Webhooks over HTTP. What they are told, and how, is in the description of [`Tags::Webhooks`].

mod dto;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use workscribe_core::Code::*;
use workscribe_core::WorkScribe;
use workscribe_core::id::{WebhookDeliveryId, WebhookId};
use workscribe_core::webhooks::{DeliveryFilter, DeliveryStatus};

use crate::auth::BearerAuth;
use crate::body::Body;
use crate::problem::refuses::{IN_ORGANIZATION, STALE};
use crate::problem::{ApiResult, codes};
use crate::query::{Asked, Id, PageCount, PageCursor, PageLimit, only_page, page, read};
use crate::reply::{Accepted, Created, NoContent, Reply, Versioned};
use crate::tags::Tags;
use crate::wire::{IfMatch, Slug};

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

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Webhooks")]
impl WebhooksApi {
    /// List webhooks
    ///
    /// For admins and owners.
    #[oai(path = "/organizations/:slug/webhooks", method = "get", operation_id = "listWebhooks")]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<WebhookList>, IN_ORGANIZATION> {
        let page = only_page(limit, cursor, count)?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.webhooks().list(&mut *uow, at.scope(), &page).await?;
        Ok(Reply::new(found))
    }

    /// Make a webhook
    ///
    /// The answer has the secret that signs its messages, which is not shown again; so there is no `Idempotency-Key`. An
    /// organization has at most 20. For admins and owners.
    ///
    /// The section Webhooks lists the events.
    #[oai(path = "/organizations/:slug/webhooks", method = "post", operation_id = "createWebhook")]
    async fn create(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        body: Body<CreateWebhookRequest>,
    ) -> ApiResult<Created<WebhookWithSecret>, { IN_ORGANIZATION | codes(&[LimitReached]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let made = self.app.webhooks().create(&mut *uow, at.scope(), &body.0).await?;
        self.app.commit(uow).await?;
        let location = format!("/api/v1/organizations/{}/webhooks/{}", at.slug, made.0.id);
        Ok(Created::new(made, location))
    }

    /// Get a webhook
    ///
    /// For admins and owners.
    #[oai(path = "/organizations/:slug/webhooks/:webhook_id", method = "get", operation_id = "getWebhook")]
    async fn get(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
    ) -> ApiResult<Versioned<Webhook>, { IN_ORGANIZATION | codes(&[WebhookNotFound]) }> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let id = webhook_id.read()?;
        let webhook = self.app.webhooks().find(&mut *uow, at.scope(), id).await?;
        Ok(Versioned::new(webhook))
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
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
        body: Body<UpdateWebhookRequest>,
    ) -> ApiResult<Versioned<Webhook>, { IN_ORGANIZATION | STALE | codes(&[WebhookNotFound]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let webhook = webhook_id.target(&condition)?;
        let updated = self.app.webhooks().update(&mut *uow, at.scope(), webhook, &body.0).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(updated))
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
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        #[oai(name = "If-Match")] condition: Header<Option<IfMatch>>,
    ) -> ApiResult<NoContent, { IN_ORGANIZATION | STALE | codes(&[WebhookNotFound]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let webhook = webhook_id.target(&condition)?;
        self.app.webhooks().delete(&mut *uow, at.scope(), webhook).await?;
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
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
    ) -> ApiResult<Versioned<WebhookWithSecret>, { IN_ORGANIZATION | codes(&[WebhookNotFound]) }> {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let id = webhook_id.read()?;
        let rotated = self.app.webhooks().rotate_secret(&mut *uow, at.scope(), id).await?;
        self.app.commit(uow).await?;
        Ok(Versioned::new(rotated))
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
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
    ) -> ApiResult<
        Accepted<WebhookDelivery>,
        { IN_ORGANIZATION | codes(&[WebhookNotFound, WebhookDisabled, RateLimited]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let id = webhook_id.read()?;
        let delivery = self.app.webhooks().ping(&mut *uow, at.scope(), id).await?;
        self.app.commit(uow).await?;
        Ok(Accepted::new(delivery))
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
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        /// Only those that stand there.
        status: Asked<DeliveryStatus>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
        count: Asked<PageCount>,
    ) -> ApiResult<Reply<WebhookDeliveryList>, { IN_ORGANIZATION | codes(&[WebhookNotFound]) }> {
        let (status, page) = read(|faults| (status.read(faults), page((limit, cursor, count), faults)))?;
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let of = DeliveryFilter { webhook: webhook_id.read()?, status };
        let found = self.app.webhooks().deliveries(&mut *uow, at.scope(), of, &page).await?;
        Ok(Reply::new(found))
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
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        delivery_id: Path<Id<WebhookDeliveryId>>,
    ) -> ApiResult<
        Reply<WebhookDeliveryDetail>,
        { IN_ORGANIZATION | codes(&[WebhookNotFound, DeliveryNotFound]) },
    > {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let (id, delivery) = (webhook_id.read()?, delivery_id.read()?);
        let (found, attempts) = self.app.webhooks().delivery(&mut *uow, at.scope(), id, delivery).await?;
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
        slug: Path<Slug>,
        webhook_id: Path<Id<WebhookId>>,
        delivery_id: Path<Id<WebhookDeliveryId>>,
    ) -> ApiResult<
        Accepted<WebhookDelivery>,
        { IN_ORGANIZATION | codes(&[WebhookNotFound, DeliveryNotFound, WebhookDisabled, RateLimited]) },
    > {
        let mut uow = auth.begin(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let (id, delivery) = (webhook_id.read()?, delivery_id.read()?);
        let again = self.app.webhooks().redeliver(&mut *uow, at.scope(), id, delivery).await?;
        self.app.commit(uow).await?;
        Ok(Accepted::new(again))
    }
}
