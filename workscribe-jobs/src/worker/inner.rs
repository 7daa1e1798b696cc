//! What the tasks of a worker share: [`WorkerInner`], and its calls to claim jobs.

use std::time::Duration;

use chrono::TimeDelta;
use workscribe_core::outbox::{Claim, ClaimedJob, Turn};
use workscribe_core::{Error, WorkScribe};

use super::in_flight::InFlight;
use super::storage::with_timeout;
use crate::options::WorkerOptions;
use crate::registry::Registry;

/// The part of a [`Worker`](crate::Worker) that its tasks share.
pub(crate) struct WorkerInner {
    pub(crate) app: WorkScribe,
    pub(crate) registry: Registry,
    pub(crate) options: WorkerOptions,
    pub(crate) name: String,
    pub(crate) in_flight: InFlight,
}

impl WorkerInner {
    pub(crate) fn new(app: WorkScribe, registry: Registry, options: WorkerOptions) -> Self {
        let name = options.name.clone().unwrap_or_else(|| {
            let mut random = [0; 4];
            app.entropy().fill(&mut random);
            format!("worker-{:08x}", u32::from_be_bytes(random))
        });
        Self { app, registry, options, name, in_flight: InFlight::default() }
    }

    /// Claims up to `limit` due jobs of a queue.
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
        with_timeout(async {
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

    /// The time until the next job of a queue is due; `None` if no job waits.
    pub(crate) async fn until_due(&self, queue: &str) -> Result<Option<Duration>, Error> {
        let kinds = self.registry.names();
        let due =
            with_timeout(async { Ok(self.app.read().await?.jobs().next_due(queue, &kinds).await?) }).await?;
        Ok(due.map(|due| (due - self.app.now()).to_std().unwrap_or_default()))
    }

    pub(crate) fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.options.lease).unwrap_or(TimeDelta::seconds(60))
    }
}
