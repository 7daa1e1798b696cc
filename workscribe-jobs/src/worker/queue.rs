//! The loop of one queue: claims as many jobs as its concurrency allows, and starts them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use workscribe_core::Error;
use workscribe_core::id::OrgId;
use workscribe_core::outbox::{ClaimedJob, Turn};

use super::inner::WorkerInner;
use super::metrics;
use super::storage::StorageBackoff;
use crate::handler::with_sources;
use crate::options::QueueOptions;

/// How long a claim that is under way at the shutdown may still take.
const CLAIM_GRACE: Duration = Duration::from_secs(1);
/// The minimum wait between two empty claims.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// The running jobs of each organization in a queue of this worker, and whose turn comes next.
struct Shares {
    /// The maximum number of running jobs of one organization.
    max_each: u32,
    running: BTreeMap<OrgId, u32>,
    /// The organizations with `max_each` running jobs.
    at_maximum: Vec<OrgId>,
    /// The organization that had the previous turn.
    after: Option<OrgId>,
}

impl Shares {
    const fn new(max_each: u32) -> Self {
        Self { max_each, running: BTreeMap::new(), at_maximum: Vec::new(), after: None }
    }

    /// Skips the organizations at their maximum. No other organization gets more jobs than the busiest of them may still run.
    fn turn(&self) -> Turn<'_> {
        let others = self.running.values().filter(|running| **running < self.max_each);
        let max_each = self.max_each - others.max().copied().unwrap_or_default();
        Turn { after: self.after, skipped: &self.at_maximum, max_each: Some(max_each) }
    }

    fn add(&mut self, jobs: &[ClaimedJob]) {
        for org in jobs.iter().filter_map(|job| job.org) {
            *self.running.entry(org).or_default() += 1;
        }
        // The next turn is that of the organization after the last one in this claim.
        if let Some(last) = jobs.iter().map(|job| (job.org <= self.after, job.org)).max() {
            self.after = last.1;
        }
        self.update_at_maximum();
    }

    fn remove(&mut self, org: Option<OrgId>) {
        let Some(org) = org else { return };
        if let Some(running) = self.running.get_mut(&org) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&org);
            }
        }
        self.update_at_maximum();
    }

    fn update_at_maximum(&mut self) {
        let at_maximum = self.running.iter().filter(|(_, running)| **running >= self.max_each);
        self.at_maximum = at_maximum.map(|(org, _)| *org).collect();
    }
}

/// The result of a claim.
#[derive(Default)]
struct Claimed {
    jobs: Vec<ClaimedJob>,
    /// The time until the next job is due, if no job was claimed.
    wait: Option<Duration>,
}

impl WorkerInner {
    /// Runs jobs of a queue until `stop` is set, and then waits until the running jobs have ended.
    pub(crate) async fn run_queue(self: Arc<Self>, queue: QueueOptions, mut stop: watch::Receiver<bool>) {
        let concurrency = queue.concurrency.max(1);
        let wakeup = Arc::clone(self.app.wakeup());
        let mut woken = wakeup.wait();
        let mut running = JoinSet::new();
        let mut shares = Shares::new(queue.max_of_organization(&self.app.settings().limits));
        let mut backoff = StorageBackoff::default();
        while !*stop.borrow() {
            // Removes all jobs that have ended, so that one claim replaces them all.
            while let Some(ended) = running.try_join_next() {
                shares.remove(ended.unwrap_or_default());
            }
            let free = concurrency.saturating_sub(u32::try_from(running.len()).unwrap_or(u32::MAX));
            metrics::running(&self.name, &queue.name, concurrency - free);
            let mut wait = self.options.poll;
            if free > 0 {
                match self.claim_or_wait(&queue.name, free, shares.turn(), &mut stop).await {
                    Ok(claimed) => {
                        backoff.reset();
                        wait = claimed.wait.unwrap_or(wait).clamp(SHORTEST_WAIT.min(wait), wait);
                        let now = self.app.now();
                        shares.add(&claimed.jobs);
                        metrics::at_maximum(&queue.name, &shares.at_maximum);
                        let count = u32::try_from(claimed.jobs.len()).unwrap_or(u32::MAX);
                        for job in claimed.jobs {
                            metrics::claimed(&job, now);
                            let stop = self.in_flight.add(&job);
                            let org = job.org;
                            let run = Arc::clone(&self).run(job, stop);
                            running.spawn(async move {
                                run.await;
                                org
                            });
                        }
                        // Some organizations had less than their share. Another claim gives the rest to the others.
                        if count > 0 && count < free {
                            continue;
                        }
                    }
                    Err(error) => {
                        wait = backoff.next();
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
                // `changed` would not do: `claim_or_wait` may have seen the change.
                _ = stop.wait_for(|stop| *stop) => {}
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    shares.remove(ended.unwrap_or_default());
                }
                () = &mut woken, if is_waiting && !backoff.is_active() => woken = wakeup.wait(),
                () = sleep(wait), if is_waiting => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Claims jobs; if there are none, finds out how long to wait. When `stop` is set during a claim, the claim may still finish,
    /// so that its jobs need not wait for their leases to expire.
    async fn claim_or_wait(
        &self,
        queue: &str,
        free: u32,
        turn: Turn<'_>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Claimed, Error> {
        let call = async {
            let jobs = self.claim(queue, free, turn).await?;
            // With skipped organizations the due jobs may be theirs, and must wait until one of their jobs ends.
            let is_empty = jobs.is_empty() && turn.skipped.is_empty();
            let wait = if is_empty { self.until_due(queue).await? } else { None };
            Ok(Claimed { jobs, wait })
        };
        let mut call = std::pin::pin!(call);
        tokio::select! {
            biased;
            claimed = &mut call => claimed,
            _ = stop.changed() => timeout(CLAIM_GRACE, call).await.unwrap_or_else(|_| Ok(Claimed::default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use workscribe_core::clock::Timestamp;
    use workscribe_core::id::JobId;

    use super::*;

    fn org(number: u32) -> OrgId {
        format!("00000000-0000-0000-0000-{number:012x}").parse().unwrap()
    }

    fn job(of: Option<u32>) -> ClaimedJob {
        ClaimedJob {
            id: "00000000-0000-0000-0000-000000000000".parse::<JobId>().unwrap(),
            kind: String::new(),
            org: of.map(org),
            payload: serde_json::Value::Null,
            attempt: 1,
            snoozed: 0,
            max_attempts: 1,
            timeout: None,
            run_at: Timestamp::default(),
            created_at: Timestamp::default(),
        }
    }

    #[test]
    fn no_organization_runs_more_jobs_than_it_may_and_the_turns_continue_after_the_last_one() {
        let mut shares = Shares::new(4);
        assert_eq!(shares.turn().max_each, Some(4));
        shares.add(&[job(Some(1)), job(Some(1)), job(Some(7))]);
        assert_eq!((shares.turn().max_each, shares.turn().after), (Some(2), Some(org(7))));
        shares.add(&[job(Some(1)), job(Some(1)), job(None)]);
        assert_eq!(shares.turn().skipped, [org(1)], "it runs four jobs");
        assert_eq!(
            (shares.turn().max_each, shares.turn().after),
            (Some(3), Some(org(1))),
            "the first organization comes again"
        );
        shares.remove(Some(org(1)));
        assert_eq!((shares.turn().max_each, shares.turn().skipped.len()), (Some(1), 0));
        shares.remove(None);
        for _ in 0..3 {
            shares.remove(Some(org(1)));
        }
        assert_eq!(shares.running.len(), 1, "an organization without running jobs is removed");
    }
}
