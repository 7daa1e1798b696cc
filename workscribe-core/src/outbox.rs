//! Jobs: written in the caller's transaction, claimed by workers under a lease.
//!
//! Delivery is at least once. A worker claims a job for a while (its lease) and gets an attempt number; every
//! later word about the job must carry that number, so that a worker whose lease has run out cannot finish
//! what another has taken over (a fencing token: Kleppmann, "How to do distributed locking", 2016).

use std::borrow::Cow;

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::id::JobId;
use crate::storage::StoreError;

/// A kind of job: its stable name and the shape of its payload.
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// The name in the queue. Never change it while jobs may be waiting.
    const KIND: &'static str;
    /// How often it is tried before it is buried.
    const MAX_ATTEMPTS: u32 = 12;
}

/// A job to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id; a mail provider gets it as the idempotency key.
    pub id: JobId,
    /// The stable name of its kind.
    pub kind: Cow<'static, str>,
    /// What the handler gets.
    pub payload: Value,
    /// Not before this time.
    pub run_at: Timestamp,
    /// How often it is tried before it is buried.
    pub max_attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
}

impl NewJob {
    /// A job to run as soon as a worker is free.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn now<J: Job>(id: JobId, job: &J, now: Timestamp) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id,
            kind: Cow::Borrowed(J::KIND),
            payload: serde_json::to_value(job)?,
            run_at: now,
            max_attempts: J::MAX_ATTEMPTS,
            created_at: now,
        })
    }
}

/// A job that a worker has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// Its id.
    pub id: JobId,
    /// The name of its kind.
    pub kind: String,
    /// What the handler gets.
    pub payload: Value,
    /// Which attempt this is, from 1: also the fencing number.
    pub attempt: u32,
    /// After this many it is buried.
    pub max_attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
}

/// How many jobs are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Waiting, now or for a later time.
    pub available: i64,
    /// Claimed by a worker.
    pub running: i64,
    /// Done, and kept for a while.
    pub completed: i64,
    /// Given up.
    pub buried: i64,
}

/// Writes jobs, in the transaction of the rows that cause them.
#[async_trait]
pub trait Outbox: Send {
    /// Adds a job.
    async fn enqueue(&mut self, job: &NewJob) -> Result<(), StoreError>;
}

/// The worker's side of the queue. Each `bool` says whether the word was taken: `false` means that the lease
/// was lost and another worker may have the job.
#[async_trait]
pub trait JobStore: Send {
    /// Claims up to `limit` jobs of the given kinds that are due at `now`, or whose lease ran out, until `lease_until`.
    async fn claim(
        &mut self,
        kinds: &[&str],
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedJob>, StoreError>;
    /// Keeps a claim for longer.
    async fn extend(&mut self, id: JobId, attempt: u32, lease_until: Timestamp) -> Result<bool, StoreError>;
    /// Marks the job as done.
    async fn complete(&mut self, id: JobId, attempt: u32, now: Timestamp) -> Result<bool, StoreError>;
    /// Gives the job back, to be tried again at `run_at`.
    async fn retry(
        &mut self,
        id: JobId,
        attempt: u32,
        run_at: Timestamp,
        error: &str,
    ) -> Result<bool, StoreError>;
    /// Gives the job up.
    async fn bury(
        &mut self,
        id: JobId,
        attempt: u32,
        now: Timestamp,
        error: &str,
    ) -> Result<bool, StoreError>;
    /// When the next job of these kinds is due, or its lease runs out; `None` if there is none.
    async fn next_due(&mut self, kinds: &[&str]) -> Result<Option<Timestamp>, StoreError>;
    /// How many jobs are in which state.
    async fn counts(&mut self) -> Result<JobCounts, StoreError>;
    /// Removes finished jobs: the completed before the first time, the buried before the second.
    async fn sweep(
        &mut self,
        completed_before: Timestamp,
        buried_before: Timestamp,
    ) -> Result<u64, StoreError>;
}
