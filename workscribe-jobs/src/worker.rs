use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use workscribe_core::outbox::ClaimedJob;
use workscribe_core::{Error, WorkScribe};

use crate::backoff::fraction;
use crate::handler::with_sources;
use crate::registry::Registry;
use crate::run::{Core, Pause};

/// The first sweep comes at random within this time of the start, so that workers do not sweep all at once.
const FIRST_SWEEP_WITHIN: Duration = Duration::from_secs(60);
/// A claim under way at the time of the shutdown may take this long to end.
const CLAIM_GRACE: Duration = Duration::from_secs(1);
/// The shortest wait between two empty claims.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// How a [`Worker`] works. The defaults are fit for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// How many jobs run at the same time: 4; at least 1.
    pub concurrency: u32,
    /// How long a claim holds without a sign of life, and so how late a dead worker's job runs again: 60 s. Running
    /// jobs extend theirs after each third of it. Wants to be much longer than the storage's time-outs.
    pub lease: Duration,
    /// How long to wait at the most before looking for jobs, when nothing wakes the worker: 1 s. It waits less when a job
    /// is due sooner.
    pub poll: Duration,
    /// How long a shutdown may take: 10 s. The last tenth serves to give back the jobs that still run.
    pub shutdown_grace: Duration,
    /// How often expired rows are removed: hourly.
    pub sweep_every: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: 4,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(10),
            sweep_every: Duration::from_secs(60 * 60),
        }
    }
}

/// Works off the queue. As many as one likes may share it, in one process or in several.
///
/// Delivery is at least once: a job whose worker dies runs again after its lease. How long a failed job waits is
/// [`backoff`](crate::backoff)'s matter; after its last attempt it is buried.
#[derive(Clone)]
pub struct Worker {
    core: Arc<Core>,
}

impl Worker {
    /// A worker for the kinds of jobs in a registry.
    #[must_use]
    pub fn new(app: WorkScribe, registry: Registry, options: WorkerOptions) -> Self {
        Self { core: Arc::new(Core { app, registry, options }) }
    }

    /// Works until `shutdown` is ready, then claims nothing more and ends within
    /// [`WorkerOptions::shutdown_grace`]: it waits for what runs, and gives back what does not end in time.
    ///
    /// A storage that does not answer never ends it: it tries again after 1 s, and after up to 10 s when that goes on.
    /// Dropping the future stops the running jobs at once; they run again after their leases.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = self.work(shutdown) => {}
            () = self.sweep_now_and_then() => {}
        }
    }

    /// Works off everything that is due now, the jobs that those enqueue included, and returns the number of
    /// attempts made. Jobs that are due later, such as a failed one in its back-off, stay.
    ///
    /// For tests, and for embedders that run jobs at a time of their own.
    ///
    /// # Errors
    /// When no jobs can be claimed, since the storage does not answer.
    pub async fn drain(&self) -> Result<u64, Error> {
        let mut attempts = 0;
        loop {
            let jobs = self.core.claim(self.slots()).await?;
            if jobs.is_empty() {
                return Ok(attempts);
            }
            let mut running = Running::default();
            for job in jobs {
                attempts += 1;
                running.start(&self.core, job);
            }
            while !running.is_empty() {
                running.one_ended().await;
            }
        }
    }

    async fn work(&self, shutdown: impl Future<Output = ()>) {
        let wakeup = Arc::clone(self.core.app.wakeup());
        let mut woken = wakeup.wait();
        let mut shutdown = pin!(shutdown);
        let mut running = Running::default();
        let mut pause = Pause::default();
        let mut stopped_at = None;
        while stopped_at.is_none() {
            let free = self.slots().saturating_sub(running.len());
            let mut wait = self.core.options.poll;
            if free > 0 {
                let mut looking = pin!(self.look(free));
                let found = tokio::select! {
                    biased;
                    found = &mut looking => found,
                    // Ended in order, so that what was claimed is not left to its lease.
                    () = &mut shutdown => {
                        stopped_at = Some(Instant::now());
                        timeout(CLAIM_GRACE, looking).await.unwrap_or_else(|_| Ok(Found::default()))
                    }
                };
                match found {
                    Ok(found) => {
                        pause.reset();
                        wait = found.wait.unwrap_or(wait).clamp(SHORTEST_WAIT.min(wait), wait);
                        for job in found.jobs {
                            running.start(&self.core, job);
                        }
                    }
                    Err(error) => {
                        wait = pause.next();
                        tracing::error!(error = with_sources(&error), "jobs could not be claimed");
                    }
                }
            }
            if stopped_at.is_some() {
                break;
            }
            tokio::select! {
                biased;
                () = &mut shutdown => stopped_at = Some(Instant::now()),
                () = running.one_ended(), if !running.is_empty() => {}
                () = &mut woken, if free > 0 && !pause.is_on() => woken = wakeup.wait(),
                () = sleep(wait), if free > 0 => {}
            }
        }
        let grace = self.core.options.shutdown_grace;
        running.stop(&self.core, stopped_at.unwrap_or_else(Instant::now), grace).await;
    }

    /// Claims jobs; if there are none, finds out how long to wait.
    async fn look(&self, free: u32) -> Result<Found, Error> {
        let jobs = self.core.claim(free).await?;
        let wait = if jobs.is_empty() { self.core.until_due().await? } else { None };
        Ok(Found { jobs, wait })
    }

    async fn sweep_now_and_then(&self) {
        let first = fraction(self.core.app.entropy());
        sleep(FIRST_SWEEP_WITHIN.min(self.core.options.sweep_every).mul_f64(first)).await;
        loop {
            match self.core.app.sweep().await {
                Ok(removed) => tracing::debug!(removed, "expired rows swept"),
                Err(error) => {
                    tracing::error!(error = with_sources(&error), "expired rows could not be swept")
                }
            }
            sleep(self.core.options.sweep_every).await;
        }
    }

    fn slots(&self) -> u32 {
        self.core.options.concurrency.max(1)
    }
}

#[derive(Default)]
struct Found {
    jobs: Vec<ClaimedJob>,
    wait: Option<Duration>,
}

/// The jobs that run now. Dropping it stops them.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    jobs: HashMap<Id, ClaimedJob>,
}

impl Running {
    fn start(&mut self, core: &Arc<Core>, job: ClaimedJob) {
        let task = self.tasks.spawn(Arc::clone(core).run(job.clone()));
        self.jobs.insert(task.id(), job);
    }

    fn len(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until a job has ended; can be dropped at any time.
    async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((task, ()))) => drop(self.jobs.remove(&task)),
            // Stopped by us: it stays in the map, to be given back.
            Some(Err(error)) if error.is_cancelled() => {}
            Some(Err(error)) => {
                let job = self.jobs.remove(&error.id());
                let id = job.map(|job| job.id.to_string());
                tracing::error!(job.id = id, "a fault in the worker; the job runs again after its lease");
            }
            None => {}
        }
    }

    /// Waits for the running jobs; stops and gives back those that take longer than nine tenths of `grace`.
    async fn stop(mut self, core: &Arc<Core>, asked_at: Instant, grace: Duration) {
        let patience = asked_at + grace.mul_f64(0.9);
        while !self.is_empty() && timeout_at(patience, self.one_ended()).await.is_ok() {}
        self.tasks.abort_all();
        let end = asked_at + grace;
        let giving_back = async {
            while !self.is_empty() {
                self.one_ended().await;
            }
            futures_util::future::join_all(self.jobs.values().map(|job| core.give_back(job))).await;
        };
        if timeout_at(end, giving_back).await.is_err() {
            tracing::error!("not every running job could be given back; they run again after their leases");
        }
    }
}
