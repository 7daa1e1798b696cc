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
    DeliverWebhook, ID_HEADER, Next, Outcome, PreparedDelivery, SIGNATURE_HEADER, Sent, TIMESTAMP_HEADER,
    WebhookNetworks, host_and_port,
};

use super::pacer::{Pacer, Place, PutOff};
use super::resolver::{AllowedOnly, Nowhere};
use crate::backoff::fraction;
use crate::handler::{Failure, Handler, JobContext};
use crate::retry_after::retry_after;
use crate::worker::metrics;

/// How long an endpoint may take for its answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP client cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client for webhooks cannot be made: {0}")]
pub struct ClientError(String);

/// Sends the messages of webhooks, as the handler of [`DeliverWebhook`]:
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
/// A tenant chooses the address, so it is checked after DNS, at every attempt; no proxy is used, no redirect is followed, and
/// of the answer nothing but the status and `Retry-After` is read.
pub struct WebhookSender {
    https: Client,
    http: Client,
    networks: WebhookNetworks,
    pacer: Pacer,
    timeout: Duration,
}

impl WebhookSender {
    /// A sender to the public internet and the given networks; give those of
    /// [`Settings::webhook_networks`](workscribe_core::Settings::webhook_networks).
    ///
    /// # Errors
    /// [`ClientError`] when there is no TLS to be had.
    pub fn new(networks: WebhookNetworks) -> Result<Self, ClientError> {
        let client = |is_https| {
            Client::builder()
                .dns_resolver(Arc::new(AllowedOnly { is_https, networks: networks.clone() }))
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

    /// Another limit for one answer than 15 seconds.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn send(&self, message: &PreparedDelivery, at: Timestamp) -> Outcome {
        let unanswered = |reason: &str| Outcome::Unanswered { reason: reason.to_owned() };
        let Ok(url) = Url::parse(message.url()) else {
            return unanswered("The endpoint's URL cannot be read.");
        };
        let is_https = url.scheme() == "https";
        // A name is checked by the resolver; an address never gets there.
        let literal: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        };
        if literal.is_some_and(|address| !self.networks.allow(is_https, address)) {
            return unanswered(NOT_PUBLIC);
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
            Ok(answer) => Outcome::Answered {
                status: answer.status().as_u16(),
                retry_after: retry_after(answer.headers()),
            },
            Err(error) => unanswered(match Nowhere::within(&error) {
                Some(Nowhere) => NOT_PUBLIC,
                None if error.is_timeout() => "The endpoint took too long.",
                None if error.is_connect() => {
                    "No connection to the endpoint could be made, or its certificate is not trusted."
                }
                None => "The connection to the endpoint broke.",
            }),
        }
    }

    /// A place on the way to the message's host, or when to look again.
    fn place(&self, context: &JobContext, message: &PreparedDelivery) -> Result<Place, Failure> {
        let (org, host) = (message.org(), host_and_port(message.url()));
        let limits = &context.app.settings().limits;
        let put_off = match self.pacer.place(context.id, org, &host, limits, context.app.now()) {
            Ok(place) => return Ok(place),
            Err(put_off) => put_off,
        };
        let (after, why) = match put_off {
            PutOff::Rate(after) => (after, "rate"),
            PutOff::Busy(after) => (after, "busy"),
        };
        metrics::put_off(org, &host, why);
        Err(Failure::snooze(after.to_std().unwrap_or_default()))
    }
}

/// One sentence for all that is not called, known to DNS or not: the difference would tell which names there are inside.
const NOT_PUBLIC: &str = "The endpoint's name or address is not on the public internet.";

#[async_trait]
impl Handler<DeliverWebhook> for WebhookSender {
    async fn handle(&self, context: JobContext, job: DeliverWebhook) -> Result<(), Failure> {
        let webhooks = context.app.webhooks();
        let Some(message) = webhooks.prepare_delivery(&job).await? else { return Ok(()) };
        let _place = self.place(&context, &message)?;
        let (at, begun) = (context.app.now(), Instant::now());
        let outcome = self.send(&message, at).await;
        // How long it took to find out would tell of names inside.
        let is_nowhere = matches!(&outcome, Outcome::Unanswered { reason } if reason == NOT_PUBLIC);
        let took = if is_nowhere { Duration::ZERO } else { begun.elapsed() };
        let sent = Sent { at, took, outcome };
        match webhooks.settle_delivery(&message, &sent).await? {
            Next::Settled => Ok(()),
            Next::Again { after, reason } => {
                // So that what failed together does not come back together.
                let after = after.mul_f64(1.0 + fraction(context.app.entropy()) / 10.0);
                Err(Failure::Retry { reason, after: Some(after) })
            }
        }
    }
}
