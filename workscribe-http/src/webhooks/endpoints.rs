//! Endpoints that are told of what happens, over HTTP.

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
    /// List webhooks
    ///
    /// For admins and owners.
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
}

named! {
    /// Why a webhook is off.
    WebhookDisabledReason = webhooks::DisabledReason;
}

answers! {
    /// An endpoint that is told of what happens.
    Webhook of webhook: webhooks::Webhook {
        /// Its id.
        id: Uuid,
        /// Where messages are sent.
        url: WebhookUrl,
        /// What it is for.
        description: Nullable<String>,
        /// The names of the events that it asks for, or `*` alone for all of them.
        events: Vec<String> = webhook.events.names().into_iter().map(str::to_owned).collect::<Vec<_>>(),
        /// Whether messages are sent to it.
        is_enabled: bool = webhook.disabled.is_none(),
        /// Why it is off; null while it is on.
        disabled_reason: Nullable<WebhookDisabledReason> = webhook.disabled.map(|disabled| disabled.reason),
        /// Since when it is off; null while it is on.
        disabled_at: Nullable<Time> = webhook.disabled.map(|disabled| disabled.at),
        /// When it last took a message.
        last_success_at: Nullable<Time>,
        /// The user who made it.
        created_by: Uuid,
        /// When it was made.
        created_at: Time,
        /// When it was last changed.
        updated_at: Time,
    }

    /// An endpoint, and the secret with which its messages are signed.
    WebhookWithSecret of (webhook, secret): (webhooks::Webhook, webhooks::SigningSecret) {
        /// The endpoint.
        #[oai(flatten)]
        #[serde(flatten)]
        webhook: Webhook = webhook,
        /// `whsec_` and base64, as the libraries of Standard Webhooks take it. It is not shown again.
        secret: SigningSecret = secret.expose(),
    }
}

lists! {
    /// A page of webhooks, the oldest first.
    WebhookList {
        /// The webhooks.
        webhooks: Webhook
    }
}

inputs! {
    /// A new webhook.
    CreateWebhookRequest {
        /// Where messages are sent: an HTTPS URL of at most 2,000 characters that can be reached from the public internet,
        /// without a user name and without a fragment.
        #[oai(validator(max_length = 2000))]
        url: Required<WebhookUrl>,
        /// What it is for: at most 200 characters.
        #[oai(validator(max_length = 200))]
        description: Clearable<String>,
        /// Names of events, or `*` for all of them, those of later versions too.
        #[oai(validator(min_items = 1, max_items = 50))]
        events: Required<Vec<String>>,
        /// Whether messages are sent to it: `true` unless given.
        is_enabled: Patch<bool>,
    } => WebhookChange = WebhookChange { url: Some(url), description, events: Some(events), is_enabled };

    /// A change of a webhook. What is left out stays as it is.
    UpdateWebhookRequest {
        /// As for a new webhook.
        #[oai(validator(max_length = 2000))]
        url: Patch<WebhookUrl>,
        /// At most 200 characters, or null for none.
        #[oai(validator(max_length = 200))]
        description: Clearable<String>,
        /// As for a new webhook; in the place of those that it asks for.
        #[oai(validator(min_items = 1, max_items = 50))]
        events: Patch<Vec<String>>,
        /// `false` turns it off; `true` turns it on, whatever turned it off.
        is_enabled: Patch<bool>,
    } => WebhookChange = WebhookChange { url, description, events, is_enabled };
}
