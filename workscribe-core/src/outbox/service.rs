//! Jobs outside of a unit of work: [`Jobs`], for enqueueing and for operators.

use crate::app::WorkScribe;
use crate::error::{Code, Error, Result};
use crate::id::JobId;
use crate::storage::UnitOfWork;

use super::job::{Job, NewJob};
use super::model::{Backlog, Enqueued, JobFilter, JobRecord, JobState, KindCounts, QueueState};

/// Jobs outside of a unit of work, and an operator's reads and commands. [`WorkScribe::jobs`] returns it.
///
/// No method checks the caller's permissions: jobs belong to the installation, not to an organization.
#[derive(Clone, Copy)]
pub struct Jobs<'a> {
    app: &'a WorkScribe,
}

impl WorkScribe {
    /// Jobs, outside of a unit of work.
    #[must_use]
    pub const fn jobs(&self) -> Jobs<'_> {
        Jobs { app: self }
    }

    /// Enqueues a job in a unit of work, with the options of its kind.
    ///
    /// # Errors
    /// When the job cannot be written.
    pub async fn enqueue<J: Job>(&self, uow: &mut dyn UnitOfWork, job: &J) -> Result<JobId> {
        let job = self.jobs().prepare(job)?;
        self.enqueue_all(uow, std::slice::from_ref(&job)).await?;
        Ok(job.id)
    }

    /// Enqueues jobs in a unit of work, in one statement, and returns a result for each. A job whose unique key is taken is left
    /// out. [`Jobs::prepare`] makes the jobs.
    ///
    /// # Errors
    /// When the jobs cannot be written.
    pub async fn enqueue_all(&self, uow: &mut dyn UnitOfWork, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        Ok(uow.outbox().enqueue(jobs).await?)
    }
}

impl Jobs<'_> {
    /// Makes a job with the options of its kind. The caller may change it, and enqueues it.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn prepare<J: Job>(&self, job: &J) -> Result<NewJob> {
        NewJob::now(self.app.new_id(), job, self.app.now()).map_err(Error::internal)
    }

    /// Enqueues jobs in a transaction of their own. To commit them with other rows, use [`WorkScribe::enqueue_all`].
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        let mut uow = self.app.begin().await?;
        let enqueued = uow.outbox().enqueue(jobs).await?;
        self.app.commit(uow).await?;
        Ok(enqueued)
    }

    /// Lists jobs, newest first, that are older than `before`.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn list(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>> {
        Ok(self.app.read().await?.jobs().list(filter, before, limit).await?)
    }

    /// Finds a job.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`.
    pub async fn find(&self, id: JobId) -> Result<JobRecord> {
        self.app.read().await?.jobs().find(id).await?.ok_or_else(no_such_job)
    }

    /// Runs a job again that has ended, or runs a job now that waits for a later time.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; `JOB_RUNNING` when a worker runs it.
    pub async fn retry(&self, id: JobId) -> Result<JobRecord> {
        let mut uow = self.app.begin().await?;
        let job = uow.jobs().run_now(id, self.app.now()).await?.ok_or_else(no_such_job)?;
        if job.state == JobState::Running {
            return Err(Error::new(
                Code::JobRunning,
                "A worker has this job now. Try again when it has ended.",
            ));
        }
        self.app.commit(uow).await?;
        self.app.wakeup().notify().await;
        Ok(job)
    }

    /// Cancels a job. A waiting job is cancelled at once. The worker of a running job stops it within seconds.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; `JOB_FINISHED` when the job has ended.
    pub async fn cancel(&self, id: JobId) -> Result<JobRecord> {
        let mut uow = self.app.begin().await?;
        let before = uow.jobs().find(id).await?.ok_or_else(no_such_job)?;
        if before.finished_at.is_some() {
            return Err(Error::new(Code::JobFinished, "This job has ended already."));
        }
        let job = uow.jobs().cancel(id, self.app.now()).await?.ok_or_else(no_such_job)?;
        self.app.commit(uow).await?;
        Ok(job)
    }

    /// Counts jobs by queue, kind and state.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn stats(&self) -> Result<Vec<KindCounts>> {
        Ok(self.app.read().await?.jobs().counts(self.app.now()).await?)
    }

    /// The largest numbers of waiting jobs by queue and organization. They show which organization floods a queue.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn backlogs(&self, limit: u32) -> Result<Vec<Backlog>> {
        Ok(self.app.read().await?.jobs().backlogs(limit).await?)
    }

    /// Lists the queues and whether they are paused.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn queues(&self) -> Result<Vec<QueueState>> {
        Ok(self.app.read().await?.jobs().queues().await?)
    }

    /// Pauses a queue: no worker on any node claims from it. Running jobs continue.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn pause(&self, queue: &str) -> Result<()> {
        let mut uow = self.app.begin().await?;
        uow.jobs().pause(queue, self.app.now()).await?;
        self.app.commit(uow).await
    }

    /// Resumes a queue, if it is paused.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn resume(&self, queue: &str) -> Result<()> {
        let mut uow = self.app.begin().await?;
        uow.jobs().resume(queue).await?;
        self.app.commit(uow).await?;
        self.app.wakeup().notify().await;
        Ok(())
    }
}

fn no_such_job() -> Error {
    Error::new(Code::JobNotFound, "There is no job with this id. Jobs that are done are kept for a day.")
}
