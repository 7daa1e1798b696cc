//! Sending a message to an endpoint: its attempts, and what follows from them.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{OrgId, UserId, WebhookDeliveryId, WebhookId};
use crate::identity::User;
use crate::outbox::Job;
use crate::storage::{Party, UnitOfWork};
use crate::tenancy::Slug;

use super::model::{DeliveryAttempt, DeliveryStatus, Disabled, DisabledReason};
use super::scope::DeliveryPass;
use super::secrets;
use super::service::Webhooks;
use super::signature::SigningSecret;

/// How long each failed attempt is followed by a wait: nine attempts over 25 hours and 36 minutes. The beginning is that which
/// Standard Webhooks recommends.
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
/// A receiver's wish for a longer wait is cut to this.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends a message to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverWebhook {
    /// Whose.
    pub org_id: OrgId,
    /// Which delivery.
    pub delivery_id: WebhookDeliveryId,
}

impl Job for DeliverWebhook {
    const KIND: &'static str = "webhook.deliver";
    /// One of their own, so that slow endpoints keep no mail waiting.
    const QUEUE: &'static str = "webhooks";
    /// More than a delivery has, since a worker may die before it has noted what came of one.
    const MAX_ATTEMPTS: u32 = 30;
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(60));

    fn org(&self) -> Option<OrgId> {
        Some(self.org_id)
    }
}

/// Tells an owner that an endpoint was turned off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendWebhookMail {
    /// To whom.
    pub user: UserId,
    /// The organization's name.
    pub org_name: String,
    /// Its name in URLs.
    pub org_slug: Slug,
    /// The endpoint's host. The rest of a URL may be a secret.
    pub host: String,
    /// Why it was turned off.
    pub reason: DisabledReason,
}

impl Job for SendWebhookMail {
    const KIND: &'static str = "mail.webhook";
    const QUEUE: &'static str = crate::outbox::MAIL_QUEUE;
}

impl SendWebhookMail {
    /// Who it goes to; `None` when the account is gone or disabled, or its address refuses mail.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn recipient(&self, app: &WorkScribe) -> Result<Option<User>, Error> {
        let mut uow = app.read().await?;
        let Some(user) = uow.users().find(self.user).await? else { return Ok(None) };
        let is_out_of_reach =
            user.disabled_at.is_some() || app.identity().is_bouncing(&mut *uow, &user.email).await?;
        Ok((!is_out_of_reach).then_some(user))
    }
}

impl DeliveryPass {
    /// The door: looks the delivery and its endpoint up, in one statement.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn enter(
        uow: &mut dyn UnitOfWork,
        org: OrgId,
        delivery: WebhookDeliveryId,
    ) -> Result<Option<Self>, Error> {
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
    /// Whose.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.pass.org()
    }

    /// To which endpoint.
    #[must_use]
    pub fn webhook_id(&self) -> WebhookId {
        self.pass.webhook().id
    }

    /// Where to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.pass.webhook().url
    }

    /// What tells repeats: the `webhook-id`.
    #[must_use]
    pub fn message_id(&self) -> String {
        self.pass.delivery().message_id.to_string()
    }

    /// The body, as JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        self.pass.delivery().payload.as_deref().unwrap_or_default()
    }

    /// The value of the signature header when it is sent at a time: a signature for each secret that is good.
    #[must_use]
    pub fn signature(&self, at: Timestamp) -> String {
        let id = self.message_id();
        let all: Vec<_> = self.secrets.iter().map(|secret| secret.sign(&id, at, self.body())).collect();
        all.join(" ")
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

/// How an endpoint answered, or why it could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With an HTTP status.
    Answered {
        /// Which.
        status: u16,
        /// For how long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Not at all.
    Unanswered {
        /// Why, in a sentence for the tenant.
        reason: String,
    },
}

/// What is to be done after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the delivery is settled.
    Settled,
    /// Another attempt.
    Again {
        /// After this long.
        after: Duration,
        /// What was the matter.
        reason: String,
    },
}

impl Webhooks<'_> {
    /// Looks up what is to be sent; `None` when there is nothing: the delivery is settled, or it or its endpoint is gone. One to
    /// an endpoint that is off is given up.
    ///
    /// # Errors
    /// When the storage does not answer, or the endpoint's secrets cannot be opened with the server's keys.
    pub async fn prepare_delivery(&self, job: &DeliverWebhook) -> Result<Option<PreparedDelivery>, Error> {
        let mut uow = self.app.begin().await?;
        let Some(pass) = DeliveryPass::enter(&mut *uow, job.org_id, job.delivery_id).await? else {
            return Ok(None);
        };
        if pass.delivery().status != DeliveryStatus::Pending {
            return Ok(None);
        }
        let now = self.app.now();
        if pass.webhook().disabled.is_some() {
            uow.webhooks().note_attempt(&pass, None, DeliveryStatus::Failed, None, now).await?;
            self.app.commit(uow).await?;
            return Ok(None);
        }
        let secrets = secrets::open(self.app, pass.org(), pass.webhook(), now)?;
        Ok(Some(PreparedDelivery { pass, secrets }))
    }

    /// Notes what came of an attempt, in one transaction with what follows from it: an endpoint that wants no more, or took
    /// nothing for more than a day, is turned off, and the owners are told.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn settle_delivery(&self, prepared: &PreparedDelivery, sent: &Sent) -> Result<Next, Error> {
        let pass = &prepared.pass;
        let number = pass.delivery().attempts + 1;
        let verdict = verdict(&sent.outcome, number);
        let now = self.app.now();
        let next_at = match &verdict {
            Verdict::Again(after) => Some(now + TimeDelta::from_std(*after).unwrap_or_default()),
            Verdict::Delivered | Verdict::Spent | Verdict::Gone => None,
        };
        let status = match &verdict {
            Verdict::Delivered => DeliveryStatus::Delivered,
            Verdict::Again(_) => DeliveryStatus::Pending,
            Verdict::Spent | Verdict::Gone => DeliveryStatus::Failed,
        };
        let (response_status, error) = told(&sent.outcome);
        let attempt =
            DeliveryAttempt { number, at: sent.at, took: sent.took, response_status, error: error.clone() };
        let mut uow = self.app.begin().await?;
        if !uow.webhooks().note_attempt(pass, Some(&attempt), status, next_at, now).await? {
            return Ok(Next::Settled);
        }
        match verdict {
            Verdict::Delivered => uow.webhooks().note_success(pass, now).await?,
            Verdict::Again(_) => {}
            Verdict::Gone => self.turn_off(&mut *uow, pass, DisabledReason::Gone, None).await?,
            Verdict::Spent => {
                let since = Some(pass.delivery().created_at);
                self.turn_off(&mut *uow, pass, DisabledReason::Failing, since).await?;
            }
        }
        self.app.commit(uow).await?;
        Ok(match verdict {
            Verdict::Again(after) => Next::Again { after, reason: error.unwrap_or_default() },
            Verdict::Delivered | Verdict::Spent | Verdict::Gone => Next::Settled,
        })
    }

    async fn turn_off(
        &self,
        uow: &mut dyn UnitOfWork,
        pass: &DeliveryPass,
        reason: DisabledReason,
        unless_since: Option<Timestamp>,
    ) -> Result<(), Error> {
        let disabled = Disabled { reason, at: self.app.now() };
        if !uow.webhooks().turn_off(pass, disabled, unless_since).await? {
            return Ok(());
        }
        self.app.listeners().forget(pass.org(), disabled.at);
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

enum Verdict {
    Delivered,
    Again(Duration),
    Spent,
    Gone,
}

fn verdict(outcome: &Outcome, attempt: u32) -> Verdict {
    let wish = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
        Outcome::Answered { status: 410, .. } => return Verdict::Gone,
        Outcome::Answered { retry_after, .. } => retry_after.unwrap_or_default().min(LONGEST_WISH),
        Outcome::Unanswered { .. } => Duration::ZERO,
    };
    let at = usize::try_from(attempt).unwrap_or(usize::MAX).saturating_sub(1);
    WAITS.get(at).map_or(Verdict::Spent, |wait| Verdict::Again(wish.max(*wait)))
}

fn told(outcome: &Outcome) -> (Option<u16>, Option<String>) {
    match outcome {
        Outcome::Answered { status: status @ 200..=299, .. } => (Some(*status), None),
        Outcome::Answered { status: status @ 300..=399, .. } => {
            let error = "The endpoint answered with a redirect, which is not followed. Give the final URL.";
            (Some(*status), Some(error.to_owned()))
        }
        Outcome::Answered { status: 410, .. } => {
            (Some(410), Some("The endpoint answered 410: it wants no more messages.".to_owned()))
        }
        Outcome::Answered { status, .. } => (Some(*status), Some(format!("The endpoint answered {status}."))),
        Outcome::Unanswered { reason } => (None, Some(reason.clone())),
    }
}

fn host(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, wish: Option<u64>) -> Outcome {
        Outcome::Answered { status, retry_after: wish.map(Duration::from_secs) }
    }

    fn wait(outcome: &Outcome, attempt: u32) -> Option<u64> {
        match verdict(outcome, attempt) {
            Verdict::Again(after) => Some(after.as_secs()),
            _ => None,
        }
    }

    #[test]
    fn an_attempt_is_repeated_for_more_than_a_day_and_then_given_up() {
        let total: Duration = WAITS.iter().sum();
        assert!(total > Duration::from_secs(24 * 60 * 60), "{total:?}");
        assert_eq!(wait(&answered(500, None), 1), Some(5));
        assert_eq!(wait(&answered(404, None), 8), Some(36_000));
        assert!(matches!(verdict(&answered(500, None), 9), Verdict::Spent));
        assert!(matches!(verdict(&answered(204, None), 9), Verdict::Delivered));
        assert!(matches!(verdict(&answered(410, None), 1), Verdict::Gone));
    }

    #[test]
    fn a_wish_for_a_longer_wait_is_heard_up_to_a_day() {
        assert_eq!(wait(&answered(429, Some(90)), 1), Some(90));
        assert_eq!(wait(&answered(503, Some(1)), 1), Some(5), "not for a shorter one");
        assert_eq!(wait(&answered(429, Some(1_000_000)), 1), Some(86_400));
    }

    #[test]
    fn a_redirect_says_what_to_do() {
        let (status, error) = told(&answered(301, None));
        assert_eq!(status, Some(301));
        assert!(error.unwrap().contains("Give the final URL"));
    }
}
