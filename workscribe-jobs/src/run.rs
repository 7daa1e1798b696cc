//! One job: claimed, kept alive, run, and what is written about it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use workscribe_core::clock::Timestamp;
use workscribe_core::outbox::ClaimedJob;
use workscribe_core::{Error, WorkScribe};

use crate::backoff::backoff;
use crate::handler::{Failure, JobContext, with_sources};
use crate::registry::Registry;
use crate::worker::WorkerOptions;

/// A storage that takes longer than this counts as one that does not answer.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// A stored reason is cut after this many characters.
const LONGEST_REASON: usize = 1_000;

/// What a worker and its running jobs share.
pub(crate) struct Core {
    pub(crate) app: WorkScribe,
    pub(crate) registry: Registry,
    pub(crate) options: WorkerOptions,
}

/// The last word about an attempt.
enum Word {
    Complete,
    Retry { run_at: Timestamp, reason: String },
    Bury { reason: String },
}

impl Core {
    /// Claims up to `limit` jobs that are due.
    pub(crate) async fn claim(&self, limit: u32) -> Result<Vec<ClaimedJob>, Error> {
        let kinds: Vec<_> = self.registry.kinds().collect();
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        answered(async {
            let now = self.app.now();
            let mut uow = self.app.begin().await?;
            let jobs = uow.jobs().claim(&kinds, limit, now, now + self.lease()).await?;
            self.app.commit(uow).await?;
            Ok(jobs)
        })
        .await
    }

    /// How long until the next job is due; `None` if none is waiting.
    pub(crate) async fn until_due(&self) -> Result<Option<Duration>, Error> {
        let kinds: Vec<_> = self.registry.kinds().collect();
        let due = answered(async { Ok(self.app.read().await?.jobs().next_due(&kinds).await?) }).await?;
        Ok(due.map(|due| (due - self.app.now()).to_std().unwrap_or_default()))
    }

    /// Runs one job and writes down how it ended.
    pub(crate) async fn run(self: Arc<Self>, job: ClaimedJob) {
        let started = Instant::now();
        let result = if job.attempt > job.max_attempts {
            Err(Failure::bury("spent: the worker died or was stopped in the last attempt"))
        } else if let Some(result) = self.attempt(&job).await {
            result
        } else {
            tracing::warn!(
                job.id = %job.id, job.kind, job.attempt, outcome = "lease_lost", ms = millis(started),
                "another worker may have taken the job over; this attempt was stopped"
            );
            return;
        };
        self.settle(&job, result, started).await;
    }

    /// Runs the handler and keeps the lease; `None` when the lease was lost.
    async fn attempt(&self, job: &ClaimedJob) -> Option<Result<(), Failure>> {
        let Some(handler) = self.registry.get(&job.kind) else {
            return Some(Err(Failure::retry("this worker has no handler of this kind")));
        };
        let context = JobContext { app: self.app.clone(), id: job.id, attempt: job.attempt };
        let payload = job.payload.clone();
        // A task of its own, so that a panic is caught and a blocking handler does not stop the heartbeat. Dropping
        // the set ends the task.
        let mut task = JoinSet::new();
        task.spawn(async move { handler.handle(context, payload).await });
        loop {
            tokio::select! {
                ended = task.join_next() => return Some(match ended {
                    Some(Ok(result)) => result,
                    Some(Err(error)) => Err(ended_badly(&error)),
                    None => Err(Failure::retry("the attempt was stopped")),
                }),
                () = sleep(self.options.lease / 3) => if !self.extend(job).await { return None },
            }
        }
    }

    /// `false` when the lease is known to be lost. A storage that does not answer is asked again at the next beat.
    async fn extend(&self, job: &ClaimedJob) -> bool {
        let extended = answered(async {
            let mut uow = self.app.begin().await?;
            let until = self.app.now() + self.lease();
            let held = uow.jobs().extend(job.id, job.attempt, until).await?;
            self.app.commit(uow).await?;
            Ok(held)
        });
        match extended.await {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!(
                    job.id = %job.id, job.kind, job.attempt, error = with_sources(&error),
                    "the lease could not be extended"
                );
                true
            }
        }
    }

    /// Writes down how an attempt ended. With the storage gone it tries for one lease; after that the job runs again.
    async fn settle(&self, job: &ClaimedJob, result: Result<(), Failure>, started: Instant) {
        let (ms, deadline) = (millis(started), Instant::now() + self.options.lease);
        let word = self.word(job, result);
        let mut pause = Pause::default();
        loop {
            match self.say(job, &word).await {
                Ok(true) => return log(job, &word, ms),
                Ok(false) => {
                    tracing::warn!(
                        job.id = %job.id, job.kind, job.attempt, outcome = "lease_lost", ms,
                        "another worker has taken the job over; its word counts"
                    );
                    return;
                }
                Err(error) => {
                    let wait = pause.next();
                    tracing::error!(
                        job.id = %job.id, job.kind, job.attempt, error = with_sources(&error),
                        "the end of the job could not be written"
                    );
                    if Instant::now() + wait >= deadline {
                        return;
                    }
                    sleep(wait).await;
                }
            }
        }
    }

    fn word(&self, job: &ClaimedJob, result: Result<(), Failure>) -> Word {
        match result {
            Ok(()) => Word::Complete,
            Err(Failure::Retry { reason, after }) if job.attempt < job.max_attempts => {
                let wait = backoff(job.attempt, self.app.entropy()).max(after.unwrap_or_default());
                Word::Retry { run_at: later(self.app.now(), wait), reason: clip(&reason) }
            }
            Err(Failure::Retry { reason, .. } | Failure::Bury { reason }) => {
                Word::Bury { reason: clip(&reason) }
            }
        }
    }

    async fn say(&self, job: &ClaimedJob, word: &Word) -> Result<bool, Error> {
        answered(async {
            let mut uow = self.app.begin().await?;
            let now = self.app.now();
            let taken = match word {
                Word::Complete => uow.jobs().complete(job.id, job.attempt, now).await?,
                Word::Retry { run_at, reason } => {
                    uow.jobs().retry(job.id, job.attempt, *run_at, reason).await?
                }
                Word::Bury { reason } => uow.jobs().bury(job.id, job.attempt, now, reason).await?,
            };
            self.app.commit(uow).await?;
            Ok(taken)
        })
        .await
    }

    /// Gives a job back that was stopped, for the next worker to run at once. Without success its lease runs out.
    pub(crate) async fn give_back(&self, job: &ClaimedJob) {
        let word = Word::Retry { run_at: self.app.now(), reason: "the worker was stopped".to_owned() };
        match self.say(job, &word).await {
            Ok(true) => tracing::warn!(
                job.id = %job.id, job.kind, job.attempt, outcome = "given_back",
                "the job was stopped and given back"
            ),
            Ok(false) => {}
            Err(error) => tracing::error!(
                job.id = %job.id, job.kind, job.attempt, error = with_sources(&error),
                "the job was stopped and could not be given back; it runs again after its lease"
            ),
        }
    }

    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.options.lease).unwrap_or(TimeDelta::seconds(60))
    }
}

fn log(job: &ClaimedJob, word: &Word, ms: u64) {
    match word {
        Word::Complete => tracing::info!(
            job.id = %job.id, job.kind, job.attempt, outcome = "completed", ms, "job done"
        ),
        Word::Retry { run_at, reason } => tracing::warn!(
            job.id = %job.id, job.kind, job.attempt, outcome = "retry", ms, %run_at, reason, "job failed"
        ),
        Word::Bury { reason } => tracing::error!(
            job.id = %job.id, job.kind, job.attempt, outcome = "buried", ms, reason, "job given up"
        ),
    }
}

/// What a panic said is not kept, since it may quote the payload; the process's panic hook has shown it.
fn ended_badly(error: &JoinError) -> Failure {
    Failure::retry(if error.is_panic() { "the handler panicked" } else { "the attempt was stopped" })
}

/// The outcome of a storage call, or `SERVICE_UNAVAILABLE` when there is none in time.
async fn answered<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Error::unavailable(format!("no answer within {} s", STORAGE_TIMEOUT.as_secs()));
    timeout(STORAGE_TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    // To whole microseconds, the precision of every storage.
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    now.checked_add_signed(TimeDelta::microseconds(micros)).unwrap_or(Timestamp::MAX_UTC)
}

fn clip(reason: &str) -> String {
    reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect()
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// How long to wait for a storage to come back: 1 s, doubling to 10 s.
#[derive(Default)]
pub(crate) struct Pause(u32);

impl Pause {
    pub(crate) fn next(&mut self) -> Duration {
        let seconds = 1_u64 << self.0.min(4);
        self.0 += 1;
        Duration::from_secs(seconds.min(10))
    }

    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// Whether the last call failed.
    pub(crate) fn is_on(&self) -> bool {
        self.0 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_to_ten_seconds() {
        let mut pause = Pause::default();
        let seconds: Vec<_> = (0..6).map(|_| pause.next().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
        pause.reset();
        assert_eq!(pause.next().as_secs(), 1);
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(clip("a\r\nb"), "a  b");
        assert_eq!(clip(&"ä".repeat(5_000)).chars().count(), LONGEST_REASON);
    }
}
