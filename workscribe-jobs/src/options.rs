use std::borrow::Cow;
use std::time::Duration;

use workscribe_core::outbox::Job as _;
use workscribe_core::webhooks::DeliverWebhook;

/// A queue that a worker works off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How many of its jobs run at the same time in this worker; at least 1.
    pub concurrency: u32,
}

/// How a [`Worker`](crate::Worker) works. The defaults are fit for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The queues, each with a concurrency of its own: `default` with 4, `webhooks` with 16, since those mostly wait.
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
            queue.concurrency = concurrency;
        }
        self
    }

    /// With a queue more, or with another concurrency for one that is there.
    #[must_use]
    pub fn queue(mut self, name: impl Into<Cow<'static, str>>, concurrency: u32) -> Self {
        let name = name.into();
        self.queues.retain(|queue| queue.name != name);
        self.queues.push(QueueOptions { name, concurrency });
        self
    }
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            queues: vec![
                QueueOptions { name: Cow::Borrowed("default"), concurrency: 4 },
                QueueOptions { name: Cow::Borrowed(DeliverWebhook::QUEUE), concurrency: 16 },
            ],
            name: None,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
