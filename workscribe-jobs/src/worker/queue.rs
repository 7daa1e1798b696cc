//! The work on one queue: claims as many jobs as have room, and starts them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use workscribe_core::Error;
use workscribe_core::id::OrgId;
use workscribe_core::outbox::{ClaimedJob, Turn};

use super::metrics;
use super::shared::{Core, Pause};
use crate::handler::with_sources;
use crate::options::QueueOptions;

/// A claim under way at the time of the shutdown may take this long to end.
const CLAIM_GRACE: Duration = Duration::from_secs(1);
/// The shortest wait between two empty claims.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// Who holds the places of a queue in this worker, and whose turn comes next.
struct Places {
    per_organization: u32,
    held: BTreeMap<OrgId, u32>,
    /// Those who hold as many as they may.
    full: Vec<OrgId>,
    after: Option<OrgId>,
}

impl Places {
    const fn new(per_organization: u32) -> Self {
        Self { per_organization, held: BTreeMap::new(), full: Vec::new(), after: None }
    }

    /// Passes over who is full; nobody else gets more in one claim than leaves them within their bound.
    fn turn(&self) -> Turn<'_> {
        let others = self.held.values().filter(|held| **held < self.per_organization);
        let most = self.per_organization - others.max().copied().unwrap_or_default();
        Turn { after: self.after, passed: &self.full, most: Some(most) }
    }

    fn take(&mut self, jobs: &[ClaimedJob]) {
        for org in jobs.iter().filter_map(|job| job.org) {
            *self.held.entry(org).or_default() += 1;
        }
        // The round goes on after the last in it.
        if let Some(last) = jobs.iter().map(|job| (job.org <= self.after, job.org)).max() {
            self.after = last.1;
        }
        self.note_full();
    }

    fn give_back(&mut self, org: Option<OrgId>) {
        let Some(org) = org else { return };
        if let Some(held) = self.held.get_mut(&org) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&org);
            }
        }
        self.note_full();
    }

    fn note_full(&mut self) {
        let full = self.held.iter().filter(|(_, held)| **held >= self.per_organization);
        self.full = full.map(|(org, _)| *org).collect();
    }
}

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
        let mut places = Places::new(queue.places_of_organization(&self.app.settings().limits));
        let mut pause = Pause::default();
        while !*stop.borrow() {
            // All that have ended, so that one claim fills all their places.
            while let Some(ended) = running.try_join_next() {
                places.give_back(ended.unwrap_or_default());
            }
            let free = slots.saturating_sub(u32::try_from(running.len()).unwrap_or(u32::MAX));
            metrics::running(&self.name, &queue.name, slots - free);
            let mut wait = self.options.poll;
            if free > 0 {
                match self.look(&queue.name, free, places.turn(), &mut stop).await {
                    Ok(found) => {
                        pause.reset();
                        wait = found.wait.unwrap_or(wait).clamp(SHORTEST_WAIT.min(wait), wait);
                        let now = self.app.now();
                        places.take(&found.jobs);
                        metrics::full(&queue.name, &places.full);
                        let count = u32::try_from(found.jobs.len()).unwrap_or(u32::MAX);
                        for job in found.jobs {
                            metrics::claimed(&job, now);
                            let stop = self.ledger.begin(&job);
                            let org = job.org;
                            let run = Arc::clone(&self).run(job, stop);
                            running.spawn(async move {
                                run.await;
                                org
                            });
                        }
                        // Some had less than their share: the others get the rest.
                        if count > 0 && count < free {
                            continue;
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
                // Not `changed`: a look that was under way may have seen the change.
                _ = stop.wait_for(|stop| *stop) => {}
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    places.give_back(ended.unwrap_or_default());
                }
                () = &mut woken, if is_waiting && !pause.is_on() => woken = wakeup.wait(),
                () = sleep(wait), if is_waiting => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Claims jobs; if there are none, finds out how long to wait. A claim that is under way when the worker is told to stop is
    /// ended in order, so that what was claimed is not left to its lease.
    async fn look(
        &self,
        queue: &str,
        free: u32,
        turn: Turn<'_>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Found, Error> {
        let looking = async {
            let jobs = self.claim(queue, free, turn).await?;
            // What is due may be of those who are passed over, until something of theirs ends.
            let asks = jobs.is_empty() && turn.passed.is_empty();
            let wait = if asks { self.until_due(queue).await? } else { None };
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
            put_off: 0,
            max_attempts: 1,
            timeout: None,
            run_at: Timestamp::default(),
            created_at: Timestamp::default(),
        }
    }

    #[test]
    fn nobody_gets_more_places_than_an_organization_may_hold_and_the_round_goes_on_after_the_last() {
        let mut places = Places::new(4);
        assert_eq!(places.turn().most, Some(4));
        places.take(&[job(Some(1)), job(Some(1)), job(Some(7))]);
        assert_eq!((places.turn().most, places.turn().after), (Some(2), Some(org(7))));
        places.take(&[job(Some(1)), job(Some(1)), job(None)]);
        assert_eq!(places.turn().passed, [org(1)], "it holds its four places");
        assert_eq!((places.turn().most, places.turn().after), (Some(3), Some(org(1))), "it came round");
        places.give_back(Some(org(1)));
        assert_eq!((places.turn().most, places.turn().passed.len()), (Some(1), 0));
        places.give_back(None);
        for _ in 0..3 {
            places.give_back(Some(org(1)));
        }
        assert_eq!(places.held.len(), 1, "who holds nothing is forgotten");
    }
}
