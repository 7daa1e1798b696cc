//! Jobs: the outbox, and the worker's side of the queue.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{ClaimedJob, JobCounts, JobStore, NewJob, Outbox};
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, Tables, conflict};

#[derive(Clone)]
pub(super) struct Row {
    job: NewJob,
    attempt: u32,
    state: State,
    /// Of the last failure; for a person who looks at the queue.
    last_error: Option<String>,
}

#[derive(Clone, Copy)]
enum State {
    Available { run_at: Timestamp },
    Running { lease_until: Timestamp },
    Completed { at: Timestamp },
    Buried { at: Timestamp },
}

impl Row {
    /// When a worker may take it; `None` when it is finished.
    const fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Available { run_at } => Some(run_at),
            State::Running { lease_until } => Some(lease_until),
            State::Completed { .. } | State::Buried { .. } => None,
        }
    }

    fn claimed(&self) -> ClaimedJob {
        ClaimedJob {
            id: self.job.id,
            kind: self.job.kind.clone().into_owned(),
            payload: self.job.payload.clone(),
            attempt: self.attempt,
            max_attempts: self.job.max_attempts,
            created_at: self.job.created_at,
        }
    }
}

impl Tables {
    /// The job, if this attempt at it is the one that runs.
    fn running_mut(&mut self, id: JobId, attempt: u32) -> Option<&mut Row> {
        self.jobs
            .get_mut(&id)
            .filter(|row| row.attempt == attempt && matches!(row.state, State::Running { .. }))
    }
}

impl MemoryUnit {
    async fn move_on(
        &mut self,
        id: JobId,
        attempt: u32,
        state: State,
        error: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.change(|tables| {
            let Some(row) = tables.running_mut(id, attempt) else { return Ok(false) };
            row.state = state;
            if let State::Available { run_at } = state {
                row.job.run_at = run_at;
            }
            if let Some(error) = error {
                row.last_error = Some(error.to_owned());
            }
            Ok(true)
        })
        .await
    }
}

#[async_trait]
impl Outbox for MemoryUnit {
    async fn enqueue(&mut self, job: &NewJob) -> Result<(), StoreError> {
        self.change(|tables| {
            if tables.jobs.contains_key(&job.id) {
                return Err(conflict(Constraint::Other));
            }
            let state = State::Available { run_at: job.run_at };
            tables.jobs.insert(job.id, Row { job: job.clone(), attempt: 0, state, last_error: None });
            Ok(())
        })
        .await?;
        self.has_enqueued = true;
        Ok(())
    }
}

#[async_trait]
impl JobStore for MemoryUnit {
    async fn claim(
        &mut self,
        kinds: &[&str],
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        self.change(|tables| {
            let mut due: Vec<&mut Row> = tables
                .jobs
                .values_mut()
                .filter(|row| kinds.contains(&&*row.job.kind) && row.due().is_some_and(|due| due <= now))
                .collect();
            due.sort_by_key(|row| (row.job.run_at, row.job.id));
            due.truncate(limit as usize);
            Ok(due
                .into_iter()
                .map(|row| {
                    row.attempt += 1;
                    row.state = State::Running { lease_until };
                    row.claimed()
                })
                .collect())
        })
        .await
    }

    async fn extend(&mut self, id: JobId, attempt: u32, lease_until: Timestamp) -> Result<bool, StoreError> {
        self.move_on(id, attempt, State::Running { lease_until }, None).await
    }

    async fn complete(&mut self, id: JobId, attempt: u32, now: Timestamp) -> Result<bool, StoreError> {
        self.move_on(id, attempt, State::Completed { at: now }, None).await
    }

    async fn retry(
        &mut self,
        id: JobId,
        attempt: u32,
        run_at: Timestamp,
        error: &str,
    ) -> Result<bool, StoreError> {
        self.move_on(id, attempt, State::Available { run_at }, Some(error)).await
    }

    async fn bury(
        &mut self,
        id: JobId,
        attempt: u32,
        now: Timestamp,
        error: &str,
    ) -> Result<bool, StoreError> {
        self.move_on(id, attempt, State::Buried { at: now }, Some(error)).await
    }

    async fn next_due(&mut self, kinds: &[&str]) -> Result<Option<Timestamp>, StoreError> {
        self.view(|tables| {
            let of_kinds = tables.jobs.values().filter(|row| kinds.contains(&&*row.job.kind));
            of_kinds.filter_map(Row::due).min()
        })
        .await
    }

    async fn counts(&mut self) -> Result<JobCounts, StoreError> {
        self.view(|tables| {
            tables.jobs.values().fold(JobCounts::default(), |mut counts, row| {
                match row.state {
                    State::Available { .. } => counts.available += 1,
                    State::Running { .. } => counts.running += 1,
                    State::Completed { .. } => counts.completed += 1,
                    State::Buried { .. } => counts.buried += 1,
                }
                counts
            })
        })
        .await
    }

    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
    ) -> Result<u64, StoreError> {
        self.change(|tables| {
            let before = tables.jobs.len();
            tables.jobs.retain(|_, row| match row.state {
                State::Completed { at } => at >= completed_before,
                State::Buried { at } => at >= buried_before,
                State::Available { .. } | State::Running { .. } => true,
            });
            Ok((before - tables.jobs.len()) as u64)
        })
        .await
    }
}
