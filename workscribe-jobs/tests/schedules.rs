//! Schedules: one worker fires each slot, once.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::outbox::{Job, JobFilter};
use workscribe_core::ports::Secret;
use workscribe_core::{Storage, WorkScribe};
use workscribe_jobs::{CatchUp, Schedule, Schedules, workscribe_schedules};
use workscribe_testkit::clock::FrozenClock;
use workscribe_testkit::databases;

#[derive(Serialize, Deserialize)]
struct Report {
    slot: String,
}

impl Job for Report {
    const KIND: &'static str = "test.report";
}

fn application(storage: Arc<dyn Storage>) -> (WorkScribe, FrozenClock) {
    let clock = FrozenClock::default();
    let keys = SecretRing::new(SecretKey::new(&Secret::new("k".repeat(32))).unwrap(), Vec::new());
    (WorkScribe::builder(storage, keys).clock(Arc::new(clock.clone())).build(), clock)
}

async fn app() -> (WorkScribe, FrozenClock) {
    application(databases::sqlite().await.storage)
}

fn hourly(catch_up: CatchUp) -> Schedules {
    let schedule = Schedule::cron("report", "0 * * * *", "UTC", |slot| Report { slot: slot.to_rfc3339() });
    Schedules::new().with(schedule.unwrap().catch_up(catch_up))
}

/// The number of jobs. It checks that no slot has two.
async fn reports(app: &WorkScribe) -> usize {
    let jobs = app.jobs().list(&JobFilter::default(), None, 1_000).await.unwrap();
    let mut slots: Vec<_> = jobs.iter().map(|job| job.payload["slot"].to_string()).collect();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), jobs.len());
    jobs.len()
}

#[tokio::test]
async fn a_new_schedule_begins_now_and_missed_slots_follow_its_rule() {
    for (catch_up, expected) in [(CatchUp::Latest, 1), (CatchUp::Skip, 0), (CatchUp::Each(3), 3)] {
        let (app, clock) = app().await;
        let schedules = hourly(catch_up);
        assert_eq!(schedules.fire_due(&app).await.unwrap(), 0);
        // At half past, five hours later.
        let past = TimeDelta::seconds(app.now().timestamp().rem_euclid(3_600));
        clock.advance(TimeDelta::minutes(330) - past);
        assert_eq!(schedules.fire_due(&app).await.unwrap(), expected, "{catch_up:?}");
        assert_eq!(schedules.fire_due(&app).await.unwrap(), 0, "they are fired");
        clock.advance(TimeDelta::minutes(30));
        assert_eq!(schedules.fire_due(&app).await.unwrap(), 1, "this one was not missed");
    }
}

async fn each_slot_fires_once(database: databases::TestDatabase) {
    let (app, clock) = application(database.storage.clone());
    hourly(CatchUp::Latest).fire_due(&app).await.unwrap();
    for round in 1..=5 {
        clock.advance(TimeDelta::hours(1));
        let barrier = Arc::new(Barrier::new(8));
        let workers = (0..8).map(|_| {
            let (app, barrier) = (app.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                hourly(CatchUp::Latest).fire_due(&app).await.unwrap()
            })
        });
        let fired = futures_util::future::join_all(workers).await;
        assert_eq!(fired.into_iter().map(Result::unwrap).sum::<u64>(), 1);
        assert_eq!(reports(&app).await, round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_workers_on_postgres_one_fires_each_slot() {
    each_slot_fires_once(databases::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_workers_on_sqlite_one_fires_each_slot() {
    each_slot_fires_once(databases::sqlite().await).await;
}

#[tokio::test]
async fn what_has_expired_is_removed_every_hour() {
    let (app, clock) = app().await;
    let schedules = workscribe_schedules().unwrap();
    schedules.fire_due(&app).await.unwrap();
    for _ in 0..3 {
        clock.advance(TimeDelta::hours(1));
        assert_eq!(schedules.fire_due(&app).await.unwrap(), 1);
    }
}
