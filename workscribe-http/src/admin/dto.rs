//! Jobs, queues and counts on the wire.

use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use workscribe_core::outbox::{self, JobRecord, KindCounts, QueueState};
use workscribe_core::page::Page;

use crate::dto::answers;
use crate::field::Nullable;
use crate::time::Time;
use crate::wire::{QueueName, named};

named! {
    /// Where a job stands.
    JobState = outbox::JobState;
}

answers! {
    /// A job.
    Job of job: JobRecord {
        /// Its id.
        id: Uuid,
        /// The name of its kind.
        kind: String,
        /// The queue that it waits in, or waited in.
        queue: String,
        /// Who goes first, from 1 (first) to 4 (last).
        priority: i64 = job.priority.number(),
        /// Where it stands.
        state: JobState,
        /// How many attempts were begun.
        attempt: i64,
        /// After this many it is buried.
        max_attempts: i64,
        /// How many milliseconds one attempt may take; null for without end.
        timeout_ms: Nullable<i64> =
            job.timeout.map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)),
        /// What keeps others like it out, while it does.
        unique_key: Nullable<String>,
        /// Whether somebody asked for its end while it runs.
        cancel_requested: bool,
        /// Not before this time.
        run_at: Time,
        /// The worker that had it last.
        worker: Nullable<String>,
        /// When its last attempt began.
        claimed_at: Nullable<Time>,
        /// Until when its worker has it, unless it says more.
        lease_until: Nullable<Time>,
        /// Why its last failed attempt failed.
        last_error: Nullable<String>,
        /// When it was written.
        created_at: Time,
        /// When it ended.
        finished_at: Nullable<Time>,
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

answers! {
    /// A page of jobs, the newest first.
    JobList of page: Page<JobRecord> {
        /// The jobs, without their payloads.
        jobs: Vec<Job> = page.items.into_iter().map(Job::from).collect::<Vec<_>>(),
        /// What to ask for the next page with; null on the last.
        next_cursor: Nullable<String>,
    }
}

answers! {
    /// How many jobs of one kind in one queue are in which state.
    KindStats of counts: KindCounts {
        /// The queue.
        queue: String,
        /// The kind.
        kind: String,
        /// Waiting, now or for a later time.
        available: i64 = counts.counts.available,
        /// Claimed by a worker.
        running: i64 = counts.counts.running,
        /// Done, within the last day.
        completed: i64 = counts.counts.completed,
        /// Ended by a person, within the last day.
        cancelled: i64 = counts.counts.cancelled,
        /// Given up, within the last seven days.
        buried: i64 = counts.counts.buried,
        /// Since when the oldest of those that are due waits; null when none is.
        oldest_due: Nullable<Time>,
    }
}

answers! {
    /// How many jobs there are.
    JobStats of kinds: Vec<KindCounts> {
        /// By queue and kind.
        kinds: Vec<KindStats> = kinds.into_iter().map(KindStats::from).collect::<Vec<_>>(),
    }
}

answers! {
    /// A queue.
    Queue of queue: QueueState {
        /// Its name.
        name: QueueName,
        /// Since when no worker takes anything from it; null when it is not paused.
        paused_at: Nullable<Time>,
    }
}

answers! {
    /// The queues in which there is a job, and those that are paused.
    QueueList of queues: Vec<QueueState> {
        /// The queues, by name.
        queues: Vec<Queue> = queues.into_iter().map(Queue::from).collect::<Vec<_>>(),
    }
}

/// Anything of these as the JSON that the API answers, for programs that show it elsewhere.
#[must_use]
pub fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
