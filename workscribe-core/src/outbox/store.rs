use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{JobId, OrgId};
use crate::portion::Portion;
use crate::store_error::StoreError;

use super::job::NewJob;
use super::model::{
    Backlog, ClaimedJob, Enqueued, Held, HeldJob, JobFilter, JobRecord, KindCounts, QueueState, Settled,
};

/// Writes jobs, in the transaction of the rows that cause them.
#[async_trait]
pub trait Outbox: Send {
    /// Adds jobs, in one statement however many, and answers for each in order. One whose unique key is taken, or given twice,
    /// is left out.
    async fn enqueue(&mut self, jobs: &[NewJob]) -> Result<Vec<Enqueued>, StoreError>;
}

/// What a worker asks a queue for.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Which queue.
    pub queue: &'a str,
    /// The kinds that the worker handles.
    pub kinds: &'a [&'a str],
    /// How many jobs at the most.
    pub limit: u32,
    /// Who asks, for an operator to see.
    pub worker: &'a str,
    /// The time.
    pub now: Timestamp,
    /// How long the claim holds.
    pub lease_until: Timestamp,
    /// Whose turn it is.
    pub turn: Turn<'a>,
}

/// Whose turn it is among the organizations that have jobs due in a queue. They come by their ids, in rounds (round robin: J. Nagle,
/// RFC 970, 1985); what is no organization's takes its turn as one of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn<'a> {
    /// Whose turn was the last; the round goes on after it.
    pub after: Option<OrgId>,
    /// Those who are passed over, since they hold as many places as they may.
    pub passed: &'a [OrgId],
    /// How many jobs of one organization at the most; `None` for as many as are asked for.
    pub most: Option<u32>,
}

/// The worker's side of the queue, and the operator's.
#[async_trait]
pub trait JobStore: Send {
    /// Claims jobs: those whose lease ran out, then those that are due, by priority, within it an equal share of what is asked for
    /// from each organization whose [`Turn`] it is, and of one organization by time and id. It may be fewer than are due, where
    /// some have less than their share: ask again. None while the queue is paused. What it costs depends on the number claimed
    /// and on how many are passed over, not on how many wait, run or are done.
    async fn claim(&mut self, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError>;
    /// Keeps claims for longer, in one statement, and answers those that still hold, by id.
    async fn extend(&mut self, held: &[Held], lease_until: Timestamp) -> Result<Vec<HeldJob>, StoreError>;
    /// Writes how attempts ended, in one statement, and answers the jobs for which the word was taken, by id. Of an attempt that
    /// has lost its lease to another it is not.
    async fn settle(&mut self, settled: &[Settled]) -> Result<Vec<JobId>, StoreError>;
    /// When the next job of these kinds is due in the queue, or its lease runs out; `None` if there is none, or the queue is
    /// paused.
    async fn next_due(&mut self, queue: &str, kinds: &[&str]) -> Result<Option<Timestamp>, StoreError>;
    /// One job.
    async fn find(&mut self, id: JobId) -> Result<Option<JobRecord>, StoreError>;
    /// Jobs by id, the newest first, before the one given.
    async fn list(
        &mut self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, StoreError>;
    /// Ends a job that waits, or notes of one that runs that its end is asked for. `None` when there is no such job; one that
    /// has ended stays as it is.
    async fn cancel(&mut self, id: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError>;
    /// Makes a job that has ended, or waits for a later time, due now, with at least one attempt more. `None` when there is no
    /// such job; one that runs stays as it is.
    async fn run_now(&mut self, id: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError>;
    /// How many jobs of which kind are in which state in which queue. It reads every job: now and then.
    async fn counts(&mut self, now: Timestamp) -> Result<Vec<KindCounts>, StoreError>;
    /// Who has the most jobs waiting, by queue and organization, at most `limit` of them. It reads every job that waits, as above.
    async fn backlogs(&mut self, limit: u32) -> Result<Vec<Backlog>, StoreError>;
    /// The queues in which there is a job, and those that are paused, by name. It reads every job, as above.
    async fn queues(&mut self) -> Result<Vec<QueueState>, StoreError>;
    /// Lets nobody take anything from a queue. One that is paused stays so since its first time.
    async fn pause(&mut self, queue: &str, now: Timestamp) -> Result<(), StoreError>;
    /// Ends a pause; `false` when there was none.
    async fn resume(&mut self, queue: &str) -> Result<bool, StoreError>;
    /// Removes a portion of jobs: the completed and cancelled of before the first time, the buried of before the second.
    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
        portion: Portion,
    ) -> Result<u64, StoreError>;
    /// The last slot of a schedule. A schedule that is new begins at the given slot.
    async fn schedule(&mut self, name: &str, begin: Timestamp) -> Result<Timestamp, StoreError>;
    /// Takes a slot of a schedule, and with it all before: `true` for whoever comes first, who holds it until the end of the
    /// transaction.
    async fn take_slot(&mut self, name: &str, slot: Timestamp) -> Result<bool, StoreError>;
}
