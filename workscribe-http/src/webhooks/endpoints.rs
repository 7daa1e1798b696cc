//! Endpoints that receive events, over HTTP.

use workscribe_core::Code::{LimitReached, RateLimited, WebhookDisabled, WebhookNotFound};
use workscribe_core::id::WebhookId;
use workscribe_core::webhooks::{self, WebhookChange};

use super::deliveries::WebhookDelivery;
use crate::prelude::*;

api! {
    /// Webhooks.
    WebhooksApi
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Webhooks")]
impl WebhooksApi {
    /// List an organization's webhooks
    ///
    /// Returns the webhooks, oldest first, without their secrets. Requires an admin or an owner.
    #[oai(path = "/organizations/:slug/webhooks", method = "get", operation_id = "listWebhooks")]
    async fn list(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
        page: Asked<Paging>,
    ) -> ApiResult<Reply<WebhookList>, IN_ORGANIZATION> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        let found = self.app.webhooks().list(&mut *uow, at.scope(), &page).await?;
        Ok(Reply::new(found))
    }

    /// Create a webhook
    ///
    /// The response has the secret that signs the messages. The secret is not shown again, so there is no `Idempotency-Key`. An
    /// organization has at most 20 webhooks. Requires an admin or an owner.
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
    /// Returns the webhook without its secret. Requires an admin or an owner.
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

    /// Update a webhook, or turn it on or off
    ///
    /// Deliveries that are pending go to the new URL, or fail if the webhook is off. The events are those of `createWebhook`.
    /// Requires an admin or an owner.
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

    /// Delete a webhook
    ///
    /// Removes the webhook and its deliveries. A message that is being sent may still arrive. Requires an admin or an owner.
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

    /// Rotate a webhook's secret
    ///
    /// The new secret is not shown again. For 24 hours the previous secret signs too, so that the receiver can change to the new
    /// one without losing a message. An older secret stops signing at once. Requires an admin or an owner.
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

    /// Send a ping to a webhook
    ///
    /// Use this to test a webhook. It gets a `ping`, whichever events it subscribes to. See its deliveries for the result.
    /// Requires an admin or an owner.
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
}

named! {
    /// Why a webhook is off.
    WebhookDisabledReason = webhooks::DisabledReason;
}

answers! {
    /// An endpoint that receives the events of an organization.
    Webhook of webhook: webhooks::Webhook {
        /// The id of the webhook.
        id: Uuid,
        /// The URL to which messages are sent.
        url: WebhookUrl,
        /// What the webhook is for.
        description: Nullable<String>,
        /// The names of the events that it subscribes to, or only `*` for all events.
        events: Vec<String> = webhook.events.names().into_iter().map(str::to_owned).collect::<Vec<_>>(),
        /// Whether messages are sent to it.
        is_enabled: bool = webhook.disabled.is_none(),
        /// Why the webhook is off; null while it is on.
        disabled_reason: Nullable<WebhookDisabledReason> = webhook.disabled.map(|disabled| disabled.reason),
        /// When the webhook was turned off; null while it is on.
        disabled_at: Nullable<Time> = webhook.disabled.map(|disabled| disabled.at),
        /// When it last accepted a message.
        last_success_at: Nullable<Time>,
        /// The id of the user who created the webhook.
        created_by: Uuid,
        /// When the webhook was created.
        created_at: Time,
        /// When the webhook was last changed.
        updated_at: Time,
    }

    /// An endpoint, with the secret that signs its messages.
    WebhookWithSecret of (webhook, secret): (webhooks::Webhook, webhooks::SigningSecret) {
        /// The endpoint.
        #[oai(flatten)]
        #[serde(flatten)]
        webhook: Webhook = webhook,
        /// The secret: `whsec_` and base64, as the libraries of Standard Webhooks expect it. It is not shown again.
        secret: SigningSecret = secret.expose(),
    }
}

lists! {
    /// A page of webhooks, oldest first.
    WebhookList {
        /// The webhooks.
        webhooks: Webhook
    }
}

inputs! {
    /// A new webhook.
    CreateWebhookRequest {
        /// The URL to which messages are sent: HTTPS, at most 2,000 characters, reachable from the public internet, without a user
        /// name and without a fragment.
        #[oai(validator(max_length = 2000))]
        url: Required<WebhookUrl>,
        /// What the webhook is for: at most 200 characters.
        #[oai(validator(max_length = 200))]
        description: Clearable<String>,
        /// The names of the events to subscribe to, or `*` for all events, including those of later versions.
        #[oai(validator(min_items = 1, max_items = 50))]
        events: Required<Vec<String>>,
        /// Whether messages are sent to it. The default is `true`.
        is_enabled: Patch<bool>,
    } => WebhookChange = WebhookChange { url: Some(url), description, events: Some(events), is_enabled };

    /// A change of a webhook. A field that is left out does not change.
    UpdateWebhookRequest {
        /// The URL to which messages are sent, with the same rules as for a new webhook.
        #[oai(validator(max_length = 2000))]
        url: Patch<WebhookUrl>,
        /// At most 200 characters, or null for none.
        #[oai(validator(max_length = 200))]
        description: Clearable<String>,
        /// The names of all events to subscribe to, or `*`. They replace the current ones.
        #[oai(validator(min_items = 1, max_items = 50))]
        events: Patch<Vec<String>>,
        /// `false` turns the webhook off. `true` turns it on, whatever turned it off.
        is_enabled: Patch<bool>,
    } => WebhookChange = WebhookChange { url, description, events, is_enabled };
}
