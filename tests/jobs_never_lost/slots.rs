//! Schedules that three processes fire while one after the other is killed: each slot is fired once. Slots that pass while no
//! process runs follow the rule of their schedule.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use workscribe::WorkScribe;
use workscribe::clock::{Clock as _, Entropy as _, SystemEntropy, Timestamp};
use workscribe::outbox::{Job as _, JobState};
use workscribe_testkit::databases::{self, TestDatabase};

use crate::load::{all_jobs, application};
use crate::process::{FastClock, PATIENCE, Process, Tick};
use crate::until;

const WORKERS: usize = 3;
const KILLS: usize = 15;

/// The slots of each schedule for which jobs exist, in order.
async fn slots(app: &WorkScribe) -> BTreeMap<String, Vec<Timestamp>> {
    let mut slots: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for job in all_jobs(app).await.into_values().filter(|job| job.kind == Tick::KIND) {
        let tick: Tick = serde_json::from_value(job.payload).unwrap();
        slots.entry(tick.schedule).or_default().push(tick.slot);
    }
    for slots in slots.values_mut() {
        slots.sort_unstable();
        assert!(slots.is_sorted_by(|one, next| one < next), "no slot is fired twice");
    }
    slots
}

async fn is_fired_past(app: &WorkScribe, moment: Timestamp) {
    until("both schedules are fired", PATIENCE, async || {
        let slots = slots(app).await;
        slots.len() == 2 && slots.values().all(|slots| slots.last() > Some(&moment))
    })
    .await;
}

fn random(below: usize) -> usize {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % below as u64).unwrap()
}

async fn each_slot_is_fired_once_through_the_death_of_any_worker(database: TestDatabase) {
    let (app, clock, minute) = (application(&database.url).await, FastClock::new(), TimeDelta::minutes(1));
    let start = || Process::start(&database.url, "worker", 4, Some(clock));
    let mut workers: Vec<_> = (0..WORKERS).map(|_| start()).collect();
    is_fired_past(&app, clock.now()).await;
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(100 + random(200) as u64)).await;
        // First each of the three, and then random ones.
        let place = if kill < WORKERS { kill } else { random(WORKERS) };
        drop(std::mem::replace(&mut workers[place], start()));
    }
    is_fired_past(&app, clock.now()).await;

    workers.clear();
    let died = clock.now();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let returned = clock.now();
    workers.extend((0..WORKERS).map(|_| start()));
    is_fired_past(&app, returned + minute).await;
    workers.clear();

    let slots = slots(&app).await;
    let each = &slots["each"];
    assert!(each.len() > KILLS, "{} slots", each.len());
    assert!(each.windows(2).all(|pair| pair[1] - pair[0] == minute), "none is left out: {each:?}");
    // The latest of the missed slots is less than a minute old, so it is not among these.
    let missed = |slot: &&Timestamp| died < **slot && **slot <= returned - minute;
    assert!(each.iter().filter(missed).count() >= 2, "there were some to be missed");
    assert_eq!(slots["latest"].iter().filter(missed).count(), 0, "only the latest is caught up with");

    // The jobs are usual jobs: a worker that fires no schedules runs them.
    let _worker = Process::start(&database.url, "last", 4, None);
    until("every job is completed", PATIENCE, async || {
        all_jobs(&app).await.values().all(|job| job.state == JobState::Completed)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_slot_on_sqlite_is_fired_once_through_the_death_of_any_worker() {
    each_slot_is_fired_once_through_the_death_of_any_worker(databases::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_slot_on_postgres_is_fired_once_through_the_death_of_any_worker() {
    each_slot_is_fired_once_through_the_death_of_any_worker(databases::postgres().await).await;
}
