use std::borrow::Cow;
use std::time::Duration;

use workscribe_core::outbox::{Job as _, MAIL_QUEUE, UPKEEP_QUEUE};
use workscribe_core::webhooks::DeliverWebhook;

/// A queue that a worker works off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How many of its jobs run at the same time in this worker; at least 1.
    pub concurrency: u32,
    /// How many of them may be of one organization; at least 1. So slow work of one leaves places to others.
    pub per_organization: u32,
}

impl QueueOptions {
    /// A queue of which an organization holds at most half of the places.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, concurrency: u32) -> Self {
        Self { name: name.into(), concurrency, per_organization: concurrency.div_ceil(2).max(1) }
    }

    /// With another number of places for one organization.
    #[must_use]
    pub const fn per_organization(mut self, places: u32) -> Self {
        self.per_organization = places;
        self
    }

    /// The queues of WorkScribe's own jobs, and `default` for an embedder's. Each has places of its own, so that none starves
    /// another: mail 4, webhooks 16 since those mostly wait, of which an organization has 4, and long work 2.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::new("default", 4),
            Self::new(MAIL_QUEUE, 4),
            Self::new(DeliverWebhook::QUEUE, 16).per_organization(4),
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
