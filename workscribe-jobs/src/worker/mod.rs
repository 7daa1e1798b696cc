//! The worker: claims jobs, runs them, and says how they ended.

mod ledger;
pub(crate) mod metrics;
mod queue;
mod run;
pub(crate) mod shared;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use workscribe_core::outbox::Turn;
use workscribe_core::{Error, WorkScribe};

use self::ledger::Stop;
use self::shared::Core;
use crate::options::WorkerOptions;
use crate::registry::Registry;
use crate::schedule::Schedules;

/// Works off queues. As many as one likes may share them, in one process or in several.
///
/// Delivery is at least once: a job whose worker dies runs again after its lease. How long a failed job waits is
/// [`backoff`](crate::backoff)'s matter; after its last attempt it is buried.
#[derive(Clone)]
pub struct Worker {
    core: Arc<Core>,
    schedules: Schedules,
}

impl Worker {
    /// A worker for the kinds of jobs in a registry.
    #[must_use]
    pub fn new(app: WorkScribe, registry: Registry, options: WorkerOptions) -> Self {
        Self { core: Arc::new(Core::new(app, registry, options)), schedules: Schedules::default() }
    }

    /// With schedules to be fired beside the work. Every worker may have them: each slot is fired by one.
    #[must_use]
    pub fn schedules(self, schedules: Schedules) -> Self {
        Self { schedules, ..self }
    }

    /// Works until `shutdown` is ready, then claims nothing more and ends within
    /// [`WorkerOptions::shutdown_grace`]: it waits for what runs, and gives back what does not end in time, which costs a job
    /// no attempt.
    ///
    /// A storage that does not answer never ends it: it tries again after 1 s, and after up to 10 s when that goes on.
    /// Dropping the future stops the running jobs at once; they run again after their leases.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let (stopping, stop) = watch::channel(false);
        let mut queues = JoinSet::new();
        for queue in &self.core.options.queues {
            queues.spawn(Arc::clone(&self.core).work(queue.clone(), stop.clone()));
        }
        let ended = async {
            shutdown.await;
            stopping.send_replace(true);
            self.end(&mut queues, Instant::now()).await;
        };
        tokio::select! {
            () = ended => {}
            () = self.core.settle() => {}
            () = self.core.beat() => {}
            () = self.schedules.run(&self.core.app, stop.clone()) => {}
        }
    }

    /// Waits for the running jobs; stops and gives back those that take longer than nine tenths of the grace. The words about
    /// them are written beside this.
    async fn end(&self, queues: &mut JoinSet<()>, asked_at: Instant) {
        let grace = self.core.options.shutdown_grace;
        let all_ended = async { while queues.join_next().await.is_some() {} };
        if timeout_at(asked_at + grace.mul_f64(0.9), all_ended).await.is_err() {
            self.core.ledger.stop_all(Stop::GivenBack);
        }
        let written = async {
            while queues.join_next().await.is_some() {}
            self.core.ledger.emptied().await;
        };
        if timeout_at(asked_at + grace, written).await.is_err() {
            tracing::error!("not every running job could be given back; they run again after their leases");
        }
    }

    /// Works off everything that is due now in the worker's queues, the jobs that those enqueue included, and returns the
    /// number of attempts made. Jobs that are due later, such as a failed one in its back-off, stay.
    ///
    /// For tests, and for embedders that run jobs at a time of their own.
    ///
    /// # Errors
    /// When no jobs can be claimed, since the storage does not answer.
    pub async fn drain(&self) -> Result<u64, Error> {
        let mut attempts = 0;
        loop {
            let before = attempts;
            for queue in &self.core.options.queues {
                let jobs = self.core.claim(&queue.name, queue.concurrency.max(1), Turn::default()).await?;
                if jobs.is_empty() {
                    continue;
                }
                let mut running = JoinSet::new();
                for job in jobs {
                    attempts += 1;
                    let stop = self.core.ledger.begin(&job);
                    running.spawn(Arc::clone(&self.core).run(job, stop));
                }
                tokio::select! {
                    _ = running.join_all() => {}
                    () = self.core.beat() => {}
                }
                self.core.settle_rest().await;
            }
            if attempts == before {
                return Ok(attempts);
            }
        }
    }
}
