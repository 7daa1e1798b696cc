//! Postgres behind PgBouncer in transaction mode, with fewer sessions than clients. The conformance suite (`workscribe-sql`) and
//! the program (`workscribe-host`) are also tested with it.

#![cfg(all(feature = "postgres", feature = "jobs"))]
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor as _, query_as};
use tokio::sync::watch;
use tokio::task::JoinSet;
use workscribe::id::JobId;
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::jobs::{JobContext, Registry, Worker, WorkerOptions};
use workscribe::outbox::{Job, JobFilter, JobState};
use workscribe::ports::Secret;
use workscribe::sql::{Database, Options, Pooler, PostgresStorage, postgres};
use workscribe::{Storage as _, StoreError, WorkScribe};
use workscribe_testkit::databases::{Schema, pooled_options};
use workscribe_testkit::servers::PgBouncer;

const SESSIONS: u32 = 5;

async fn behind_pooler() -> (Schema, PgBouncer) {
    let schema = Schema::new().await;
    let pooler = PgBouncer::before(&schema, SESSIONS).await;
    (schema, pooler)
}

async fn connect(pooler: &PgBouncer, options: &Options) -> (PostgresStorage, WorkScribe) {
    let storage = PostgresStorage::connect(&pooler.url, options).await.unwrap();
    let key = SecretKey::new(&Secret::new("k".repeat(32))).unwrap();
    let app = WorkScribe::builder(Arc::new(storage.clone()), SecretRing::new(key, Vec::new())).build();
    (storage, app)
}

#[derive(Serialize, Deserialize)]
struct Line {}

impl Job for Line {
    const KIND: &'static str = "test.line";
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_nodes_that_migrate_at_once_find_the_schema_made_and_leave_no_names_behind() {
    let (schema, pooler) = behind_pooler().await;
    // Later clients get sessions in which others have migrated.
    for _ in 0..2 {
        let mut nodes = JoinSet::new();
        for _ in 0..12 {
            let url = pooler.url.clone();
            nodes.spawn(async move {
                let storage = PostgresStorage::connect(&url, &pooled_options()).await.unwrap();
                storage.migrate().await.unwrap();
                assert_eq!(storage.pending_migrations().await.unwrap(), Vec::<String>::new());
                assert_eq!(storage.readiness().await, []);
            });
        }
        nodes.join_all().await;
    }
    let direct = PostgresStorage::connect(&schema.url, &Options::default()).await.unwrap();
    assert_eq!(direct.pending_migrations().await.unwrap(), Vec::<String>::new());
    direct.migrate().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_that_poll_through_the_pooler_run_each_of_six_hundred_jobs_once() {
    let (schema, pooler) = behind_pooler().await;
    let (storage, app) = connect(&pooler, &pooled_options()).await;
    storage.migrate().await.unwrap();
    assert!(storage.wakeup().is_none(), "nothing wakes a worker through a pooler");

    let runs = Arc::new(Mutex::new(BTreeMap::<JobId, u32>::new()));
    let (stop, stopped) = watch::channel(false);
    let mut workers = JoinSet::new();
    for _ in 0..2 {
        // Each like a separate process, unknown to the one that enqueues.
        let (_, app) = connect(&pooler, &pooled_options()).await;
        let (lines, mut stopped) = (Arc::clone(&runs), stopped.clone());
        let registry = Registry::new().register::<Line>(move |context: JobContext, _: Line| {
            *lines.lock().unwrap().entry(context.id).or_default() += 1;
            async { Ok(()) }
        });
        let options = WorkerOptions { poll: Duration::from_millis(50), ..WorkerOptions::default() };
        let worker = Worker::new(app, registry, options.concurrency(10));
        workers.spawn(async move {
            worker.run(async { drop(stopped.wait_for(|stop| *stop).await) }).await;
        });
    }
    // Sixteen clients that enqueue while the workers run.
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        let app = app.clone();
        clients.spawn(async move {
            for _ in 0..40 {
                app.jobs().enqueue(&[app.jobs().prepare(&Line {}).unwrap()]).await.unwrap();
            }
        });
    }
    clients.join_all().await;
    let all_done = async {
        let done = || async { app.jobs().stats().await.unwrap()[0].counts.completed };
        while done().await < 640 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), all_done).await;
    stop.send_replace(true);
    workers.join_all().await;
    assert!(in_time.is_ok(), "{:?}", app.jobs().stats().await);
    let runs = std::mem::take(&mut *runs.lock().unwrap());
    assert_eq!((runs.len(), runs.values().max()), (640, Some(&1)), "each ran, and once");
    let states = app.jobs().list(&JobFilter::default(), None, 1_000).await.unwrap();
    assert!(states.iter().all(|job| job.state == JobState::Completed && job.attempt == 1));

    // The tests would show nothing if each client had its own session.
    let direct = PgPoolOptions::new().connect(&format!("{}-direct", schema.url)).await.unwrap();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let (sessions,): (i64,) = query_as(sessions).bind(&schema.name).fetch_one(&direct).await.unwrap();
    assert!((1..=i64::from(SESSIONS)).contains(&sessions), "{sessions} sessions");
}

#[tokio::test]
async fn limits_hold_for_a_transaction_and_do_not_stay_with_the_session() {
    let (_schema, pooler) = behind_pooler().await;
    let options = Options { statement_timeout: Duration::from_millis(200), ..pooled_options() };
    let (storage, app) = connect(&pooler, &options).await;
    storage.migrate().await.unwrap();
    app.jobs().enqueue(&[app.jobs().prepare(&Line {}).unwrap()]).await.unwrap();
    let mut holder = storage.pool().begin().await.unwrap();
    holder.execute("LOCK TABLE ws_jobs IN ACCESS EXCLUSIVE MODE").await.unwrap();
    for reading in [true, false] {
        let mut waiter = if reading { storage.read().await } else { storage.begin().await }.unwrap();
        let given_up = waiter.jobs().counts(app.now()).await.unwrap_err();
        assert!(matches!(given_up, StoreError::Unavailable(_)), "{given_up:?}");
    }
    holder.rollback().await.unwrap();
    for _ in 0..20 {
        let limit = sqlx::raw_sql("SHOW statement_timeout").fetch_one(storage.pool()).await.unwrap();
        assert_eq!(sqlx::Row::get::<String, _>(&limit, 0), "0");
    }
}

#[tokio::test]
async fn an_embedders_pool_and_transactions_go_through_the_pooler() {
    let (_schema, pooler) = behind_pooler().await;
    let connect: PgConnectOptions = pooler.url.parse().unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(20)
        .connect_with(connect.extra_float_digits(None))
        .await
        .unwrap();
    let storage = PostgresStorage::from_pool(pool.clone()).behind_pooler();
    storage.migrate().await.unwrap();
    let key = SecretKey::new(&Secret::new("k".repeat(32))).unwrap();
    let app = WorkScribe::builder(Arc::new(storage), SecretRing::new(key, Vec::new())).build();
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let (app, pool) = (app.clone(), pool.clone());
        clients.spawn(async move {
            for _ in 0..10 {
                let transaction = pool.begin().await.unwrap();
                let mut unit = postgres::Unit::from_transaction(transaction).unprepared();
                app.enqueue(&mut unit, &Line {}).await.unwrap();
                unit.into_transaction().await.unwrap().commit().await.unwrap();
            }
        });
    }
    clients.join_all().await;
    assert_eq!(app.jobs().stats().await.unwrap()[0].counts.available, 200);
}

#[tokio::test]
async fn without_the_setting_pgbouncer_refuses_the_connection() {
    let (_schema, pooler) = behind_pooler().await;
    let options =
        Options { pooler: Pooler::None, acquire_timeout: Duration::from_secs(1), ..pooled_options() };
    let refused = PostgresStorage::connect(&pooler.url, &options).await.err().unwrap();
    let reason = format!("{refused:?}");
    assert!(reason.contains("unsupported startup parameter"), "{reason}");
}
