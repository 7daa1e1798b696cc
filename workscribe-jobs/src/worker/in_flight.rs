//! The attempts in flight: the heartbeat that extends their leases, and the settlements, written in batches.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout};
use workscribe_core::Error;
use workscribe_core::outbox::{AttemptId, ClaimedJob, ExtendedLease, Outcome, Settlement};

use super::inner::WorkerInner;
use super::metrics;
use super::storage::{STORAGE_TIMEOUT, StorageBackoff, with_timeout};
use crate::handler::with_sources;

/// The maximum time between two heartbeats. A heartbeat also finds out which jobs an operator cancels.
const MAX_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// The maximum number of settlements or leases in one statement.
const BATCH_SIZE: usize = 500;

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The lease is lost: another worker may have claimed the job.
    LeaseLost,
    /// An operator cancels the job.
    Cancelled,
    /// The worker shuts down and releases the job.
    Shutdown,
}

/// The attempts of a worker, from the claim until their settlement is written.
#[derive(Default)]
pub(crate) struct InFlight {
    state: Mutex<State>,
    /// Signals that settlements wait to be written.
    changed: Notify,
    /// Signals that an attempt was removed, so there may be none left.
    removed: Notify,
}

#[derive(Default)]
struct State {
    attempts: HashMap<AttemptId, Entry>,
    pending: Vec<PendingSettlement>,
}

struct Entry {
    kind: String,
    /// Empty when the attempt has ended or was stopped.
    stop: Option<oneshot::Sender<StopReason>>,
}

/// A settlement that is not yet written.
#[derive(Clone)]
pub(crate) struct PendingSettlement {
    pub(crate) settlement: Settlement,
    pub(crate) kind: String,
    /// How long the attempt ran.
    pub(crate) ran: Duration,
    /// When the lease expires, so that the job runs again in any case.
    deadline: Instant,
}

impl PendingSettlement {
    fn attempt(&self) -> AttemptId {
        self.settlement.attempt
    }
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an attempt. The returned channel receives the reason when the attempt must stop.
    pub(crate) fn add(&self, job: &ClaimedJob) -> oneshot::Receiver<StopReason> {
        let (stop, stopped) = oneshot::channel();
        let entry = Entry { kind: job.kind.clone(), stop: Some(stop) };
        self.lock().attempts.insert(AttemptId { id: job.id, attempt: job.attempt }, entry);
        stopped
    }

    /// Ends an attempt. `settlement` is `None` when the lease was lost, and then there is nothing to write.
    pub(crate) fn end(
        &self,
        attempt: AttemptId,
        settlement: Option<Settlement>,
        ran: Duration,
        lease: Duration,
    ) {
        let mut state = self.lock();
        match (settlement, state.attempts.get_mut(&attempt)) {
            (Some(settlement), Some(entry)) => {
                entry.stop = None;
                let (kind, deadline) = (entry.kind.clone(), Instant::now() + lease);
                state.pending.push(PendingSettlement { settlement, kind, ran, deadline });
            }
            _ => drop(state.attempts.remove(&attempt)),
        }
        drop(state);
        self.changed.notify_one();
        self.removed.notify_waiters();
    }

    /// Stops all attempts that still run.
    pub(crate) fn stop_all(&self, reason: StopReason) {
        for entry in self.lock().attempts.values_mut() {
            if let Some(stop) = entry.stop.take() {
                // The attempt may have ended at this moment.
                let _ = stop.send(reason);
            }
        }
    }

    fn stop(&self, attempt: AttemptId, reason: StopReason) {
        if let Some(stop) = self.lock().attempts.get_mut(&attempt).and_then(|entry| entry.stop.take()) {
            let _ = stop.send(reason);
        }
    }

    fn remove(&self, attempts: impl IntoIterator<Item = AttemptId>) {
        let mut state = self.lock();
        for attempt in attempts {
            state.attempts.remove(&attempt);
        }
        drop(state);
        self.removed.notify_waiters();
    }

    fn attempts(&self) -> Vec<AttemptId> {
        self.lock().attempts.keys().copied().collect()
    }

    /// Waits until no attempt is in flight, so every settlement is written.
    pub(crate) async fn emptied(&self) {
        loop {
            let mut removed = pin!(self.removed.notified());
            removed.as_mut().enable();
            if self.lock().attempts.is_empty() {
                return;
            }
            removed.await;
        }
    }

    fn take_pending(&self) -> Vec<PendingSettlement> {
        let mut state = self.lock();
        let count = state.pending.len().min(BATCH_SIZE);
        state.pending.drain(..count).collect()
    }

    fn put_back(&self, pending: Vec<PendingSettlement>) {
        self.lock().pending.extend(pending);
    }
}

impl WorkerInner {
    /// Writes settlements as they arrive; never returns. Settlements that arrive during a statement form the next batch.
    pub(crate) async fn settle(&self) {
        let mut backoff = StorageBackoff::default();
        loop {
            let batch = self.in_flight.take_pending();
            if batch.is_empty() {
                // `notify_one` stores a permit, so a signal that comes before this line is not lost.
                self.in_flight.changed.notified().await;
                continue;
            }
            match self.write(&batch).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    let wait = backoff.next();
                    tracing::error!(
                        error = with_sources(&error),
                        jobs = batch.len(),
                        "the ends of jobs could not be written"
                    );
                    let (late, again): (Vec<_>, Vec<_>) =
                        batch.into_iter().partition(|pending| pending.deadline <= Instant::now() + wait);
                    for pending in &late {
                        let AttemptId { id, attempt } = pending.attempt();
                        tracing::error!(
                            job.id = %id, job.kind = pending.kind, job.attempt = attempt,
                            "the end of the job could not be written within its lease; it runs again"
                        );
                    }
                    self.in_flight.remove(late.iter().map(PendingSettlement::attempt));
                    self.in_flight.put_back(again);
                    sleep(wait).await;
                }
            }
        }
    }

    /// Writes settlements until no attempt is in flight.
    pub(crate) async fn settle_rest(&self) {
        tokio::select! {
            () = self.settle() => {}
            () = self.in_flight.emptied() => {}
        }
    }

    async fn write(&self, batch: &[PendingSettlement]) -> Result<(), Error> {
        let settlements: Vec<Settlement> = batch.iter().map(|pending| pending.settlement.clone()).collect();
        let accepted = with_timeout(async {
            let mut uow = self.app.begin().await?;
            let accepted = uow.jobs().settle(&settlements).await?;
            self.app.commit(uow).await?;
            Ok(accepted)
        })
        .await?;
        for pending in batch {
            let AttemptId { id, attempt } = pending.attempt();
            if accepted.binary_search(&id).is_ok() {
                metrics::settled(pending);
                log(pending);
            } else {
                tracing::warn!(
                    job.id = %id, job.kind = pending.kind, job.attempt = attempt, outcome = "lease_lost",
                    ms = millis(pending.ran), "another worker has taken over the job; its outcome counts"
                );
            }
        }
        self.in_flight.remove(batch.iter().map(PendingSettlement::attempt));
        Ok(())
    }

    /// Extends the leases of all attempts in flight and stops the cancelled ones; never returns.
    pub(crate) async fn heartbeat(&self) {
        loop {
            sleep((self.options.lease / 3).min(MAX_HEARTBEAT_INTERVAL)).await;
            for attempts in self.in_flight.attempts().chunks(BATCH_SIZE) {
                let call = timeout(STORAGE_TIMEOUT.min(self.options.lease / 3), self.extend(attempts)).await;
                match call.unwrap_or_else(|_| Err(Error::unavailable("no answer in time"))) {
                    Ok(leases) => {
                        for attempt in attempts {
                            let lease = leases.binary_search_by_key(&attempt.id, |lease| lease.id);
                            match lease.map(|at| leases[at]) {
                                Ok(lease) if lease.cancel_requested => {
                                    self.in_flight.stop(*attempt, StopReason::Cancelled);
                                }
                                Ok(_) => {}
                                Err(_) => self.in_flight.stop(*attempt, StopReason::LeaseLost),
                            }
                        }
                    }
                    // The next heartbeat tries again. An unavailable storage stops no attempt.
                    Err(error) => tracing::warn!(
                        error = with_sources(&error),
                        jobs = attempts.len(),
                        "leases could not be extended"
                    ),
                }
            }
        }
    }

    async fn extend(&self, attempts: &[AttemptId]) -> Result<Vec<ExtendedLease>, Error> {
        let mut uow = self.app.begin().await?;
        let leases = uow.jobs().extend(attempts, self.app.now() + self.lease()).await?;
        self.app.commit(uow).await?;
        Ok(leases)
    }
}

fn log(pending: &PendingSettlement) {
    let PendingSettlement { settlement: Settlement { attempt, outcome, .. }, kind, ran, .. } = pending;
    let (AttemptId { id, attempt }, ms) = (attempt, millis(*ran));
    match outcome {
        Outcome::Completed => tracing::info!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "completed", ms, "job completed"
        ),
        Outcome::Retry { run_at, error } => tracing::warn!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "retry", ms, %run_at, reason = error,
            "job failed"
        ),
        Outcome::Snoozed { run_at } => tracing::info!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "snoozed", ms, %run_at, "job snoozed"
        ),
        Outcome::Cancelled => tracing::warn!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "cancelled", ms, "job cancelled by an operator"
        ),
        Outcome::Buried { error } => tracing::error!(
            job.id = %id, job.kind = kind, job.attempt = attempt, outcome = "buried", ms, reason = error,
            "job buried"
        ),
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
