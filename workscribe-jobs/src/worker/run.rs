//! One attempt: runs the handler with a time limit, and turns its result into an outcome.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use workscribe_core::clock::Timestamp;
use workscribe_core::outbox::{AttemptId, ClaimedJob, Outcome, Settlement};

use super::in_flight::{StopReason, millis};
use super::inner::WorkerInner;
use crate::backoff::backoff;
use crate::handler::{JobContext, JobError};

/// The maximum length of a stored reason, in characters. A longer one is truncated.
const LONGEST_REASON: usize = 1_000;

impl WorkerInner {
    /// Runs one attempt and queues its settlement.
    pub(crate) async fn run(self: Arc<Self>, job: ClaimedJob, stop: oneshot::Receiver<StopReason>) {
        let started = Instant::now();
        let outcome = if job.counted_attempt() > job.max_attempts {
            Some(self.outcome(&job, Err(JobError::bury("the worker crashed in the last attempt"))))
        } else {
            self.attempt(&job, stop).await
        };
        let ran = started.elapsed();
        let attempt = AttemptId { id: job.id, attempt: job.attempt };
        let settlement = outcome.map(|outcome| Settlement { attempt, outcome, at: self.app.now() });
        if settlement.is_none() {
            tracing::warn!(
                job.id = %job.id, job.kind, job.attempt, outcome = "lease_lost", ms = millis(ran),
                "another worker may have taken over the job; this attempt was stopped"
            );
        }
        self.in_flight.end(attempt, settlement, ran, self.options.lease);
    }

    /// Runs the handler until it returns or is stopped; `None` when the lease was lost.
    async fn attempt(&self, job: &ClaimedJob, stop: oneshot::Receiver<StopReason>) -> Option<Outcome> {
        let Some(handler) = self.registry.get(&job.kind) else {
            return Some(self.outcome(job, Err(JobError::retry("this worker has no handler of this kind"))));
        };
        let context = JobContext {
            app: self.app.clone(),
            id: job.id,
            attempt: job.counted_attempt(),
            max_attempts: job.max_attempts,
            created_at: job.created_at,
        };
        let payload = job.payload.clone();
        // The handler runs in its own task, so that a panic is caught and a blocking handler stops nothing else. Dropping the
        // set aborts the task.
        let mut task = JoinSet::new();
        task.spawn(async move { handler.handle(context, payload).await });
        let time_limit = async {
            match job.timeout {
                Some(timeout) => sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            biased;
            ended = task.join_next() => match ended {
                Some(Ok(result)) => result,
                Some(Err(error)) => Err(crashed(&error)),
                None => Err(JobError::retry("the attempt was stopped")),
            },
            reason = stop => match reason {
                Ok(StopReason::Cancelled) => return Some(Outcome::Cancelled),
                Ok(StopReason::Shutdown) => return Some(Outcome::Snoozed { run_at: self.app.now() }),
                Ok(StopReason::LeaseLost) | Err(_) => return None,
            },
            () = time_limit => Err(JobError::retry(too_long(job.timeout.unwrap_or_default()))),
        };
        Some(self.outcome(job, result))
    }

    fn outcome(&self, job: &ClaimedJob, result: Result<(), JobError>) -> Outcome {
        let error = match result {
            Ok(()) => return Outcome::Completed,
            Err(error) => error,
        };
        match error {
            JobError::Snooze { after } => Outcome::Snoozed { run_at: later(self.app.now(), after) },
            JobError::Bury { reason } => Outcome::Buried { error: truncate(&reason) },
            JobError::Retry { reason, .. } if job.counted_attempt() >= job.max_attempts => Outcome::Buried {
                error: truncate(&format!("failed after {} attempts: {reason}", job.counted_attempt())),
            },
            JobError::Retry { reason, after } => {
                let wait = backoff(job.counted_attempt(), self.app.entropy()).max(after.unwrap_or_default());
                Outcome::Retry { run_at: later(self.app.now(), wait), error: truncate(&reason) }
            }
        }
    }
}

/// A time after a wait, in whole microseconds: the precision of every storage.
fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    now.checked_add_signed(TimeDelta::microseconds(micros)).unwrap_or(Timestamp::MAX_UTC)
}

fn too_long(timeout: Duration) -> String {
    format!("it took longer than {} s and was stopped", timeout.as_secs_f64())
}

/// The message of a panic is not stored, since it may quote the payload. The process's panic hook has printed it.
fn crashed(error: &JoinError) -> JobError {
    JobError::retry(if error.is_panic() { "the handler panicked" } else { "the attempt was stopped" })
}

fn truncate(reason: &str) -> String {
    reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(truncate("a\r\nb"), "a  b");
        assert_eq!(truncate(&"ä".repeat(5_000)).chars().count(), LONGEST_REASON);
    }
}
