//! The values of the queue: what enqueueing answers, what a worker claims and settles, what an operator sees.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::id::{JobId, OrgId};

use super::job::JobPriority;

/// The result of enqueueing one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// The id of the new job, or of the existing job that holds its unique key.
    pub id: JobId,
    /// Whether the job was written.
    pub is_new: bool,
}

/// A job that a worker has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The id of the job.
    pub id: JobId,
    /// The name of its kind.
    pub kind: String,
    /// The organization it belongs to, if any.
    pub org: Option<OrgId>,
    /// The input of the handler.
    pub payload: Value,
    /// The number of the attempt: how often the job was claimed, this claim included. It is the fencing token.
    pub attempt: u32,
    /// How many earlier attempts were snoozed. A snoozed attempt does not count towards `max_attempts`.
    pub snoozed: u32,
    /// The job is buried when this many counted attempts have failed.
    pub max_attempts: u32,
    /// How long this attempt may take; `None` for no limit.
    pub timeout: Option<Duration>,
    /// When the job became due.
    pub run_at: Timestamp,
    /// When the job was enqueued.
    pub created_at: Timestamp,
}

impl ClaimedJob {
    /// The number of the attempt without the snoozed ones, from 1. The back-off and the limit of attempts use it.
    #[must_use]
    pub const fn counted_attempt(&self) -> u32 {
        self.attempt.saturating_sub(self.snoozed)
    }
}

/// Identifies an attempt: the job and its fencing token. The storage ignores a statement whose token is not the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    /// The job.
    pub id: JobId,
    /// The number of the attempt, as in [`ClaimedJob::attempt`].
    pub attempt: u32,
}

/// A lease that the storage has extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExtendedLease {
    /// The job.
    pub id: JobId,
    /// Whether an operator asks to cancel the job.
    pub cancel_requested: bool,
}

/// How an attempt ended, and what follows for the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The attempt succeeded. The job is completed.
    Completed,
    /// The attempt failed. The job is retried.
    Retry {
        /// The job is not due before this time.
        run_at: Timestamp,
        /// Why the attempt failed.
        error: String,
    },
    /// The attempt did not fail. The job runs again, and the attempt does not count.
    Snoozed {
        /// The job is not due before this time.
        run_at: Timestamp,
    },
    /// The attempt failed for good. The job is kept for an operator to inspect.
    Buried {
        /// Why the attempt failed.
        error: String,
    },
    /// An operator cancelled the job.
    Cancelled,
}

/// The record of how an attempt ended, as a worker writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended.
    pub at: Timestamp,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobState {
    /// Waiting, for a worker or for a later time.
    Available,
    /// Claimed by a worker.
    Running,
    /// Completed, and kept for one day.
    Completed,
    /// Cancelled by an operator, and kept for one day.
    Cancelled,
    /// Failed for good, and kept for seven days.
    Buried,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Available, Self::Running, Self::Completed, Self::Cancelled, Self::Buried];

    /// The name in the storage and in the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Buried => "buried",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A job as an operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// The id of the job.
    pub id: JobId,
    /// The name of its kind.
    pub kind: String,
    /// The organization it belongs to, if any.
    pub org: Option<OrgId>,
    /// The input of the handler. It may name people: show it to operators only.
    pub payload: Value,
    /// The queue of the job.
    pub queue: String,
    /// The priority of the job within its queue.
    pub priority: JobPriority,
    /// The state of the job.
    pub state: JobState,
    /// How many attempts have begun, without the snoozed ones.
    pub attempt: u32,
    /// How many attempts were snoozed.
    pub snoozed: u32,
    /// The job is buried when this many attempts have failed.
    pub max_attempts: u32,
    /// How long one attempt may take; `None` for no limit.
    pub timeout: Option<Duration>,
    /// The unique key that the job holds now.
    pub unique_key: Option<String>,
    /// Whether an operator asks to cancel the job while it runs.
    pub cancel_requested: bool,
    /// The job is not due before this time.
    pub run_at: Timestamp,
    /// The worker that claimed the job last.
    pub worker: Option<String>,
    /// When its last attempt began.
    pub claimed_at: Option<Timestamp>,
    /// When the lease expires, unless the worker extends it.
    pub lease_until: Option<Timestamp>,
    /// Why the last failed attempt failed.
    pub last_error: Option<String>,
    /// When the job was enqueued.
    pub created_at: Timestamp,
    /// When the job was completed, cancelled or buried.
    pub finished_at: Option<Timestamp>,
}

/// Which jobs a list contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
    /// Only jobs in this queue.
    pub queue: Option<String>,
}

/// The number of jobs in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Waiting, for a worker or for a later time.
    pub available: i64,
    /// Claimed by a worker.
    pub running: i64,
    /// Completed, and still kept.
    pub completed: i64,
    /// Cancelled by an operator, and still kept.
    pub cancelled: i64,
    /// Failed for good, and still kept.
    pub buried: i64,
}

impl JobCounts {
    /// The count of a state.
    pub const fn of(&mut self, state: JobState) -> &mut i64 {
        match state {
            JobState::Available => &mut self.available,
            JobState::Running => &mut self.running,
            JobState::Completed => &mut self.completed,
            JobState::Cancelled => &mut self.cancelled,
            JobState::Buried => &mut self.buried,
        }
    }
}

/// The counts of one kind of job in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindCounts {
    /// The queue.
    pub queue: String,
    /// The kind.
    pub kind: String,
    /// The number of jobs in each state.
    pub counts: JobCounts,
    /// When the oldest of the due jobs became due.
    pub oldest_due: Option<Timestamp>,
}

/// The waiting jobs of one organization in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The queue.
    pub queue: String,
    /// The organization.
    pub org: OrgId,
    /// How many jobs wait, for a worker or for a later time.
    pub waiting: i64,
    /// How many of them were snoozed at least once.
    pub snoozed: i64,
}

/// A queue that has a job or is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueState {
    /// The name of the queue.
    pub name: String,
    /// When it was paused; `None` while workers claim from it.
    pub paused_at: Option<Timestamp>,
}
