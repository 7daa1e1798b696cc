//! Jobs: the outbox, the worker's side of the queue, and the operator's.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{JobId, OrgId};
use workscribe_core::outbox::{
    Backlog, Claim, ClaimedJob, Ending, Enqueued, Held, HeldJob, JobCounts, JobFilter, JobPriority,
    JobRecord, JobState, JobStore, KindCounts, NewJob, Outbox, QueueState, Settled, Until,
};
use workscribe_core::sweep::Portion;

use super::{MemoryUnit, Tables, sweep_portion, taken_key};

#[derive(Clone)]
pub(super) struct Row {
    job: JobRecord,
    until: Option<Until>,
    keep_until: Option<Timestamp>,
}

impl Row {
    fn new(job: &NewJob) -> Self {
        let unique = job.unique.as_ref();
        Self {
            until: unique.map(|unique| unique.until),
            keep_until: unique.and_then(|unique| unique.keep_until),
            job: JobRecord {
                id: job.id,
                org: job.org,
                kind: job.kind.clone().into_owned(),
                payload: job.payload.clone(),
                queue: job.queue.clone().into_owned(),
                priority: job.priority,
                state: JobState::Available,
                attempt: 0,
                put_off: 0,
                max_attempts: job.max_attempts,
                timeout: job.timeout,
                unique_key: unique.map(|unique| unique.key.clone()),
                cancel_requested: false,
                run_at: job.run_at,
                worker: None,
                claimed_at: None,
                lease_until: None,
                last_error: None,
                created_at: job.created_at,
                finished_at: None,
            },
        }
    }

    /// When a worker may take it; `None` when it has ended.
    const fn due(&self) -> Option<Timestamp> {
        match self.job.state {
            JobState::Available => Some(self.job.run_at),
            JobState::Running => self.job.lease_until,
            JobState::Completed | JobState::Cancelled | JobState::Buried => None,
        }
    }

    fn end(&mut self, state: JobState, at: Timestamp) {
        (self.job.state, self.job.finished_at) = (state, Some(at));
        if self.until != Some(Until::Removed) {
            self.job.unique_key = None;
        }
    }

    fn claimed(&self) -> ClaimedJob {
        let job = self.job.clone();
        ClaimedJob {
            id: job.id,
            org: job.org,
            kind: job.kind,
            payload: job.payload,
            attempt: job.attempt + job.put_off,
            put_off: job.put_off,
            max_attempts: job.max_attempts,
            timeout: job.timeout,
            run_at: job.run_at,
            created_at: job.created_at,
        }
    }
}

impl Tables {
    /// The job, if this attempt at it is the one that runs.
    fn held_mut(&mut self, held: Held) -> Option<&mut Row> {
        self.jobs.get_mut(&held.id).filter(|row| {
            row.job.attempt + row.job.put_off == held.attempt && row.job.state == JobState::Running
        })
    }

    /// What a claim takes: what was lost, and then by priority an equal share of each organization.
    fn whose_turn_it_is(&self, claim: &Claim<'_>) -> Vec<JobId> {
        let limit = claim.limit as usize;
        let is_due = |row: &&Row| row.due().is_some_and(|due| due <= claim.now);
        let due = || self.waiting(claim.queue, claim.kinds).filter(is_due).map(|row| &row.job);
        let mut lost: Vec<_> = due().filter_map(|job| Some((job.lease_until?, job.id))).collect();
        lost.sort_unstable();
        let mut ids: Vec<JobId> = lost.into_iter().map(|(_, id)| id).collect();
        let mut parties: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for job in due().filter(|job| job.lease_until.is_none()) {
            let is_passed = job.org.is_some_and(|org| claim.turn.passed.contains(&org));
            if !is_passed {
                let turn = (job.priority, job.org <= claim.turn.after, job.org);
                parties.entry(turn).or_default().push((job.run_at, job.id));
            }
        }
        for priority in (1..=4).filter_map(JobPriority::new) {
            let jobs = parties.iter_mut().filter(|((of, ..), _)| *of == priority).map(|(_, jobs)| jobs);
            let turns: Vec<_> = jobs.take(limit).collect();
            let most = claim.turn.most.map_or(limit, |most| most as usize);
            let share = limit.div_ceil(turns.len().max(1)).min(most);
            for jobs in turns {
                jobs.sort_unstable();
                ids.extend(jobs.iter().take(share).map(|(_, id)| id));
            }
        }
        ids.truncate(limit);
        ids
    }

    /// Those of a queue that workers of these kinds may take, now or later.
    fn waiting(&self, queue: &str, kinds: &[&str]) -> impl Iterator<Item = &Row> {
        let is_open = !self.paused.contains_key(queue);
        let fits = move |row: &&Row| is_open && row.job.queue == queue && kinds.contains(&&*row.job.kind);
        self.jobs.values().filter(fits)
    }
}

#[async_trait]
impl Outbox for MemoryUnit {
    async fn enqueue(&mut self, jobs: &[NewJob]) -> Result<Vec<Enqueued>, StoreError> {
        let enqueued = self
            .change(|tables| {
                let mut enqueued = Vec::new();
                for job in jobs {
                    if tables.jobs.contains_key(&job.id) {
                        return Err(taken_key());
                    }
                    let key = job.unique.as_ref().map(|unique| &unique.key);
                    let same = |row: &&Row| key.is_some() && row.job.unique_key.as_ref() == key;
                    let taken = tables.jobs.values().find(same).map(|row| row.job.id);
                    if taken.is_none() {
                        tables.jobs.insert(job.id, Row::new(job));
                    }
                    enqueued.push(Enqueued { id: taken.unwrap_or(job.id), is_new: taken.is_none() });
                }
                Ok(enqueued)
            })
            .await?;
        self.has_enqueued |= enqueued.iter().any(|job| job.is_new);
        Ok(enqueued)
    }
}

#[async_trait]
impl JobStore for MemoryUnit {
    async fn claim(&mut self, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError> {
        self.change(|tables| {
            let mut claimed = Vec::new();
            for id in tables.whose_turn_it_is(claim) {
                let Some(row) = tables.jobs.get_mut(&id) else { continue };
                let job = &mut row.job;
                job.attempt += 1;
                job.state = JobState::Running;
                job.lease_until = Some(claim.lease_until);
                job.claimed_at = Some(claim.now);
                job.worker = Some(claim.worker.to_owned());
                if row.until == Some(Until::Claimed) {
                    job.unique_key = None;
                }
                claimed.push((job.priority, row.claimed()));
            }
            claimed.sort_by_key(|(priority, job)| (*priority, job.run_at, job.id));
            Ok(claimed.into_iter().map(|(_, job)| job).collect())
        })
        .await
    }

    async fn extend(&mut self, held: &[Held], lease_until: Timestamp) -> Result<Vec<HeldJob>, StoreError> {
        self.change(|tables| {
            let mut still = BTreeSet::new();
            for held in held {
                if let Some(row) = tables.held_mut(*held) {
                    row.job.lease_until = Some(lease_until);
                    still.insert(HeldJob { id: held.id, cancel_requested: row.job.cancel_requested });
                }
            }
            Ok(still.into_iter().collect())
        })
        .await
    }

    async fn settle(&mut self, settled: &[Settled]) -> Result<Vec<JobId>, StoreError> {
        self.change(|tables| {
            let mut taken = BTreeSet::new();
            for Settled { held, ending, at } in settled {
                let Some(row) = tables.held_mut(*held) else { continue };
                taken.insert(held.id);
                row.job.lease_until = None;
                let (state, run_at) = match ending {
                    Ending::Completed => (JobState::Completed, None),
                    Ending::Cancelled => (JobState::Cancelled, None),
                    Ending::Buried { .. } => (JobState::Buried, None),
                    Ending::Retry { run_at, .. } | Ending::Snoozed { run_at } => {
                        (JobState::Available, Some(*run_at))
                    }
                };
                row.job.run_at = run_at.unwrap_or(row.job.run_at);
                if let Ending::Retry { error, .. } | Ending::Buried { error } = ending {
                    row.job.last_error = Some(error.replace('\0', "\u{fffd}"));
                }
                let put_off = u32::from(matches!(ending, Ending::Snoozed { .. }));
                row.job.put_off += put_off;
                row.job.attempt -= put_off;
                match state {
                    // One whose end is asked for does not come back.
                    JobState::Available if row.job.cancel_requested => row.end(JobState::Cancelled, *at),
                    JobState::Available => row.job.state = state,
                    _ => row.end(state, *at),
                }
            }
            Ok(taken.into_iter().collect())
        })
        .await
    }

    async fn next_due(&mut self, queue: &str, kinds: &[&str]) -> Result<Option<Timestamp>, StoreError> {
        self.view(|tables| tables.waiting(queue, kinds).filter_map(Row::due).min()).await
    }

    async fn find(&mut self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.view(|tables| tables.jobs.get(&id).map(|row| row.job.clone())).await
    }

    async fn list(
        &mut self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, StoreError> {
        self.view(|tables| {
            let JobFilter { state, kind, queue } = filter;
            let mut found: Vec<JobRecord> = tables
                .jobs
                .values()
                .map(|row| &row.job)
                .filter(|job| before.is_none_or(|before| job.id < before))
                .filter(|job| state.is_none_or(|state| job.state == state))
                .filter(|job| kind.as_ref().is_none_or(|kind| job.kind == *kind))
                .filter(|job| queue.as_ref().is_none_or(|queue| job.queue == *queue))
                .cloned()
                .collect();
            found.sort_by_key(|job| std::cmp::Reverse(job.id));
            found.truncate(limit as usize);
            found
        })
        .await
    }

    async fn cancel(&mut self, id: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.jobs.get_mut(&id) else { return Ok(None) };
            match row.job.state {
                JobState::Available => row.end(JobState::Cancelled, now),
                JobState::Running => row.job.cancel_requested = true,
                JobState::Completed | JobState::Cancelled | JobState::Buried => {}
            }
            Ok(Some(row.job.clone()))
        })
        .await
    }

    async fn run_now(&mut self, id: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError> {
        let found = self
            .change(|tables| {
                let Some(row) = tables.jobs.get_mut(&id) else { return Ok(None) };
                let job = &mut row.job;
                if job.state != JobState::Running {
                    (job.state, job.run_at, job.finished_at) = (JobState::Available, now, None);
                    job.cancel_requested = false;
                    job.max_attempts = job.max_attempts.max(job.attempt + 1);
                }
                Ok(Some(job.clone()))
            })
            .await?;
        self.has_enqueued |= found.as_ref().is_some_and(|job| job.state == JobState::Available);
        Ok(found)
    }

    async fn counts(&mut self, now: Timestamp) -> Result<Vec<KindCounts>, StoreError> {
        self.view(|tables| {
            let mut all: BTreeMap<(String, String), KindCounts> = BTreeMap::new();
            for row in tables.jobs.values() {
                let (queue, kind) = (row.job.queue.clone(), row.job.kind.clone());
                let counts = JobCounts::default();
                let of = all.entry((queue.clone(), kind.clone()));
                let of = of.or_insert(KindCounts { queue, kind, counts, oldest_due: None });
                *of.counts.of(row.job.state) += 1;
                if row.job.state == JobState::Available && row.job.run_at <= now {
                    let oldest = of.oldest_due.map_or(row.job.run_at, |oldest| oldest.min(row.job.run_at));
                    of.oldest_due = Some(oldest);
                }
            }
            all.into_values().collect()
        })
        .await
    }

    async fn backlogs(&mut self, limit: u32) -> Result<Vec<Backlog>, StoreError> {
        self.view(|tables| {
            let mut all: BTreeMap<(String, OrgId), Backlog> = BTreeMap::new();
            for job in tables.jobs.values().map(|row| &row.job) {
                let Some(org) = job.org.filter(|_| job.state == JobState::Available) else { continue };
                let new = Backlog { queue: job.queue.clone(), org, waiting: 0, put_off: 0 };
                let of = all.entry((job.queue.clone(), org)).or_insert(new);
                of.waiting += 1;
                of.put_off += i64::from(job.put_off > 0);
            }
            let mut all: Vec<Backlog> = all.into_values().collect();
            all.sort_by_key(|of| std::cmp::Reverse(of.waiting));
            all.truncate(limit as usize);
            all
        })
        .await
    }

    async fn queues(&mut self) -> Result<Vec<QueueState>, StoreError> {
        self.view(|tables| {
            let used = tables.jobs.values().map(|row| &row.job.queue);
            let names: BTreeSet<&String> = used.chain(tables.paused.keys()).collect();
            let state = |name: &String| QueueState {
                name: name.clone(),
                paused_at: tables.paused.get(name).copied(),
            };
            names.into_iter().map(state).collect()
        })
        .await
    }

    async fn pause(&mut self, queue: &str, now: Timestamp) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.paused.entry(queue.to_owned()).or_insert(now);
            Ok(())
        })
        .await
    }

    async fn resume(&mut self, queue: &str) -> Result<bool, StoreError> {
        self.change(|tables| Ok(tables.paused.remove(queue).is_some())).await
    }

    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
        portion: Portion,
    ) -> Result<u64, StoreError> {
        self.change(|tables| {
            let is_old = |row: &Row| {
                let before = match row.job.state {
                    JobState::Completed | JobState::Cancelled => completed_before,
                    JobState::Buried => buried_before,
                    JobState::Available | JobState::Running => return false,
                };
                row.job.finished_at.is_some_and(|at| at < before)
                    && row.keep_until.is_none_or(|keep| keep < completed_before)
            };
            let bytes = |row: &Row| {
                row.job.payload.to_string().len() + row.job.last_error.as_ref().map_or(0, String::len)
            };
            Ok(sweep_portion(&mut tables.jobs, portion, is_old, bytes))
        })
        .await
    }

    async fn schedule(&mut self, name: &str, begin: Timestamp) -> Result<Timestamp, StoreError> {
        self.change(|tables| Ok(*tables.schedules.entry(name.to_owned()).or_insert(begin))).await
    }

    async fn take_slot(&mut self, name: &str, slot: Timestamp) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(last) = tables.schedules.get_mut(name).filter(|last| **last < slot) else {
                return Ok(false);
            };
            *last = slot;
            Ok(true)
        })
        .await
    }
}
