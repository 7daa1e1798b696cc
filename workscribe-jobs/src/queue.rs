//! The work on one queue: claims as many jobs as have room, and starts them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use workscribe_core::Error;
use workscribe_core::outbox::ClaimedJob;

use crate::core::{Core, Pause};
use crate::handler::with_sources;
use crate::metrics;
use crate::options::QueueOptions;

/// A claim under way at the time of the shutdown may take this long to end.
const CLAIM_GRACE: Duration = Duration::from_secs(1);
/// The shortest wait between two empty claims.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Found {
    jobs: Vec<ClaimedJob>,
    wait: Option<Duration>,
}

impl Core {
    /// Works until it is told to stop, and then until what runs has ended.
    pub(crate) async fn work(self: Arc<Self>, queue: QueueOptions, mut stop: watch::Receiver<bool>) {
        let slots = queue.concurrency.max(1);
        let wakeup = Arc::clone(self.app.wakeup());
        let mut woken = wakeup.wait();
        let mut running = JoinSet::new();
        let mut pause = Pause::default();
        while !*stop.borrow() {
            // All that have ended, so that one claim fills all their places.
            while running.try_join_next().is_some() {}
            let free = slots.saturating_sub(u32::try_from(running.len()).unwrap_or(u32::MAX));
            metrics::running(&self.name, &queue.name, slots - free);
            let mut wait = self.options.poll;
            if free > 0 {
                match self.look(&queue.name, free, &mut stop).await {
                    Ok(found) => {
                        pause.reset();
                        wait = found.wait.unwrap_or(wait).clamp(SHORTEST_WAIT.min(wait), wait);
                        let now = self.app.now();
                        for job in found.jobs {
                            metrics::claimed(&job, now);
                            let stop = self.ledger.begin(&job);
                            running.spawn(Arc::clone(&self).run(job, stop));
                        }
                    }
                    Err(error) => {
                        wait = pause.next();
                        tracing::error!(
                            error = with_sources(&error),
                            queue = &*queue.name,
                            "jobs could not be claimed"
                        );
                    }
                }
            }
            let is_waiting = free > 0;
            tokio::select! {
                biased;
                _ = stop.changed() => {}
                _ = running.join_next(), if !running.is_empty() => {}
                () = &mut woken, if is_waiting && !pause.is_on() => woken = wakeup.wait(),
                () = sleep(wait), if is_waiting => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Claims jobs; if there are none, finds out how long to wait. A claim that is under way when the worker is told to stop is
    /// ended in order, so that what was claimed is not left to its lease.
    async fn look(&self, queue: &str, free: u32, stop: &mut watch::Receiver<bool>) -> Result<Found, Error> {
        let looking = async {
            let jobs = self.claim(queue, free).await?;
            let wait = if jobs.is_empty() { self.until_due(queue).await? } else { None };
            Ok(Found { jobs, wait })
        };
        let mut looking = std::pin::pin!(looking);
        tokio::select! {
            biased;
            found = &mut looking => found,
            _ = stop.changed() => timeout(CLAIM_GRACE, looking).await.unwrap_or_else(|_| Ok(Found::default())),
        }
    }
}
