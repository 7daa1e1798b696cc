//! The worker: claims jobs, runs them, and settles their attempts.

mod in_flight;
mod inner;
pub(crate) mod metrics;
mod queue;
mod run;
pub(crate) mod storage;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use workscribe_core::outbox::Turn;
use workscribe_core::{Error, WorkScribe};

use self::in_flight::StopReason;
use self::inner::WorkerInner;
use crate::options::WorkerOptions;
use crate::registry::Registry;
use crate::schedule::Schedules;

/// Runs the jobs of queues. Any number of workers may share the queues, in one process or in several.
///
/// Delivery is at least once: when a worker crashes, its jobs run again after their leases expire. A failed job waits for the
/// [`backoff`](crate::backoff). It is buried when its last attempt fails.
#[derive(Clone)]
pub struct Worker {
    inner: Arc<WorkerInner>,
    schedules: Schedules,
}

impl Worker {
    /// A worker for the kinds of jobs in a registry.
    #[must_use]
    pub fn new(app: WorkScribe, registry: Registry, options: WorkerOptions) -> Self {
        let inner = Arc::new(WorkerInner::new(app, registry, options));
        Self { inner, schedules: Schedules::default() }
    }

    /// Adds schedules that the worker fires while it runs. Every worker may have them: one worker fires each slot.
    #[must_use]
    pub fn schedules(self, schedules: Schedules) -> Self {
        Self { schedules, ..self }
    }

    /// Runs jobs until `shutdown` is ready. Then it claims no more jobs and returns within
    /// [`WorkerOptions::shutdown_grace`]: it waits for running jobs, and releases those that do not end in time. A released
    /// attempt does not count.
    ///
    /// An unavailable storage does not stop the worker: it tries again after 1 s, later after up to 10 s. Dropping the future
    /// stops the running jobs at once; they run again after their leases expire.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let (stopping, stop) = watch::channel(false);
        let mut queues = JoinSet::new();
        for queue in &self.inner.options.queues {
            queues.spawn(Arc::clone(&self.inner).run_queue(queue.clone(), stop.clone()));
        }
        let shut_down = async {
            shutdown.await;
            stopping.send_replace(true);
            self.shut_down(&mut queues, Instant::now()).await;
        };
        tokio::select! {
            () = shut_down => {}
            () = self.inner.settle() => {}
            () = self.inner.heartbeat() => {}
            () = self.schedules.run(&self.inner.app, stop.clone()) => {}
        }
    }

    /// Waits for running jobs, and stops and releases those that take longer than nine tenths of the grace period. `run` writes
    /// their settlements at the same time.
    async fn shut_down(&self, queues: &mut JoinSet<()>, asked_at: Instant) {
        let grace = self.inner.options.shutdown_grace;
        let all_ended = async { while queues.join_next().await.is_some() {} };
        if timeout_at(asked_at + grace.mul_f64(0.9), all_ended).await.is_err() {
            self.inner.in_flight.stop_all(StopReason::Shutdown);
        }
        let written = async {
            while queues.join_next().await.is_some() {}
            self.inner.in_flight.emptied().await;
        };
        if timeout_at(asked_at + grace, written).await.is_err() {
            tracing::error!(
                "not every running job could be released; they run again after their leases expire"
            );
        }
    }

    /// Runs every job that is due now in the worker's queues, including jobs that those jobs enqueue, and returns the number of
    /// attempts. Jobs that are due later, such as a failed job in its back-off, remain.
    ///
    /// It is for tests, and for embedders that choose when jobs run.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn drain(&self) -> Result<u64, Error> {
        let mut attempts = 0;
        loop {
            let before = attempts;
            for queue in &self.inner.options.queues {
                let jobs = self.inner.claim(&queue.name, queue.concurrency.max(1), Turn::default()).await?;
                if jobs.is_empty() {
                    continue;
                }
                let mut running = JoinSet::new();
                for job in jobs {
                    attempts += 1;
                    let stop = self.inner.in_flight.add(&job);
                    running.spawn(Arc::clone(&self.inner).run(job, stop));
                }
                tokio::select! {
                    _ = running.join_all() => {}
                    () = self.inner.heartbeat() => {}
                }
                self.inner.settle_rest().await;
            }
            if attempts == before {
                return Ok(attempts);
            }
        }
    }
}
