use crate::app::WorkScribe;
use crate::error::{Code, Error};
use crate::id::JobId;
use crate::storage::UnitOfWork;

use super::job::{Job, NewJob};
use super::model::{Backlog, Enqueued, JobFilter, JobRecord, JobState, KindCounts, QueueState};

/// Jobs outside of a unit of work, and what an operator sees and does. Had from [`WorkScribe::jobs`].
///
/// Nothing here asks who is calling: jobs belong to the installation, not to an organization.
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

    /// Adds a job to the unit's outbox, with its kind's options.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn enqueue<J: Job>(&self, uow: &mut dyn UnitOfWork, job: &J) -> Result<JobId, Error> {
        let job = self.jobs().prepare(job)?;
        self.enqueue_all(uow, std::slice::from_ref(&job)).await?;
        Ok(job.id)
    }

    /// Adds jobs to the unit's outbox, in one statement, and answers what became of each: one whose unique key is taken is
    /// left out. [`Jobs::prepare`] makes them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn enqueue_all(
        &self,
        uow: &mut dyn UnitOfWork,
        jobs: &[NewJob],
    ) -> Result<Vec<Enqueued>, Error> {
        Ok(uow.outbox().enqueue(jobs).await?)
    }
}

impl Jobs<'_> {
    /// A job with its kind's options, to be changed and enqueued.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn prepare<J: Job>(&self, job: &J) -> Result<NewJob, Error> {
        NewJob::now(self.app.new_id(), job, self.app.now()).map_err(Error::internal)
    }

    /// Writes jobs in a transaction of their own. To commit them with other rows use [`WorkScribe::enqueue_all`].
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>, Error> {
        let mut uow = self.app.begin().await?;
        let enqueued = uow.outbox().enqueue(jobs).await?;
        self.app.commit(uow).await?;
        Ok(enqueued)
    }

    /// Jobs, the newest first, before the one given.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn list(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, Error> {
        Ok(self.app.read().await?.jobs().list(filter, before, limit).await?)
    }

    /// One job.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`.
    pub async fn find(&self, id: JobId) -> Result<JobRecord, Error> {
        self.app.read().await?.jobs().find(id).await?.ok_or_else(no_such_job)
    }

    /// Runs a job again that has ended, or now that waits for later.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; `JOB_RUNNING` when a worker has it.
    pub async fn retry(&self, id: JobId) -> Result<JobRecord, Error> {
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

    /// Ends a job. One that waits is cancelled at once; of one that runs it is asked, and its worker stops it within seconds.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; `JOB_FINISHED` when it has ended.
    pub async fn cancel(&self, id: JobId) -> Result<JobRecord, Error> {
        let mut uow = self.app.begin().await?;
        let before = uow.jobs().find(id).await?.ok_or_else(no_such_job)?;
        if before.finished_at.is_some() {
            return Err(Error::new(Code::JobFinished, "This job has ended already."));
        }
        let job = uow.jobs().cancel(id, self.app.now()).await?.ok_or_else(no_such_job)?;
        self.app.commit(uow).await?;
        Ok(job)
    }

    /// How many jobs of which kind are in which state in which queue.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn stats(&self) -> Result<Vec<KindCounts>, Error> {
        Ok(self.app.read().await?.jobs().counts(self.app.now()).await?)
    }

    /// Who has the most jobs waiting, by queue and organization: who floods.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn backlogs(&self, limit: u32) -> Result<Vec<Backlog>, Error> {
        Ok(self.app.read().await?.jobs().backlogs(limit).await?)
    }

    /// The queues, and which of them are paused.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn queues(&self) -> Result<Vec<QueueState>, Error> {
        Ok(self.app.read().await?.jobs().queues().await?)
    }

    /// Lets no worker take anything from a queue, on any node; what runs goes on.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn pause(&self, queue: &str) -> Result<(), Error> {
        let mut uow = self.app.begin().await?;
        uow.jobs().pause(queue, self.app.now()).await?;
        self.app.commit(uow).await
    }

    /// Ends a pause, if there is one.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn resume(&self, queue: &str) -> Result<(), Error> {
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
