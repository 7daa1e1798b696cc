//! The options of a worker: [`WorkerOptions`], and [`QueueOptions`] for each queue.

use std::borrow::Cow;
use std::time::Duration;

use workscribe_core::limits::{Limit, Limits};
use workscribe_core::outbox::{Job as _, MAIL_QUEUE, UPKEEP_QUEUE};
use workscribe_core::webhooks::DeliverWebhook;

/// The options of a queue in one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// The name of the queue.
    pub name: Cow<'static, str>,
    /// How many jobs of the queue run at the same time in this worker; at least 1.
    pub concurrency: u32,
    /// How many of those jobs may belong to one organization; at least 1. So the slow jobs of one organization do not block the
    /// others. `None` for the share that the application's limits set ([`Limit::JobShareOfOrganization`],
    /// [`Limit::WebhookShareOfOrganization`]).
    pub per_organization: Option<u32>,
}

impl QueueOptions {
    /// A queue in which the application's limits set the share of an organization. By default it is a quarter for webhooks and a
    /// half for other queues.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, concurrency: u32) -> Self {
        Self { name: name.into(), concurrency, per_organization: None }
    }

    /// Sets how many jobs of one organization run at the same time.
    #[must_use]
    pub const fn per_organization(mut self, jobs: u32) -> Self {
        self.per_organization = Some(jobs);
        self
    }

    /// The maximum number of running jobs of one organization.
    pub(crate) fn max_of_organization(&self, limits: &Limits) -> u32 {
        let concurrency = self.concurrency.max(1);
        let share = limits.of(match self.name == DeliverWebhook::QUEUE {
            true => Limit::WebhookShareOfOrganization,
            false => Limit::JobShareOfOrganization,
        });
        let jobs = (u64::from(concurrency) * u64::from(share)).div_ceil(100);
        let jobs = u32::try_from(jobs).unwrap_or(concurrency);
        self.per_organization.unwrap_or(jobs).clamp(1, concurrency)
    }

    /// The queues of WorkScribe's own jobs, and `default` for an embedder's. Each has its own concurrency, so no queue starves
    /// another: 4 for `default`, 4 for mails, 16 for webhooks, which mostly wait, and 2 for long jobs.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::new("default", 4),
            Self::new(MAIL_QUEUE, 4),
            Self::new(DeliverWebhook::QUEUE, 16),
            Self::new(UPKEEP_QUEUE, 2),
        ]
    }
}

/// The options of a [`Worker`](crate::Worker). The defaults suit a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The queues, each with its own concurrency: [`QueueOptions::defaults`].
    pub queues: Vec<QueueOptions>,
    /// The name of the worker, which operators see at its jobs; `None` for a random name.
    pub name: Option<String>,
    /// The lease: how long a claim is valid without a heartbeat, and so how late the jobs of a crashed worker run again: 60 s.
    /// Heartbeats extend the leases of running jobs after each third of it, and at least every 5 s. Make it much longer than
    /// the time-outs of the storage.
    pub lease: Duration,
    /// The maximum wait between two claims when nothing wakes the worker: 1 s. The worker waits less when a job is due sooner.
    pub poll: Duration,
    /// How long a shutdown may take: 10 s. In the last tenth the worker releases the jobs that still run.
    pub shutdown_grace: Duration,
}

impl WorkerOptions {
    /// Sets the concurrency of every queue.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        for queue in &mut self.queues {
            *queue = QueueOptions::new(queue.name.clone(), concurrency);
        }
        self
    }

    /// Adds a queue, or replaces the options of an existing one.
    #[must_use]
    pub fn queue(mut self, name: impl Into<Cow<'static, str>>, concurrency: u32) -> Self {
        let name = name.into();
        self.queues.retain(|queue| queue.name != name);
        self.queues.push(QueueOptions::new(name, concurrency));
        self
    }
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            queues: QueueOptions::defaults(),
            name: None,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_the_share_of_a_queue_that_the_limits_set() {
        let limits = Limits::default();
        let jobs = |queue: QueueOptions, limits: &Limits| queue.max_of_organization(limits);
        assert_eq!(jobs(QueueOptions::new("default", 4), &limits), 2);
        assert_eq!(jobs(QueueOptions::new("default", 5), &limits), 3);
        assert_eq!(jobs(QueueOptions::new(DeliverWebhook::QUEUE, 16), &limits), 4);
        assert_eq!(jobs(QueueOptions::new(DeliverWebhook::QUEUE, 1), &limits), 1);
        let limits =
            limits.with(Limit::WebhookShareOfOrganization, 100).with(Limit::JobShareOfOrganization, 900);
        assert_eq!(jobs(QueueOptions::new(DeliverWebhook::QUEUE, 16), &limits), 16);
        assert_eq!(jobs(QueueOptions::new("default", 4), &limits), 4, "no more than the concurrency");
        assert_eq!(jobs(QueueOptions::new("default", 4).per_organization(1), &limits), 1, "the option wins");
    }
}
