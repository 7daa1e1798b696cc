//! The queue as a storage keeps it: [`Outbox`] for code that enqueues jobs, [`JobStore`] for workers and operators.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{JobId, OrgId};
use crate::portion::Portion;
use crate::store_error::StoreResult;

use super::job::NewJob;
use super::model::{
    AttemptId, Backlog, ClaimedJob, Enqueued, ExtendedLease, JobFilter, JobRecord, KindCounts, QueueState,
    Settlement,
};

/// Enqueues jobs, in the transaction of the rows that cause them.
#[async_trait]
pub trait Outbox: Send {
    /// Enqueues jobs in one statement and returns a result for each, in order. A job is left out when another job holds its
    /// unique key, or when an earlier job of the same call has the same key.
    async fn enqueue(&mut self, jobs: &[NewJob]) -> StoreResult<Vec<Enqueued>>;
}

/// A worker's request for jobs of one queue.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The kinds that the worker handles.
    pub kinds: &'a [&'a str],
    /// The maximum number of jobs.
    pub limit: u32,
    /// The name of the worker, which operators see.
    pub worker: &'a str,
    /// The current time.
    pub now: Timestamp,
    /// When the lease expires.
    pub lease_until: Timestamp,
    /// Which organizations come next, and how many jobs each gets.
    pub turn: Turn<'a>,
}

/// The turn among the organizations that have due jobs in a queue. They take turns in the order of their ids (round robin:
/// J. Nagle, RFC 970, 1985). Jobs without an organization take turns as if they belonged to one more organization.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn<'a> {
    /// The organization that had the previous turn. The next turn is that of the organization after it.
    pub after: Option<OrgId>,
    /// The organizations that get no turn, because they have as many running jobs as they may.
    pub skipped: &'a [OrgId],
    /// The maximum number of jobs of one organization in this claim; `None` for no limit but [`Claim::limit`].
    pub max_each: Option<u32>,
}

/// The queue for workers and operators.
#[async_trait]
pub trait JobStore: Send {
    /// Claims jobs: first those whose lease has expired, then those that are due, by priority. Within a priority each
    /// organization whose [`Turn`] it is gets an equal share of the limit, and its jobs come by time and id. The result may
    /// have fewer jobs than are due when some organizations have less than their share: claim again. A paused queue returns
    /// no jobs. The cost depends on the number of claimed jobs and of skipped organizations, not on how many jobs wait, run or
    /// have ended.
    async fn claim(&mut self, claim: &Claim<'_>) -> StoreResult<Vec<ClaimedJob>>;
    /// Extends leases in one statement and returns those that are still current, by id.
    async fn extend(
        &mut self,
        attempts: &[AttemptId],
        lease_until: Timestamp,
    ) -> StoreResult<Vec<ExtendedLease>>;
    /// Writes outcomes of attempts in one statement and returns the jobs whose outcome was accepted, by id. The outcome of an
    /// attempt is not accepted when another worker has taken over the job.
    async fn settle(&mut self, settlements: &[Settlement]) -> StoreResult<Vec<JobId>>;
    /// When the next job of these kinds becomes due in the queue, or a lease expires; `None` if there is no such job, or if the
    /// queue is paused.
    async fn next_due(&mut self, queue: &str, kinds: &[&str]) -> StoreResult<Option<Timestamp>>;
    /// Finds a job.
    async fn find(&mut self, id: JobId) -> StoreResult<Option<JobRecord>>;
    /// Lists jobs by id, newest first, that are older than `before`.
    async fn list(
        &mut self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> StoreResult<Vec<JobRecord>>;
    /// Cancels a waiting job, or marks a running job for its worker to cancel. A job that has ended does not change. `None` when
    /// there is no such job.
    async fn cancel(&mut self, id: JobId, now: Timestamp) -> StoreResult<Option<JobRecord>>;
    /// Makes a job due now that has ended or waits for a later time, with at least one more attempt. A running job does not
    /// change. `None` when there is no such job.
    async fn run_now(&mut self, id: JobId, now: Timestamp) -> StoreResult<Option<JobRecord>>;
    /// Counts jobs by queue, kind and state. It reads every job, so call it rarely.
    async fn counts(&mut self, now: Timestamp) -> StoreResult<Vec<KindCounts>>;
    /// The largest numbers of waiting jobs by queue and organization, at most `limit` of them. It reads every waiting job, so
    /// call it rarely.
    async fn backlogs(&mut self, limit: u32) -> StoreResult<Vec<Backlog>>;
    /// The queues that have a job or are paused, by name. It reads every job, so call it rarely.
    async fn queues(&mut self) -> StoreResult<Vec<QueueState>>;
    /// Pauses a queue, so that no worker claims from it. A queue that is already paused keeps its earlier time.
    async fn pause(&mut self, queue: &str, now: Timestamp) -> StoreResult<()>;
    /// Resumes a queue; `false` when it was not paused.
    async fn resume(&mut self, queue: &str) -> StoreResult<bool>;
    /// Removes a portion of the jobs that ended before a time. One time is for completed and cancelled jobs, the other for
    /// buried ones.
    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
        portion: Portion,
    ) -> StoreResult<u64>;
    /// The last slot of a schedule. A new schedule begins at the given slot.
    async fn schedule(&mut self, name: &str, begin: Timestamp) -> StoreResult<Timestamp>;
    /// Takes a slot of a schedule, and with it all earlier slots. `true` for the first caller, who holds the slot until the end
    /// of its transaction.
    async fn take_slot(&mut self, name: &str, slot: Timestamp) -> StoreResult<bool>;
}
