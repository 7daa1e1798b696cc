//! An application on an empty database, and a worker for it.

use std::sync::Arc;

use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::local::BcryptHasher;
use workscribe_core::outbox::{JobCounts, JobState};
use workscribe_core::ports::Secret;
use workscribe_core::{Settings, Storage, WorkScribe};
use workscribe_jobs::{Registry, Worker, WorkerOptions};
use workscribe_testkit::clock::FrozenClock;
use workscribe_testkit::databases;

pub(crate) fn ring(letter: &str) -> SecretRing {
    SecretRing::new(SecretKey::new(&Secret::new(letter.repeat(32))).unwrap(), Vec::new())
}

pub(crate) fn build(
    storage: Arc<dyn Storage>,
    clock: &FrozenClock,
    keys: SecretRing,
    settings: Settings,
) -> WorkScribe {
    WorkScribe::builder(storage, keys)
        .clock(Arc::new(clock.clone()))
        .hasher(Arc::new(BcryptHasher::new(4)))
        .settings(settings)
        .build()
}

pub(crate) async fn app() -> (WorkScribe, FrozenClock) {
    app_with(Settings::default()).await
}

pub(crate) async fn app_with(settings: Settings) -> (WorkScribe, FrozenClock) {
    let clock = FrozenClock::default();
    (build(databases::sqlite().await.storage, &clock, ring("k"), settings), clock)
}

pub(crate) fn worker(app: &WorkScribe, registry: Registry) -> Worker {
    Worker::new(app.clone(), registry, WorkerOptions::default())
}

pub(crate) async fn counts(app: &WorkScribe) -> JobCounts {
    let mut sum = JobCounts::default();
    for mut of in app.jobs().stats().await.unwrap() {
        for state in JobState::ALL {
            *sum.of(state) += *of.counts.of(state);
        }
    }
    sum
}
