//! The jobs of webhooks: sending a message to an endpoint, and the mail about an endpoint that was turned off.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{OrgId, UserId, WebhookDeliveryId, WebhookId};
use crate::identity::User;
use crate::outbox::Job;
use crate::storage::{Party, UnitOfWork};
use crate::tenancy::Slug;

use super::model::{DeliveryAttempt, DeliveryState, DeliveryStatus, Disabled, DisabledReason};
use super::scope::DeliveryPass;
use super::secrets;
use super::service::Webhooks;
use super::signature::SigningSecret;

/// The waits between attempts: nine attempts over 25 hours and 36 minutes. The first waits are those that Standard Webhooks recommends.
const WAITS: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(5 * 60 * 60),
    Duration::from_secs(8 * 60 * 60),
    Duration::from_secs(10 * 60 * 60),
];
/// A longer `Retry-After` of an endpoint is shortened to this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends a message to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverWebhook {
    /// The organization.
    pub org_id: OrgId,
    /// The delivery.
    pub delivery_id: WebhookDeliveryId,
}

impl Job for DeliverWebhook {
    const KIND: &'static str = "webhook.deliver";
    /// A queue of its own, so that slow endpoints delay no mail.
    const QUEUE: &'static str = "webhooks";
    /// More than a delivery has, since a worker may crash before it records an attempt.
    const MAX_ATTEMPTS: u32 = 30;
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(60));

    fn org(&self) -> Option<OrgId> {
        Some(self.org_id)
    }
}

/// Sends an owner a mail about an endpoint that was turned off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendWebhookMail {
    /// The owner.
    pub user: UserId,
    /// The name of the organization.
    pub org_name: String,
    /// The name of the organization in URLs.
    pub org_slug: Slug,
    /// The host of the endpoint. The rest of its URL may be a secret.
    pub host: String,
    /// Why the endpoint was turned off.
    pub reason: DisabledReason,
}

impl Job for SendWebhookMail {
    const KIND: &'static str = "mail.webhook";
    const QUEUE: &'static str = crate::outbox::MAIL_QUEUE;
}

impl SendWebhookMail {
    /// The recipient; `None` when the account is removed or disabled, or when its address refuses mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn recipient(&self, app: &WorkScribe) -> Result<Option<User>> {
        let mut uow = app.read().await?;
        let Some(user) = uow.users().find(self.user).await? else { return Ok(None) };
        let is_out_of_reach =
            user.disabled_at.is_some() || app.identity().is_bouncing(&mut *uow, &user.email).await?;
        Ok((!is_out_of_reach).then_some(user))
    }
}

impl DeliveryPass {
    /// Looks up the delivery and its endpoint in one statement.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn enter(
        uow: &mut dyn UnitOfWork,
        org: OrgId,
        delivery: WebhookDeliveryId,
    ) -> Result<Option<Self>> {
        uow.on_behalf_of(Party::Organization(org));
        Ok(uow.webhooks().enter_delivery(org, delivery).await?.map(|entered| Self { org, entered }))
    }
}

/// A message that is ready to be sent.
#[derive(Debug, Clone)]
pub struct PreparedDelivery {
    pass: DeliveryPass,
    secrets: Vec<SigningSecret>,
}

impl PreparedDelivery {
    /// The organization.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.pass.org()
    }

    /// The endpoint.
    #[must_use]
    pub fn webhook_id(&self) -> WebhookId {
        self.pass.webhook().id
    }

    /// The URL of the endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.pass.webhook().url
    }

    /// The `webhook-id`: the same in every attempt, so a receiver recognizes a repeated message.
    #[must_use]
    pub fn message_id(&self) -> String {
        self.pass.delivery().message_id.to_string()
    }

    /// The JSON body.
    #[must_use]
    pub fn body(&self) -> &str {
        self.pass.delivery().payload.as_deref().unwrap_or_default()
    }

    /// The value of the signature header for a send at a time: one signature for each valid secret.
    #[must_use]
    pub fn signature(&self, at: Timestamp) -> String {
        let id = self.message_id();
        let all: Vec<_> = self.secrets.iter().map(|secret| secret.sign(&id, at, self.body())).collect();
        all.join(" ")
    }
}

/// One send of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When the send began.
    pub at: Timestamp,
    /// How long the send took.
    pub took: Duration,
    /// The result of the send.
    pub result: SendResult,
}

/// The response of an endpoint, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendResult {
    /// The endpoint responded.
    Response {
        /// The HTTP status.
        status: u16,
        /// The `Retry-After` of the endpoint, if any.
        retry_after: Option<Duration>,
    },
    /// The endpoint did not respond.
    NoResponse {
        /// Why, in a sentence for the tenant.
        reason: String,
    },
}

/// The next attempt at a delivery that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRetry {
    /// How long to wait.
    pub after: Duration,
    /// Why the attempt failed.
    pub reason: String,
}

impl Webhooks<'_> {
    /// Prepares the message of a delivery; `None` when there is nothing to send, because the delivery has ended, or because it
    /// or its endpoint was removed. A delivery to an endpoint that is off fails for good.
    ///
    /// # Errors
    /// When the storage does not answer, or when the server's keys do not open the secrets of the endpoint.
    pub async fn prepare_delivery(&self, job: &DeliverWebhook) -> Result<Option<PreparedDelivery>> {
        let mut uow = self.app.begin().await?;
        let Some(pass) = DeliveryPass::enter(&mut *uow, job.org_id, job.delivery_id).await? else {
            return Ok(None);
        };
        if pass.delivery().status != DeliveryStatus::Pending {
            return Ok(None);
        }
        let now = self.app.now();
        if pass.webhook().disabled.is_some() {
            uow.webhooks().note_attempt(&pass, None, DeliveryStatus::Failed.into(), now).await?;
            self.app.commit(uow).await?;
            return Ok(None);
        }
        let secrets = secrets::open(self.app, pass.org(), pass.webhook(), now)?;
        Ok(Some(PreparedDelivery { pass, secrets }))
    }

    /// Records an attempt and its consequences in one transaction; `None` when the delivery has ended, or when another worker
    /// recorded this attempt first. An endpoint that responds 410, or that accepted no message for more than a day, is turned
    /// off, and the owners receive a mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn settle_delivery(
        &self,
        prepared: &PreparedDelivery,
        sent: &Sent,
    ) -> Result<Option<DeliveryRetry>> {
        let pass = &prepared.pass;
        let number = pass.delivery().attempts + 1;
        let outcome = outcome(&sent.result, number);
        let now = self.app.now();
        let next_attempt_at = match &outcome {
            DeliveryOutcome::Retry(after) => Some(now + TimeDelta::from_std(*after).unwrap_or_default()),
            DeliveryOutcome::Delivered | DeliveryOutcome::Exhausted | DeliveryOutcome::Gone => None,
        };
        let status = match &outcome {
            DeliveryOutcome::Delivered => DeliveryStatus::Delivered,
            DeliveryOutcome::Retry(_) => DeliveryStatus::Pending,
            DeliveryOutcome::Exhausted | DeliveryOutcome::Gone => DeliveryStatus::Failed,
        };
        let (response_status, error) = recorded(&sent.result);
        let attempt =
            DeliveryAttempt { number, at: sent.at, took: sent.took, response_status, error: error.clone() };
        let mut uow = self.app.begin().await?;
        let state = DeliveryState { status, next_attempt_at };
        if !uow.webhooks().note_attempt(pass, Some(&attempt), state, now).await? {
            return Ok(None);
        }
        match outcome {
            DeliveryOutcome::Delivered => uow.webhooks().note_success(pass, now).await?,
            DeliveryOutcome::Retry(_) => {}
            DeliveryOutcome::Gone => self.turn_off(&mut *uow, pass, DisabledReason::Gone, None).await?,
            DeliveryOutcome::Exhausted => {
                let since = Some(pass.delivery().created_at);
                self.turn_off(&mut *uow, pass, DisabledReason::Failing, since).await?;
            }
        }
        self.app.commit(uow).await?;
        Ok(match outcome {
            DeliveryOutcome::Retry(after) => Some(DeliveryRetry { after, reason: error.unwrap_or_default() }),
            DeliveryOutcome::Delivered | DeliveryOutcome::Exhausted | DeliveryOutcome::Gone => None,
        })
    }

    async fn turn_off(
        &self,
        uow: &mut dyn UnitOfWork,
        pass: &DeliveryPass,
        reason: DisabledReason,
        unless_since: Option<Timestamp>,
    ) -> Result<()> {
        let disabled = Disabled { reason, at: self.app.now() };
        if !uow.webhooks().turn_off(pass, disabled, unless_since).await? {
            return Ok(());
        }
        self.app.subscriptions().forget(pass.org(), disabled.at);
        let owners = uow.webhooks().owners(pass).await?;
        let mails = owners.into_iter().map(|user| {
            self.app.jobs().prepare(&SendWebhookMail {
                user,
                org_name: pass.entered.org_name.clone(),
                org_slug: pass.entered.org_slug.clone(),
                host: host(&pass.webhook().url),
                reason,
            })
        });
        let mails = mails.collect::<Result<Vec<_>, _>>()?;
        self.app.enqueue_all(uow, &mails).await?;
        Ok(())
    }
}

/// How an attempt ended, and what follows for the delivery.
enum DeliveryOutcome {
    /// The endpoint accepted the message.
    Delivered,
    /// The attempt failed. The next one follows after this time.
    Retry(Duration),
    /// The last attempt failed.
    Exhausted,
    /// The endpoint responded 410: it accepts no more messages.
    Gone,
}

fn outcome(result: &SendResult, attempt: u32) -> DeliveryOutcome {
    let requested = match result {
        SendResult::Response { status: 200..=299, .. } => return DeliveryOutcome::Delivered,
        SendResult::Response { status: 410, .. } => return DeliveryOutcome::Gone,
        SendResult::Response { retry_after, .. } => retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER),
        SendResult::NoResponse { .. } => Duration::ZERO,
    };
    let at = usize::try_from(attempt).unwrap_or(usize::MAX).saturating_sub(1);
    WAITS.get(at).map_or(DeliveryOutcome::Exhausted, |wait| DeliveryOutcome::Retry(requested.max(*wait)))
}

/// The status and the sentence that a delivery shows to the tenant.
fn recorded(result: &SendResult) -> (Option<u16>, Option<String>) {
    match result {
        SendResult::Response { status: status @ 200..=299, .. } => (Some(*status), None),
        SendResult::Response { status: status @ 300..=399, .. } => {
            let error = "The endpoint answered with a redirect, which is not followed. Give the final URL.";
            (Some(*status), Some(error.to_owned()))
        }
        SendResult::Response { status: 410, .. } => {
            (Some(410), Some("The endpoint answered 410: it wants no more messages.".to_owned()))
        }
        SendResult::Response { status, .. } => {
            (Some(*status), Some(format!("The endpoint answered {status}.")))
        }
        SendResult::NoResponse { reason } => (None, Some(reason.clone())),
    }
}

fn host(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after: Option<u64>) -> SendResult {
        SendResult::Response { status, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn wait(result: &SendResult, attempt: u32) -> Option<u64> {
        match outcome(result, attempt) {
            DeliveryOutcome::Retry(after) => Some(after.as_secs()),
            _ => None,
        }
    }

    #[test]
    fn a_delivery_is_retried_for_more_than_a_day_and_then_fails() {
        let total: Duration = WAITS.iter().sum();
        assert!(total > Duration::from_secs(24 * 60 * 60), "{total:?}");
        assert_eq!(wait(&answered(500, None), 1), Some(5));
        assert_eq!(wait(&answered(404, None), 8), Some(36_000));
        assert!(matches!(outcome(&answered(500, None), 9), DeliveryOutcome::Exhausted));
        assert!(matches!(outcome(&answered(204, None), 9), DeliveryOutcome::Delivered));
        assert!(matches!(outcome(&answered(410, None), 1), DeliveryOutcome::Gone));
    }

    #[test]
    fn a_longer_retry_after_is_respected_up_to_a_day() {
        assert_eq!(wait(&answered(429, Some(90)), 1), Some(90));
        assert_eq!(wait(&answered(503, Some(1)), 1), Some(5), "a shorter one is not");
        assert_eq!(wait(&answered(429, Some(1_000_000)), 1), Some(86_400));
    }

    #[test]
    fn a_redirect_says_what_to_do() {
        let (status, error) = recorded(&answered(301, None));
        assert_eq!(status, Some(301));
        assert!(error.unwrap().contains("Give the final URL"));
    }
}
