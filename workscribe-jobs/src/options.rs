use std::borrow::Cow;
use std::time::Duration;

use workscribe_core::limits::{Limit, Limits};
use workscribe_core::outbox::{Job as _, MAIL_QUEUE, UPKEEP_QUEUE};
use workscribe_core::webhooks::DeliverWebhook;

/// A queue that a worker works off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How many of its jobs run at the same time in this worker; at least 1.
    pub concurrency: u32,
    /// How many of them may be of one organization; at least 1. So slow work of one leaves places to others. `None` for the share that
    /// the limits of the application give it ([`Limit::JobShareOfOrganization`], [`Limit::WebhookShareOfOrganization`]).
    pub per_organization: Option<u32>,
}

impl QueueOptions {
    /// A queue of which an organization holds as many places as the limits give it: a quarter of those for webhooks, half of others.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, concurrency: u32) -> Self {
        Self { name: name.into(), concurrency, per_organization: None }
    }

    /// With another number of places for one organization.
    #[must_use]
    pub const fn per_organization(mut self, places: u32) -> Self {
        self.per_organization = Some(places);
        self
    }

    /// How many places one organization may hold.
    pub(crate) fn places_of_organization(&self, limits: &Limits) -> u32 {
        let places = self.concurrency.max(1);
        let share = limits.of(match self.name == DeliverWebhook::QUEUE {
            true => Limit::WebhookShareOfOrganization,
            false => Limit::JobShareOfOrganization,
        });
        let shared = (u64::from(places) * u64::from(share)).div_ceil(100);
        self.per_organization.unwrap_or(u32::try_from(shared).unwrap_or(places)).clamp(1, places)
    }

    /// The queues of WorkScribe's own jobs, and `default` for an embedder's. Each has places of its own, so that none starves
    /// another: mail 4, webhooks 16 since those mostly wait, and long work 2.
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

/// How a [`Worker`](crate::Worker) works. The defaults are fit for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The queues, each with a concurrency of its own: [`QueueOptions::defaults`].
    pub queues: Vec<QueueOptions>,
    /// What an operator sees as the holder of a job; a random name unless given.
    pub name: Option<String>,
    /// How long a claim holds without a sign of life, and so how late a dead worker's job runs again: 60 s. The claims of what
    /// runs are extended after each third of it, and at least every 5 s. Wants to be much longer than the storage's
    /// time-outs.
    pub lease: Duration,
    /// How long to wait at the most before looking for jobs, when nothing wakes the worker: 1 s. It waits less when a job
    /// is due sooner.
    pub poll: Duration,
    /// How long a shutdown may take: 10 s. The last tenth serves to give back the jobs that still run.
    pub shutdown_grace: Duration,
}

impl WorkerOptions {
    /// With another number of jobs at a time, in every queue.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        for queue in &mut self.queues {
            *queue = QueueOptions::new(queue.name.clone(), concurrency);
        }
        self
    }

    /// With a queue more, or with another concurrency for one that is there.
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
    fn an_organization_holds_the_share_of_a_queue_that_the_limits_give_it() {
        let limits = Limits::default();
        let places = |queue: QueueOptions, limits: &Limits| queue.places_of_organization(limits);
        assert_eq!(places(QueueOptions::new("default", 4), &limits), 2);
        assert_eq!(places(QueueOptions::new("default", 5), &limits), 3);
        assert_eq!(places(QueueOptions::new(DeliverWebhook::QUEUE, 16), &limits), 4);
        assert_eq!(places(QueueOptions::new(DeliverWebhook::QUEUE, 1), &limits), 1);
        let limits =
            limits.with(Limit::WebhookShareOfOrganization, 100).with(Limit::JobShareOfOrganization, 900);
        assert_eq!(places(QueueOptions::new(DeliverWebhook::QUEUE, 16), &limits), 16);
        assert_eq!(places(QueueOptions::new("default", 4), &limits), 4, "no more than there are");
        assert_eq!(places(QueueOptions::new("default", 4).per_organization(1), &limits), 1, "as it is said");
    }
}
