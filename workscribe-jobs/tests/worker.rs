//! The worker: attempts, outcomes, leases, shutdown, and the shares of organizations.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{Claim, Job, JobCounts, JobFilter, NewJob, Turn};
use workscribe_core::{NotReady, Storage, StoreError, UnitOfWork, WorkScribe};
use workscribe_jobs::{JobContext, JobError, Registry, Worker, WorkerOptions};
use workscribe_testkit::databases;

use common::{app, counts, ring, worker};

#[derive(Serialize, Deserialize)]
struct Probe {
    number: u32,
}

impl Job for Probe {
    const KIND: &'static str = "test.probe";
    const MAX_ATTEMPTS: u32 = 3;
}

#[derive(Serialize, Deserialize)]
struct Unknown {}

impl Job for Unknown {
    const KIND: &'static str = "test.unknown";
}

async fn enqueue<J: Job>(app: &WorkScribe, job: &J) -> JobId {
    let mut uow = app.begin().await.unwrap();
    let id = app.enqueue(&mut *uow, job).await.unwrap();
    app.commit(uow).await.unwrap();
    id
}

/// The claim of another worker, which then crashes.
fn another(app: &WorkScribe, lease_until: Timestamp) -> Claim<'static> {
    let (queue, worker, now) = ("default", "another", app.now());
    Claim { queue, kinds: &[Probe::KIND], limit: 1, worker, now, lease_until, turn: Turn::default() }
}

/// A registry whose handler counts its calls and returns the given result.
fn probing(result: fn(u32) -> Result<(), JobError>) -> (Registry, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let registry = Registry::new().register::<Probe>(move |context: JobContext, _: Probe| {
        let call = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            assert_eq!(context.attempt, call, "the attempts are counted from 1");
            result(call)
        }
    });
    (registry, calls)
}

#[tokio::test]
async fn a_committed_job_runs_once_and_a_rolled_back_one_never() {
    let (app, _) = app().await;
    let (registry, calls) = probing(|_| Ok(()));
    let worker = worker(&app, registry);
    let mut uow = app.begin().await.unwrap();
    app.enqueue(&mut *uow, &Probe { number: 1 }).await.unwrap();
    drop(uow);
    assert_eq!(worker.drain().await.unwrap(), 0);
    enqueue(&app, &Probe { number: 2 }).await;
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(worker.drain().await.unwrap(), 0);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(counts(&app).await, JobCounts { completed: 1, ..JobCounts::default() });
}

#[tokio::test]
async fn a_failed_job_runs_again_after_its_back_off() {
    let (app, clock) = app().await;
    let (registry, _) = probing(|call| if call < 3 { Err(JobError::retry("not yet")) } else { Ok(()) });
    let worker = worker(&app, registry);
    enqueue(&app, &Probe { number: 1 }).await;
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(worker.drain().await.unwrap(), 0, "it waits");
    clock.advance(TimeDelta::milliseconds(1_100));
    assert_eq!(worker.drain().await.unwrap(), 1);
    clock.advance(TimeDelta::milliseconds(14_300));
    assert_eq!(worker.drain().await.unwrap(), 0, "2⁴ s, less a tenth");
    clock.advance(TimeDelta::milliseconds(3_400));
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(counts(&app).await.completed, 1);
}

#[tokio::test]
async fn a_longer_wish_of_the_handler_is_kept() {
    let (app, clock) = app().await;
    let (registry, _) =
        probing(|_| Err(JobError::Retry { reason: "busy".into(), after: Some(Duration::from_secs(100)) }));
    let worker = worker(&app, registry);
    enqueue(&app, &Probe { number: 1 }).await;
    worker.drain().await.unwrap();
    clock.advance(TimeDelta::seconds(99));
    assert_eq!(worker.drain().await.unwrap(), 0);
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(worker.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn a_panic_is_one_failed_attempt() {
    let (app, clock) = app().await;
    let (registry, calls) = probing(|call| if call == 1 { panic!("a fault of the handler") } else { Ok(()) });
    let worker = worker(&app, registry);
    enqueue(&app, &Probe { number: 1 }).await;
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(counts(&app).await.available, 1);
    clock.advance(TimeDelta::seconds(2));
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(counts(&app).await.completed, 1);
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_buried_at_once() {
    let (app, _) = app().await;
    let (registry, calls) = probing(|_| Ok(()));
    let mut uow = app.begin().await.unwrap();
    let mut job = NewJob::now(app.new_id(), &Probe { number: 1 }, app.now()).unwrap();
    job.payload = serde_json::json!({ "number": "one" });
    uow.outbox().enqueue(&[job]).await.unwrap();
    app.commit(uow).await.unwrap();
    assert_eq!(worker(&app, registry).drain().await.unwrap(), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(counts(&app).await.buried, 1);
}

#[tokio::test]
async fn a_spent_job_and_one_that_is_given_up_are_buried() {
    let (app, clock) = app().await;
    let (registry, calls) = probing(|_| Err(JobError::retry("never")));
    let busy = worker(&app, registry);
    enqueue(&app, &Probe { number: 1 }).await;
    for _ in 0..5 {
        busy.drain().await.unwrap();
        clock.advance(TimeDelta::days(1));
    }
    assert_eq!(calls.load(Ordering::SeqCst), Probe::MAX_ATTEMPTS);
    assert_eq!(counts(&app).await.buried, 1);

    let (registry, calls) = probing(|_| Err(JobError::bury("nonsense")));
    enqueue(&app, &Probe { number: 2 }).await;
    worker(&app, registry).drain().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(counts(&app).await.buried, 2);
}

#[tokio::test]
async fn a_job_that_kills_its_worker_each_time_is_buried() {
    let (app, clock) = app().await;
    let (registry, calls) = probing(|_| Ok(()));
    enqueue(&app, &Probe { number: 1 }).await;
    // Workers that claim the job and then crash.
    for _ in 0..Probe::MAX_ATTEMPTS {
        let mut uow = app.begin().await.unwrap();
        let until = app.now() + TimeDelta::seconds(60);
        assert_eq!(uow.jobs().claim(&another(&app, until)).await.unwrap().len(), 1);
        app.commit(uow).await.unwrap();
        clock.advance(TimeDelta::seconds(61));
    }
    worker(&app, registry).drain().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(counts(&app).await.buried, 1);
}

#[tokio::test]
async fn unknown_kinds_are_left_alone() {
    let (app, _) = app().await;
    let (registry, _) = probing(|_| Ok(()));
    enqueue(&app, &Unknown {}).await;
    assert_eq!(worker(&app, registry).drain().await.unwrap(), 0);
    assert_eq!(worker(&app, Registry::new()).drain().await.unwrap(), 0);
    assert_eq!(counts(&app).await.available, 1);
}

#[tokio::test]
async fn a_worker_whose_lease_is_gone_stops_and_does_not_finish_the_job() {
    let (app, clock) = app().await;
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let registry = Registry::new().register::<Probe>(move |_: JobContext, _: Probe| {
        let inside = Arc::clone(&inside);
        async move {
            inside.notify_one();
            pending().await
        }
    });
    let options = WorkerOptions { lease: Duration::from_millis(300), ..WorkerOptions::default() };
    let stale = Worker::new(app.clone(), registry, options);
    enqueue(&app, &Probe { number: 1 }).await;
    let running = tokio::spawn(async move { stale.drain().await });
    entered.notified().await;
    // Another worker takes over the job, before the next heartbeat of the stale worker.
    clock.advance(TimeDelta::seconds(61));
    let mut uow = app.begin().await.unwrap();
    let until = app.now() + TimeDelta::seconds(60);
    let taken = uow.jobs().claim(&another(&app, until)).await.unwrap();
    app.commit(uow).await.unwrap();
    assert_eq!(taken[0].attempt, 2);
    assert_eq!(timeout(Duration::from_secs(5), running).await.unwrap().unwrap().unwrap(), 1);
    assert_eq!(counts(&app).await.running, 1, "it is the other's now");
}

#[tokio::test]
async fn a_long_job_keeps_its_lease() {
    let (app, clock) = app().await;
    let registry = Registry::new().register::<Probe>(|_: JobContext, _: Probe| async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Ok(())
    });
    let options = WorkerOptions { lease: Duration::from_millis(600), ..WorkerOptions::default() };
    let worker = Worker::new(app.clone(), registry, options);
    enqueue(&app, &Probe { number: 1 }).await;
    let other = worker.clone();
    let running = tokio::spawn(async move { worker.drain().await });
    // The clock advances by more than a lease, in steps that the heartbeat follows.
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        clock.advance(TimeDelta::milliseconds(100));
        assert_eq!(other.drain().await.unwrap(), 0, "nobody else may have it");
    }
    assert_eq!(running.await.unwrap().unwrap(), 1);
    assert_eq!(counts(&app).await.completed, 1);
}

/// A worker that runs until the sender sends.
fn start(
    app: &WorkScribe,
    registry: Registry,
    options: WorkerOptions,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = Worker::new(app.clone(), registry, options);
    let running = tokio::spawn(async move {
        worker
            .run(async {
                drop(stopped.await);
            })
            .await;
    });
    (stop, running)
}

#[tokio::test]
async fn a_shutdown_waits_for_the_running_job_and_a_commit_wakes_the_worker() {
    let (app, _) = app().await;
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let registry = Registry::new().register::<Probe>(move |_: JobContext, _: Probe| {
        let inside = Arc::clone(&inside);
        async move {
            inside.notify_one();
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(())
        }
    });
    let never = WorkerOptions { poll: Duration::from_secs(3_600), ..WorkerOptions::default() };
    let (stop, running) = start(&app, registry, never);
    tokio::time::sleep(Duration::from_millis(50)).await;
    enqueue(&app, &Probe { number: 1 }).await;
    timeout(Duration::from_secs(5), entered.notified()).await.expect("the commit woke it");
    stop.send(()).unwrap();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    assert_eq!(counts(&app).await.completed, 1);
}

#[tokio::test]
async fn a_shutdown_gives_back_what_takes_too_long() {
    let (app, _) = app().await;
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let registry = Registry::new().register::<Probe>(move |_: JobContext, _: Probe| {
        let inside = Arc::clone(&inside);
        async move {
            inside.notify_one();
            pending().await
        }
    });
    let options = WorkerOptions { shutdown_grace: Duration::from_millis(500), ..WorkerOptions::default() };
    let (stop, running) = start(&app, registry, options);
    enqueue(&app, &Probe { number: 1 }).await;
    entered.notified().await;
    stop.send(()).unwrap();
    timeout(Duration::from_secs(2), running).await.unwrap().unwrap();
    assert_eq!(counts(&app).await.available, 1);
    let mut uow = app.read().await.unwrap();
    let due = uow.jobs().next_due("default", &[Probe::KIND]).await.unwrap().unwrap();
    assert!(due <= app.now(), "the next worker may have it at once");
}

#[tokio::test]
async fn no_more_jobs_run_at_once_than_there_are_places() {
    let (app, _) = app().await;
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (inside, peak) = (Arc::clone(&now), Arc::clone(&most));
    let registry = Registry::new().register::<Probe>(move |_: JobContext, _: Probe| {
        let (inside, peak) = (Arc::clone(&inside), Arc::clone(&peak));
        async move {
            peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    for number in 0..10 {
        enqueue(&app, &Probe { number }).await;
    }
    let options = WorkerOptions::default().concurrency(3);
    let (stop, running) = start(&app, registry, options);
    let all_done = async {
        while counts(&app).await.completed < 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), all_done).await.unwrap();
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

/// A storage that a test can make unavailable.
struct Fickle {
    storage: Arc<dyn Storage>,
    unavailable: Arc<AtomicBool>,
}

impl Fickle {
    fn check(&self) -> Result<(), StoreError> {
        if self.unavailable.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("connection refused".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Storage for Fickle {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.check()?;
        self.storage.begin().await
    }

    async fn read(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.check()?;
        self.storage.read().await
    }

    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.check()?;
        self.storage.snapshot().await
    }

    async fn readiness(&self) -> Vec<NotReady> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_worker_outlives_its_storage_and_writes_down_how_a_job_ended_when_it_is_back() {
    let unavailable = Arc::new(AtomicBool::new(false));
    let storage =
        Fickle { storage: databases::sqlite().await.storage, unavailable: Arc::clone(&unavailable) };
    let app = WorkScribe::builder(Arc::new(storage), ring("k")).build();
    let (calls, breaking) = (Arc::new(AtomicU32::new(0)), Arc::clone(&unavailable));
    let counted = Arc::clone(&calls);
    let registry = Registry::new().register::<Probe>(move |_: JobContext, _: Probe| {
        counted.fetch_add(1, Ordering::SeqCst);
        breaking.store(true, Ordering::SeqCst);
        async { Ok(()) }
    });
    enqueue(&app, &Probe { number: 1 }).await;
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let (stop, running) = start(&app, registry.clone(), WorkerOptions::default());
    let ran = async {
        while !unavailable.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), ran).await.expect("it ran, and the storage went away under it");
    worker(&app, registry).drain().await.unwrap_err();
    unavailable.store(false, Ordering::SeqCst);
    let completed = async {
        while counts(&app).await.completed < 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), completed).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1, "and was not run a second time");
    assert!(!running.is_finished());
    stop.send(()).unwrap();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_stopped_and_counts_as_failed() {
    let (app, clock) = app().await;
    let registry = Registry::new().register::<Probe>(|_: JobContext, _: Probe| pending());
    let job = app.jobs().prepare(&Probe { number: 1 }).unwrap().timeout(Some(Duration::from_millis(50)));
    app.jobs().enqueue(std::slice::from_ref(&job)).await.unwrap();
    let worker = worker(&app, registry);
    for attempt in 1..=Probe::MAX_ATTEMPTS {
        assert_eq!(worker.drain().await.unwrap(), 1);
        let record = app.jobs().find(job.id).await.unwrap();
        assert_eq!(record.attempt, attempt);
        assert!(record.last_error.unwrap().contains("took longer than 0.05 s"));
        clock.advance(TimeDelta::hours(1));
    }
    assert_eq!(counts(&app).await.buried, 1);
}

#[tokio::test]
async fn a_job_that_is_put_off_runs_again_and_loses_no_attempt() {
    let (app, clock) = app().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let registry = Registry::new().register::<Probe>(move |context: JobContext, _: Probe| {
        let call = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            assert_eq!(context.attempt, 1, "none before it counts");
            if call < 9 {
                Err(JobError::snooze(Duration::from_secs(60)))
            } else {
                Err(JobError::retry("busy"))
            }
        }
    });
    let worker = worker(&app, registry);
    enqueue(&app, &Probe { number: 1 }).await;
    for call in 1..=9 {
        assert_eq!(worker.drain().await.unwrap(), 1);
        assert_eq!((calls.load(Ordering::SeqCst), worker.drain().await.unwrap()), (call, 0));
        clock.advance(TimeDelta::seconds(60));
    }
    // The first failure after the snoozes has the back-off of a first failure.
    let after = app.jobs().list(&JobFilter::default(), None, 1).await.unwrap();
    let wait = after[0].run_at - (app.now() - TimeDelta::seconds(60));
    assert_eq!((after[0].attempt, after[0].snoozed), (1, 8));
    assert!(wait <= TimeDelta::milliseconds(1_100), "{wait}");
}

#[tokio::test]
async fn slow_jobs_of_one_organization_leave_places_to_another() {
    let (app, _) = app().await;
    let registry = Registry::new().register::<Probe>(|_: JobContext, probe: Probe| async move {
        if probe.number == 0 { pending().await } else { Ok(()) }
    });
    let of = |number: u32, org: u32| {
        let org = format!("00000000-0000-0000-0000-{org:012x}").parse().unwrap();
        NewJob { org: Some(org), ..app.jobs().prepare(&Probe { number }).unwrap() }
    };
    let slow: Vec<NewJob> = (0..50).map(|_| of(0, 1)).collect();
    app.jobs().enqueue(&slow).await.unwrap();
    let options = WorkerOptions { shutdown_grace: Duration::from_millis(100), ..WorkerOptions::default() };
    let (stop, running) = start(&app, registry, options);
    let done = async |count| {
        while counts(&app).await.completed < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    for round in 1..=3 {
        app.jobs().enqueue(&[of(1, 2)]).await.unwrap();
        timeout(Duration::from_secs(10), done(round)).await.unwrap();
    }
    assert_eq!(counts(&app).await.running, 2, "half of the four places");
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn a_running_job_is_stopped_when_an_operator_cancels_it() {
    let (app, _) = app().await;
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let registry = Registry::new().register::<Probe>(move |_: JobContext, _: Probe| {
        let inside = Arc::clone(&inside);
        async move {
            inside.notify_one();
            pending().await
        }
    });
    let options = WorkerOptions { lease: Duration::from_millis(300), ..WorkerOptions::default() };
    let (stop, running) = start(&app, registry, options);
    let id = enqueue(&app, &Probe { number: 1 }).await;
    entered.notified().await;
    assert!(app.jobs().cancel(id).await.unwrap().cancel_requested);
    let stopped = async {
        while counts(&app).await.cancelled == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), stopped).await.unwrap();
    stop.send(()).unwrap();
    running.await.unwrap();
    let ended = app.jobs().cancel(id).await.unwrap_err();
    assert_eq!(ended.code(), workscribe_core::Code::JobFinished);
}

#[derive(Serialize, Deserialize)]
struct Renamed {
    number: u32,
}

impl Job for Renamed {
    const KIND: &'static str = "test.renamed";
    const ALIASES: &'static [&'static str] = &[Probe::KIND];
    const QUEUE: &'static str = "another";
}

#[tokio::test]
async fn a_kind_is_known_by_its_earlier_names_and_every_queue_has_places_of_its_own() {
    let (app, _) = app().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let registry = Registry::new().register::<Renamed>(move |_: JobContext, job: Renamed| {
        counted.fetch_add(job.number, Ordering::SeqCst);
        async { Ok(()) }
    });
    assert_eq!(registry.kinds().collect::<Vec<_>>(), [Renamed::KIND]);
    enqueue(&app, &Probe { number: 1 }).await;
    enqueue(&app, &Renamed { number: 10 }).await;
    assert_eq!(worker(&app, registry.clone()).drain().await.unwrap(), 1, "the other queue is not its own");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let both = Worker::new(app.clone(), registry, WorkerOptions::default().queue(Renamed::QUEUE, 2));
    assert_eq!(both.drain().await.unwrap(), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 11);
}

#[tokio::test]
async fn a_queue_that_is_paused_rests_until_it_is_resumed() {
    let (app, _) = app().await;
    let (registry, _) = probing(|_| Ok(()));
    let worker = worker(&app, registry);
    enqueue(&app, &Probe { number: 1 }).await;
    app.jobs().pause("default").await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 0);
    app.jobs().resume("default").await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn a_buried_job_runs_again_when_an_operator_says_so() {
    let (app, _) = app().await;
    let (registry, _) = probing(|call| if call == 1 { Err(JobError::bury("no")) } else { Ok(()) });
    let worker = worker(&app, registry);
    let id = enqueue(&app, &Probe { number: 1 }).await;
    worker.drain().await.unwrap();
    assert_eq!(counts(&app).await.buried, 1);
    app.jobs().retry(id).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(counts(&app).await.completed, 1);
}
