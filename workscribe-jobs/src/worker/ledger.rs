//! What a worker holds: its heartbeat, and the last words about attempts, written many at a time.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout};
use workscribe_core::Error;
use workscribe_core::outbox::{ClaimedJob, Ending, Held, Settled};

use super::metrics;
use super::shared::{Core, Pause, STORAGE_TIMEOUT, answered};
use crate::handler::with_sources;

/// A heartbeat comes at least this often, since it also brings the news that a job is to end.
const BEAT_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// How many words are written, or leases extended, in one statement.
const AT_ONCE: usize = 500;

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Another worker may have the job.
    Lost,
    /// Somebody asked for its end.
    Cancelled,
    /// The worker shuts down.
    GivenBack,
}

/// The attempts of a worker, from the claim until their last word is written.
#[derive(Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
    /// There are words to be written.
    changed: Notify,
    /// Nothing may be held any more.
    emptied: Notify,
}

#[derive(Default)]
struct State {
    held: HashMap<Held, Entry>,
    ended: Vec<Word>,
}

struct Entry {
    kind: String,
    /// Empty when the attempt has ended, or was stopped.
    stop: Option<oneshot::Sender<Stop>>,
}

/// The last word about an attempt, to be written.
#[derive(Clone)]
pub(crate) struct Word {
    pub(crate) settled: Settled,
    pub(crate) kind: String,
    pub(crate) ran: Duration,
    /// After this the job runs again anyway.
    deadline: Instant,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an attempt. What is returned says when it is to stop.
    pub(crate) fn begin(&self, job: &ClaimedJob) -> oneshot::Receiver<Stop> {
        let (stop, stopped) = oneshot::channel();
        let entry = Entry { kind: job.kind.clone(), stop: Some(stop) };
        self.lock().held.insert(Held { id: job.id, attempt: job.attempt }, entry);
        stopped
    }

    /// Takes the last word about an attempt; `None` when there is none, because another has the job.
    pub(crate) fn end(&self, held: Held, ending: Option<Settled>, ran: Duration, lease: Duration) {
        let mut state = self.lock();
        match (ending, state.held.get_mut(&held)) {
            (Some(settled), Some(entry)) => {
                entry.stop = None;
                let word = Word { settled, kind: entry.kind.clone(), ran, deadline: Instant::now() + lease };
                state.ended.push(word);
            }
            _ => drop(state.held.remove(&held)),
        }
        drop(state);
        self.changed.notify_one();
        self.emptied.notify_waiters();
    }

    /// Stops attempts that still run.
    pub(crate) fn stop_all(&self, why: Stop) {
        for entry in self.lock().held.values_mut() {
            if let Some(stop) = entry.stop.take() {
                // The attempt may have ended at this moment.
                let _ = stop.send(why);
            }
        }
    }

    fn stop(&self, held: Held, why: Stop) {
        if let Some(stop) = self.lock().held.get_mut(&held).and_then(|entry| entry.stop.take()) {
            let _ = stop.send(why);
        }
    }

    fn forget(&self, held: impl IntoIterator<Item = Held>) {
        let mut state = self.lock();
        for held in held {
            state.held.remove(&held);
        }
        drop(state);
        self.emptied.notify_waiters();
    }

    fn held(&self) -> Vec<Held> {
        self.lock().held.keys().copied().collect()
    }

    /// Waits until every last word is written.
    pub(crate) async fn emptied(&self) {
        loop {
            let mut changed = pin!(self.emptied.notified());
            changed.as_mut().enable();
            if self.lock().held.is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn take_ended(&self) -> Vec<Word> {
        let mut state = self.lock();
        let count = state.ended.len().min(AT_ONCE);
        state.ended.drain(..count).collect()
    }

    fn put_back(&self, words: Vec<Word>) {
        self.lock().ended.extend(words);
    }
}

impl Core {
    /// Writes last words as they come, for ever. While one statement is under way those that come gather for the next.
    pub(crate) async fn settle(&self) {
        let mut pause = Pause::default();
        loop {
            let words = self.ledger.take_ended();
            if words.is_empty() {
                // Told before or after this, it is remembered.
                self.ledger.changed.notified().await;
                continue;
            }
            match self.write(&words).await {
                Ok(()) => pause.reset(),
                Err(error) => {
                    let wait = pause.next();
                    tracing::error!(
                        error = with_sources(&error),
                        jobs = words.len(),
                        "the ends of jobs could not be written"
                    );
                    let (late, again): (Vec<_>, Vec<_>) =
                        words.into_iter().partition(|word| word.deadline <= Instant::now() + wait);
                    for word in &late {
                        tracing::error!(
                            job.id = %word.settled.held.id, job.kind = word.kind, job.attempt = word.settled.held.attempt,
                            "the end of the job could not be written within its lease; it runs again"
                        );
                    }
                    self.ledger.forget(late.into_iter().map(|word| word.settled.held));
                    self.ledger.put_back(again);
                    sleep(wait).await;
                }
            }
        }
    }

    /// Writes everything that is there, and answers when nothing is held any more.
    pub(crate) async fn settle_rest(&self) {
        tokio::select! {
            () = self.settle() => {}
            () = self.ledger.emptied() => {}
        }
    }

    async fn write(&self, words: &[Word]) -> Result<(), Error> {
        let settled: Vec<Settled> = words.iter().map(|word| word.settled.clone()).collect();
        let taken = answered(async {
            let mut uow = self.app.begin().await?;
            let taken = uow.jobs().settle(&settled).await?;
            self.app.commit(uow).await?;
            Ok(taken)
        })
        .await?;
        for word in words {
            if taken.binary_search(&word.settled.held.id).is_ok() {
                metrics::ended(word);
                log(word);
            } else {
                tracing::warn!(
                    job.id = %word.settled.held.id, job.kind = word.kind, job.attempt = word.settled.held.attempt,
                    outcome = "lease_lost", ms = millis(word.ran), "another worker has taken the job over; its word counts"
                );
            }
        }
        self.ledger.forget(words.iter().map(|word| word.settled.held));
        Ok(())
    }

    /// Keeps the claims of everything that is held, for ever, and hears what is to end.
    pub(crate) async fn beat(&self) {
        loop {
            sleep((self.options.lease / 3).min(BEAT_AT_LEAST_EVERY)).await;
            for held in self.ledger.held().chunks(AT_ONCE) {
                let extended = timeout(STORAGE_TIMEOUT.min(self.options.lease / 3), self.extend(held)).await;
                match extended.unwrap_or_else(|_| Err(Error::unavailable("no answer in time"))) {
                    Ok(still) => {
                        for held in held {
                            match still.binary_search_by_key(&held.id, |job| job.id).map(|at| still[at]) {
                                Ok(job) if job.cancel_requested => self.ledger.stop(*held, Stop::Cancelled),
                                Ok(_) => {}
                                Err(_) => self.ledger.stop(*held, Stop::Lost),
                            }
                        }
                    }
                    // Asked again at the next beat: a storage that does not answer takes no job away.
                    Err(error) => tracing::warn!(
                        error = with_sources(&error),
                        jobs = held.len(),
                        "leases could not be extended"
                    ),
                }
            }
        }
    }

    async fn extend(&self, held: &[Held]) -> Result<Vec<workscribe_core::outbox::HeldJob>, Error> {
        let mut uow = self.app.begin().await?;
        let still = uow.jobs().extend(held, self.app.now() + self.lease()).await?;
        self.app.commit(uow).await?;
        Ok(still)
    }
}

fn log(word: &Word) {
    let Word { settled: Settled { held, ending, .. }, kind, ran, .. } = word;
    let (id, attempt, ms) = (held.id, held.attempt, millis(*ran));
    match ending {
        Ending::Completed => tracing::info!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "completed", ms, "job done"
        ),
        Ending::Retry { run_at, error } => tracing::warn!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "retry", ms, %run_at, reason = error,
            "job failed"
        ),
        Ending::Snoozed { run_at } => tracing::info!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "snoozed", ms, %run_at, "job put off"
        ),
        Ending::Cancelled => tracing::warn!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "cancelled", ms, "job stopped by a person"
        ),
        Ending::Buried { error } => tracing::error!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "buried", ms, reason = error,
            "job given up"
        ),
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
