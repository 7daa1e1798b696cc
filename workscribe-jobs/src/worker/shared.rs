//! What a worker and its running jobs share.

use std::future::Future;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::timeout;
use workscribe_core::clock::Timestamp;
use workscribe_core::outbox::{Claim, ClaimedJob, Turn};
use workscribe_core::{Error, WorkScribe};

use super::ledger::Ledger;
use crate::options::WorkerOptions;
use crate::registry::Registry;

/// A storage that takes longer than this counts as one that does not answer.
pub(crate) const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Core {
    pub(crate) app: WorkScribe,
    pub(crate) registry: Registry,
    pub(crate) options: WorkerOptions,
    pub(crate) name: String,
    pub(crate) ledger: Ledger,
}

impl Core {
    pub(crate) fn new(app: WorkScribe, registry: Registry, options: WorkerOptions) -> Self {
        let name = options.name.clone().unwrap_or_else(|| {
            let mut random = [0; 4];
            app.entropy().fill(&mut random);
            format!("worker-{:08x}", u32::from_be_bytes(random))
        });
        Self { app, registry, options, name, ledger: Ledger::default() }
    }

    /// Claims up to `limit` jobs of a queue that are due.
    pub(crate) async fn claim(
        &self,
        queue: &str,
        limit: u32,
        turn: Turn<'_>,
    ) -> Result<Vec<ClaimedJob>, Error> {
        let kinds = self.registry.names();
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        answered(async {
            let now = self.app.now();
            let lease_until = now + self.lease();
            let mut uow = self.app.begin().await?;
            let claim = Claim { queue, kinds: &kinds, limit, worker: &self.name, now, lease_until, turn };
            let jobs = uow.jobs().claim(&claim).await?;
            self.app.commit(uow).await?;
            Ok(jobs)
        })
        .await
    }

    /// How long until the next job of a queue is due; `None` if none is waiting.
    pub(crate) async fn until_due(&self, queue: &str) -> Result<Option<Duration>, Error> {
        let kinds = self.registry.names();
        let due =
            answered(async { Ok(self.app.read().await?.jobs().next_due(queue, &kinds).await?) }).await?;
        Ok(due.map(|due| (due - self.app.now()).to_std().unwrap_or_default()))
    }

    pub(crate) fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.options.lease).unwrap_or(TimeDelta::seconds(60))
    }
}

/// The outcome of a storage call, or `SERVICE_UNAVAILABLE` when there is none in time.
pub(crate) async fn answered<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Error::unavailable(format!("no answer within {} s", STORAGE_TIMEOUT.as_secs()));
    timeout(STORAGE_TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))
}

pub(crate) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    // To whole microseconds, the precision of every storage.
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    now.checked_add_signed(TimeDelta::microseconds(micros)).unwrap_or(Timestamp::MAX_UTC)
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
}
