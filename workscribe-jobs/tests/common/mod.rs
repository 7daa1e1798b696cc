//! An application in memory, and a worker for it.

use std::sync::Arc;

use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::local::BcryptHasher;
use workscribe_core::outbox::{JobCounts, JobState};
use workscribe_core::ports::Secret;
use workscribe_core::{Settings, WorkScribe};
use workscribe_jobs::{Registry, Worker, WorkerOptions};
use workscribe_testkit::clock::FrozenClock;
use workscribe_testkit::memory::MemoryStorage;

pub(crate) fn ring(letter: &str) -> SecretRing {
    SecretRing::new(SecretKey::new(&Secret::new(letter.repeat(32))).unwrap(), Vec::new())
}

pub(crate) fn build(
    storage: &MemoryStorage,
    clock: &FrozenClock,
    keys: SecretRing,
    settings: Settings,
) -> WorkScribe {
    WorkScribe::builder(Arc::new(storage.clone()), keys)
        .clock(Arc::new(clock.clone()))
        .hasher(Arc::new(BcryptHasher::new(4)))
        .settings(settings)
        .build()
}

pub(crate) fn app() -> (WorkScribe, FrozenClock) {
    let clock = FrozenClock::default();
    (build(&MemoryStorage::new(), &clock, ring("k"), Settings::default()), clock)
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
