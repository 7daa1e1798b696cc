use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use workscribe_core::outbox::{self, JobRecord, KindCounts, QueueState};

use crate::time::Time;
use crate::wire::wire_names;

wire_names! {
    /// Where a job stands.
    JobState = outbox::JobState {
        /// Waiting, now or for a later time.
        Available = "available",
        /// Claimed by a worker.
        Running = "running",
        /// Done, and kept for a day.
        Completed = "completed",
        /// Ended by a person, and kept for a day.
        Cancelled = "cancelled",
        /// Given up, and kept for seven days.
        Buried = "buried",
    }
}

/// A job.
#[derive(Object, Serialize)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// The name of its kind.
    pub kind: String,
    /// The queue that it waits in, or waited in.
    pub queue: String,
    /// Who goes first, from 1 (first) to 4 (last).
    pub priority: i64,
    /// Where it stands.
    pub state: JobState,
    /// How many attempts were begun.
    pub attempt: i64,
    /// After this many it is buried.
    pub max_attempts: i64,
    /// How many milliseconds one attempt may take; null for without end.
    pub timeout_ms: Option<i64>,
    /// What keeps others like it out, while it does.
    pub unique_key: Option<String>,
    /// Whether somebody asked for its end while it runs.
    pub cancel_requested: bool,
    /// Not before this time.
    pub run_at: Time,
    /// The worker that had it last.
    pub worker: Option<String>,
    /// When its last attempt began.
    pub claimed_at: Option<Time>,
    /// Until when its worker has it, unless it says more.
    pub lease_until: Option<Time>,
    /// Why its last failed attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Time,
    /// When it ended.
    pub finished_at: Option<Time>,
}

impl From<JobRecord> for Job {
    fn from(job: JobRecord) -> Self {
        Self {
            id: job.id.into(),
            kind: job.kind,
            queue: job.queue,
            priority: job.priority.number().into(),
            state: job.state.into(),
            attempt: job.attempt.into(),
            max_attempts: job.max_attempts.into(),
            timeout_ms: job.timeout.map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)),
            unique_key: job.unique_key,
            cancel_requested: job.cancel_requested,
            run_at: job.run_at.into(),
            worker: job.worker,
            claimed_at: job.claimed_at.map(Time),
            lease_until: job.lease_until.map(Time),
            last_error: job.last_error,
            created_at: job.created_at.into(),
            finished_at: job.finished_at.map(Time),
        }
    }
}

/// A job with what its handler gets.
#[derive(Object, Serialize)]
pub struct JobDetails {
    /// The job.
    #[oai(flatten)]
    #[serde(flatten)]
    pub job: Job,
    /// What the handler gets. It may name people.
    pub payload: Value,
}

impl From<JobRecord> for JobDetails {
    fn from(mut job: JobRecord) -> Self {
        let payload = job.payload.take();
        Self { job: job.into(), payload }
    }
}

/// A page of jobs, the newest first.
#[derive(Object, Serialize)]
pub struct JobList {
    /// The jobs, without their payloads.
    pub jobs: Vec<Job>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
}

/// How many jobs of one kind in one queue are in which state.
#[derive(Object, Serialize)]
pub struct KindStats {
    /// The queue.
    pub queue: String,
    /// The kind.
    pub kind: String,
    /// Waiting, now or for a later time.
    pub available: i64,
    /// Claimed by a worker.
    pub running: i64,
    /// Done, within the last day.
    pub completed: i64,
    /// Ended by a person, within the last day.
    pub cancelled: i64,
    /// Given up, within the last seven days.
    pub buried: i64,
    /// Since when the oldest of those that are due waits; null when none is.
    pub oldest_due: Option<Time>,
}

impl From<KindCounts> for KindStats {
    fn from(counts: KindCounts) -> Self {
        let KindCounts { queue, kind, counts, oldest_due } = counts;
        Self {
            queue,
            kind,
            available: counts.available,
            running: counts.running,
            completed: counts.completed,
            cancelled: counts.cancelled,
            buried: counts.buried,
            oldest_due: oldest_due.map(Time),
        }
    }
}

/// How many jobs there are.
#[derive(Object, Serialize)]
pub struct JobStats {
    /// By queue and kind.
    pub kinds: Vec<KindStats>,
}

/// A queue.
#[derive(Object, Serialize)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Since when no worker takes anything from it; null when it is not paused.
    pub paused_at: Option<Time>,
}

impl From<QueueState> for Queue {
    fn from(queue: QueueState) -> Self {
        Self { name: queue.name, paused_at: queue.paused_at.map(Time) }
    }
}

/// The queues in which there is a job, and those that are paused.
#[derive(Object, Serialize)]
pub struct QueueList {
    /// The queues, by name.
    pub queues: Vec<Queue>,
}

/// Anything of these as the JSON that the API answers, for programs that show it elsewhere.
#[must_use]
pub fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
