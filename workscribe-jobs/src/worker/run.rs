//! One attempt: run, stopped in time, and its last word.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use workscribe_core::outbox::{ClaimedJob, Ending, Held, Settled};

use super::ledger::{Stop, millis};
use super::shared::{Core, later};
use crate::backoff::backoff;
use crate::handler::{Failure, JobContext};

/// A stored reason is cut after this many characters.
const LONGEST_REASON: usize = 1_000;

impl Core {
    /// Runs one job, and gives its last word to the ledger.
    pub(crate) async fn run(self: Arc<Self>, job: ClaimedJob, stop: oneshot::Receiver<Stop>) {
        let started = Instant::now();
        let ending = if job.tries() > job.max_attempts {
            Some(self.ending(&job, Err(Failure::bury("spent: the worker died in the last attempt"))))
        } else {
            self.attempt(&job, stop).await
        };
        let ran = started.elapsed();
        let held = Held { id: job.id, attempt: job.attempt };
        let settled = ending.map(|ending| Settled { held, ending, at: self.app.now() });
        if settled.is_none() {
            tracing::warn!(
                job.id = %job.id, job.kind, job.attempt, outcome = "lease_lost", ms = millis(ran),
                "another worker may have taken the job over; this attempt was stopped"
            );
        }
        self.ledger.end(held, settled, ran, self.options.lease);
    }

    /// Runs the handler until its end, or until it is stopped; `None` when the lease was lost.
    async fn attempt(&self, job: &ClaimedJob, stop: oneshot::Receiver<Stop>) -> Option<Ending> {
        let Some(handler) = self.registry.get(&job.kind) else {
            return Some(self.ending(job, Err(Failure::retry("this worker has no handler of this kind"))));
        };
        let context = JobContext {
            app: self.app.clone(),
            id: job.id,
            attempt: job.tries(),
            max_attempts: job.max_attempts,
            created_at: job.created_at,
        };
        let payload = job.payload.clone();
        // A task of its own, so that a panic is caught and a handler that blocks stops nothing else. Dropping the set ends
        // the task.
        let mut task = JoinSet::new();
        task.spawn(async move { handler.handle(context, payload).await });
        let in_time = async {
            match job.timeout {
                Some(timeout) => sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            biased;
            ended = task.join_next() => match ended {
                Some(Ok(result)) => result,
                Some(Err(error)) => Err(ended_badly(&error)),
                None => Err(Failure::retry("the attempt was stopped")),
            },
            why = stop => match why {
                Ok(Stop::Cancelled) => return Some(Ending::Cancelled),
                Ok(Stop::GivenBack) => return Some(Ending::Snoozed { run_at: self.app.now() }),
                Ok(Stop::Lost) | Err(_) => return None,
            },
            () = in_time => Err(Failure::retry(too_long(job.timeout.unwrap_or_default()))),
        };
        Some(self.ending(job, result))
    }

    fn ending(&self, job: &ClaimedJob, result: Result<(), Failure>) -> Ending {
        let failure = match result {
            Ok(()) => return Ending::Completed,
            Err(failure) => failure,
        };
        match failure {
            Failure::Snooze { after } => Ending::Snoozed { run_at: later(self.app.now(), after) },
            Failure::Bury { reason } => Ending::Buried { error: clip(&reason) },
            Failure::Retry { reason, .. } if job.tries() >= job.max_attempts => {
                Ending::Buried { error: clip(&format!("spent after {} attempts: {reason}", job.tries())) }
            }
            Failure::Retry { reason, after } => {
                let wait = backoff(job.tries(), self.app.entropy()).max(after.unwrap_or_default());
                Ending::Retry { run_at: later(self.app.now(), wait), error: clip(&reason) }
            }
        }
    }
}

fn too_long(timeout: Duration) -> String {
    format!("it took longer than {} s and was stopped", timeout.as_secs_f64())
}

/// What a panic said is not kept, since it may quote the payload; the process's panic hook has shown it.
fn ended_badly(error: &JoinError) -> Failure {
    Failure::retry(if error.is_panic() { "the handler panicked" } else { "the attempt was stopped" })
}

fn clip(reason: &str) -> String {
    reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(clip("a\r\nb"), "a  b");
        assert_eq!(clip(&"ä".repeat(5_000)).chars().count(), LONGEST_REASON);
    }
}
