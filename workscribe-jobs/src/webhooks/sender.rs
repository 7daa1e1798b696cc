//! Sends the messages of webhooks: [`WebhookSender`], the handler of [`DeliverWebhook`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio::time::Instant;
use url::Host;
use workscribe_core::clock::Timestamp;
use workscribe_core::webhooks::{
    DeliverWebhook, DeliveryRetry, ID_HEADER, PreparedDelivery, SIGNATURE_HEADER, SendResult, Sent,
    TIMESTAMP_HEADER, WebhookNetworks, host_and_port,
};

use super::pacer::{Delay, Pacer, Permit};
use super::resolver::{AllowedAddresses, NoAllowedAddress};
use crate::backoff::fraction;
use crate::handler::{Handler, JobContext, JobError};
use crate::retry_after::retry_after;
use crate::worker::metrics;

/// How long an endpoint may take to respond.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP client cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client for webhooks cannot be made: {0}")]
pub struct ClientError(String);

/// Sends the messages of webhooks. It is the handler of [`DeliverWebhook`]:
///
/// ```no_run
/// # fn registry(app: &workscribe_core::WorkScribe) -> Result<(), Box<dyn std::error::Error>> {
/// use workscribe_core::webhooks::DeliverWebhook;
/// use workscribe_jobs::Registry;
/// use workscribe_jobs::webhooks::WebhookSender;
///
/// let sender = WebhookSender::new(app.settings().webhook_networks.clone())?;
/// let registry = Registry::new().register::<DeliverWebhook>(sender);
/// # Ok(())
/// # }
/// ```
///
/// A tenant chooses the URL, so each attempt checks the address after DNS. The sender uses no proxy and follows no redirect. It
/// reads only the status and `Retry-After` of a response.
pub struct WebhookSender {
    https: Client,
    http: Client,
    networks: WebhookNetworks,
    pacer: Pacer,
    timeout: Duration,
}

impl WebhookSender {
    /// A sender to the public internet and the given networks: pass
    /// [`Settings::webhook_networks`](workscribe_core::Settings::webhook_networks).
    ///
    /// # Errors
    /// [`ClientError`] when TLS is not available.
    pub fn new(networks: WebhookNetworks) -> Result<Self, ClientError> {
        let client = |is_https| {
            Client::builder()
                .dns_resolver(Arc::new(AllowedAddresses { is_https, networks: networks.clone() }))
                .https_only(is_https)
                .no_proxy()
                .redirect(Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(concat!("workscribe-webhooks/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| ClientError(error.without_url().to_string()))
        };
        Ok(Self {
            https: client(true)?,
            http: client(false)?,
            networks,
            pacer: Pacer::default(),
            timeout: TIMEOUT,
        })
    }

    /// Sets the time-out of one send; the default is 15 seconds.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn send(&self, message: &PreparedDelivery, at: Timestamp) -> SendResult {
        let no_response = |reason: &str| SendResult::NoResponse { reason: reason.to_owned() };
        let Ok(url) = Url::parse(message.url()) else {
            return no_response("The endpoint's URL cannot be read.");
        };
        let is_https = url.scheme() == "https";
        // The resolver checks names. An address in the URL is checked here, since no resolver sees it.
        let literal: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        };
        if literal.is_some_and(|address| !self.networks.allow(is_https, address)) {
            return no_response(NOT_PUBLIC);
        }
        let client = if is_https { &self.https } else { &self.http };
        let call = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ID_HEADER, message.message_id())
            .header(TIMESTAMP_HEADER, at.timestamp().to_string())
            .header(SIGNATURE_HEADER, message.signature(at))
            .timeout(self.timeout)
            .body(message.body().to_owned());
        match call.send().await {
            Ok(answer) => SendResult::Response {
                status: answer.status().as_u16(),
                retry_after: retry_after(answer.headers()),
            },
            Err(error) => no_response(match NoAllowedAddress::within(&error) {
                Some(NoAllowedAddress) => NOT_PUBLIC,
                None if error.is_timeout() => "The endpoint took too long.",
                None if error.is_connect() => {
                    "No connection to the endpoint could be made, or its certificate is not trusted."
                }
                None => "The connection to the endpoint broke.",
            }),
        }
    }

    /// A permit to send to the host of the message, or a snooze.
    fn permit(&self, context: &JobContext, message: &PreparedDelivery) -> Result<Permit, JobError> {
        let (org, host) = (message.org(), host_and_port(message.url()));
        let limits = &context.app.settings().limits;
        let delay = match self.pacer.permit(context.id, org, &host, limits, context.app.now()) {
            Ok(permit) => return Ok(permit),
            Err(delay) => delay,
        };
        let (after, reason) = match delay {
            Delay::Rate(after) => (after, "rate"),
            Delay::Busy(after) => (after, "busy"),
        };
        metrics::message_snoozed(org, &host, reason);
        Err(JobError::snooze(after.to_std().unwrap_or_default()))
    }
}

/// The sentence for every address that may not be called, whether DNS knows the name or not. A difference would reveal which
/// internal names exist.
const NOT_PUBLIC: &str = "The endpoint's name or address is not on the public internet.";

#[async_trait]
impl Handler<DeliverWebhook> for WebhookSender {
    async fn handle(&self, context: JobContext, job: DeliverWebhook) -> Result<(), JobError> {
        let webhooks = context.app.webhooks();
        let Some(message) = webhooks.prepare_delivery(&job).await? else { return Ok(()) };
        let _permit = self.permit(&context, &message)?;
        let (at, begun) = (context.app.now(), Instant::now());
        let result = self.send(&message, at).await;
        // The duration of the look-up would reveal which internal names exist.
        let is_blocked = matches!(&result, SendResult::NoResponse { reason } if reason == NOT_PUBLIC);
        let took = if is_blocked { Duration::ZERO } else { begun.elapsed() };
        let sent = Sent { at, took, result };
        match webhooks.settle_delivery(&message, &sent).await? {
            None => Ok(()),
            Some(DeliveryRetry { after, reason }) => {
                // The jitter spreads the retries of deliveries that failed together.
                let after = after.mul_f64(1.0 + fraction(context.app.entropy()) / 10.0);
                Err(JobError::Retry { reason, after: Some(after) })
            }
        }
    }
}
