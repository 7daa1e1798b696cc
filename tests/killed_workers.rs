//! Jobs outlive their workers: real processes that are killed while they work. Each is this program again, as a worker.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "jobs"))]
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Row as _, query};
use workscribe::clock::{Entropy as _, SystemEntropy};
use workscribe::id::JobId;
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::jobs::{JobContext, JobError, Registry, Worker, WorkerOptions};
use workscribe::outbox::{Job, JobCounts, JobState};
use workscribe::ports::Secret;
use workscribe::sql::{Database, Options};
use workscribe::{WorkScribe, sql};
use workscribe_testkit::databases::{self, TestDatabase};

/// Names the variable with the database of a worker process.
const WORKER_ON: &str = "WORKSCRIBE_TEST_WORKER_ON";
const JOBS: usize = 10_000;
const WORKERS: usize = 3;
const KILLS: usize = 12;
/// How much later a killed worker's job runs again, in these tests.
const LEASE: Duration = Duration::from_secs(6);

/// Adds an entry to the ledger, in its own transaction.
#[derive(Serialize, Deserialize)]
struct Line {}

impl Job for Line {
    const KIND: &'static str = "test.line";
    const MAX_ATTEMPTS: u32 = 100;
}

async fn connect(url: &str) -> (Arc<dyn Database>, WorkScribe) {
    let options =
        Options { max_connections: 8, acquire_timeout: Duration::from_secs(30), ..Options::default() };
    let database = sql::connect(url, &options).await.unwrap();
    let key = SecretKey::new(&Secret::new("k".repeat(32))).unwrap();
    let app = WorkScribe::builder(database.storage(), SecretRing::new(key, Vec::new())).build();
    (database, app)
}

/// The ledger, beside WorkScribe's tables.
async fn ledger(url: &str) -> AnyPool {
    sqlx::any::install_default_drivers();
    AnyPoolOptions::new()
        .max_connections(2)
        .after_connect(|connection, _| {
            Box::pin(async move {
                if connection.backend_name() == "SQLite" {
                    query("PRAGMA busy_timeout = 30000").execute(connection).await?;
                }
                Ok(())
            })
        })
        .connect(url)
        .await
        .unwrap()
}

/// Not a test by itself: when a test starts it, it is a worker until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_process_of_the_tests_below() {
    let Ok(url) = std::env::var(WORKER_ON) else { return };
    let (_database, app) = connect(&url).await;
    let ledger = ledger(&url).await;
    let process = i64::from(std::process::id());
    let registry = Registry::new().register::<Line>(move |context: JobContext, _: Line| {
        let ledger = ledger.clone();
        async move {
            let line = query("INSERT INTO test_ledger (job, attempt, process) VALUES ($1, $2, $3)")
                .bind(context.id.to_string())
                .bind(i64::from(context.attempt))
                .bind(process);
            line.execute(&ledger).await.map_err(|error| JobError::retry(error.to_string()))?;
            Ok(())
        }
    });
    let options = WorkerOptions { lease: LEASE, name: Some(process.to_string()), ..WorkerOptions::default() };
    Worker::new(app, registry, options.concurrency(20)).run(std::future::pending()).await;
}

fn start(url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_worker_process_of_the_tests_below", "--nocapture"])
        .env(WORKER_ON, url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a worker with `kill -9` and waits for its end.
fn kill(mut worker: Child) -> i64 {
    let process = i64::from(worker.id());
    worker.kill().unwrap();
    worker.wait().unwrap();
    process
}

fn random(below: usize) -> usize {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % below as u64).unwrap()
}

async fn counts(app: &WorkScribe) -> JobCounts {
    let all = app.jobs().stats().await.unwrap();
    all.into_iter().find(|of| of.kind == Line::KIND).map(|of| of.counts).unwrap_or_default()
}

async fn ten_thousand_jobs_outlive_their_workers(database: TestDatabase) {
    let (_own, app) = connect(&database.url).await;
    let pool = ledger(&database.url).await;
    query("CREATE TABLE test_ledger (job TEXT NOT NULL, attempt BIGINT NOT NULL, process BIGINT NOT NULL)")
        .execute(&pool)
        .await
        .unwrap();
    let mut expected = BTreeSet::new();
    for _ in 0..JOBS / 1_000 {
        let jobs: Vec<_> = (0..1_000).map(|_| app.jobs().prepare(&Line {}).unwrap()).collect();
        app.jobs().enqueue(&jobs).await.unwrap();
        expected.extend(jobs.into_iter().map(|job| job.id));
    }
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| start(&database.url)).collect();
    let mut killed = BTreeSet::new();
    let all_done = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50 + random(150) as u64)).await;
            let done = usize::try_from(counts(&app).await.completed).unwrap();
            if done == JOBS {
                return;
            }
            // While jobs remain; each kill waits until some were done after the previous one.
            if killed.len() < KILLS && done > killed.len() * JOBS / (2 * KILLS) {
                let worker = workers.swap_remove(random(WORKERS));
                killed.insert(kill(worker));
                workers.push(start(&database.url));
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(300), all_done).await;
    let states = counts(&app).await;
    let left: Vec<i64> = workers.into_iter().map(kill).collect();
    assert!(in_time.is_ok(), "{states:?}, {} killed", killed.len());
    let done = JobCounts { completed: i64::try_from(JOBS).unwrap(), ..JobCounts::default() };
    assert_eq!(states, done);
    assert!(killed.len() >= WORKERS, "there was work to be killed at");

    // The attempts of each job that have an entry in the ledger, with their processes.
    let mut lines: BTreeMap<JobId, BTreeMap<u32, i64>> = BTreeMap::new();
    for row in query("SELECT job, attempt, process FROM test_ledger").fetch_all(&pool).await.unwrap() {
        let (job, attempt): (String, i64) = (row.get(0), row.get(1));
        let of_job = lines.entry(job.parse().unwrap()).or_default();
        let before = of_job.insert(u32::try_from(attempt).unwrap(), row.get(2));
        assert_eq!(before, None, "an attempt is made once");
    }
    assert_eq!(lines.keys().copied().collect::<BTreeSet<_>>(), expected, "every job was run");
    for (job, attempts) in &lines {
        let record = app.jobs().find(*job).await.unwrap();
        let (last, by) = attempts.last_key_value().unwrap();
        assert_eq!(
            (record.state, record.attempt),
            (JobState::Completed, *last),
            "the last attempt finished it"
        );
        assert_eq!(record.worker, Some(by.to_string()), "and no stale worker did");
        assert!(left.contains(by) || killed.contains(by));
        for (attempt, process) in attempts.iter().filter(|(attempt, _)| *attempt != last) {
            assert!(killed.contains(process), "attempt {attempt} of {last} is explained by a kill");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_jobs_on_postgres_outlive_three_workers_that_are_killed_again_and_again() {
    ten_thousand_jobs_outlive_their_workers(databases::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_jobs_on_sqlite_outlive_three_workers_that_are_killed_again_and_again() {
    ten_thousand_jobs_outlive_their_workers(databases::sqlite().await).await;
}
