//! A worker as a separate process: this program again, with orders in its environment.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, query, query_as};
use tokio::signal::unix::{SignalKind, signal};
use workscribe::WorkScribe;
use workscribe::clock::{Clock, SystemClock, Timestamp};
use workscribe::id::JobId;
use workscribe::jobs::{CatchUp, JobContext, JobError, Registry, Schedule, Schedules, Worker, WorkerOptions};
use workscribe::outbox::Job;

use crate::load::{application, secrets};

/// Names the variable with the orders of a worker process, as JSON.
const ORDERS: &str = "WORKSCRIBE_TEST_ORDERS";
/// The maximum wait. Nothing takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How much later a killed worker's job runs again, in these tests.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// How long a worker may take to stop, in these tests.
pub(crate) const GRACE: Duration = Duration::from_secs(4);

/// A job that records its beginning in the ledger, waits for permission, and records its end.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Gated {
    /// Instead, the first attempt waits for this time, so that it ends at once when its worker continues later.
    pub(crate) first_takes: Option<Duration>,
}

impl Job for Gated {
    const KIND: &'static str = "test.gated";
    const MAX_ATTEMPTS: u32 = 5;
}

/// A job of a schedule.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tick {
    pub(crate) schedule: String,
    pub(crate) slot: Timestamp,
}

impl Job for Tick {
    const KIND: &'static str = "test.tick";
    const MAX_ATTEMPTS: u32 = 100;
}

/// A fast clock that shows the same time in every process, so that minutes pass quickly.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct FastClock {
    begin: Timestamp,
    begun_at: Timestamp,
}

impl FastClock {
    /// A minute takes 200 ms.
    const SPEED: i32 = 300;

    /// Begins days ago, so that its jobs are due by every clock.
    pub(crate) fn new() -> Self {
        let begun_at = SystemClock.now();
        Self { begin: begun_at - chrono::TimeDelta::days(30), begun_at }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        self.begin + (SystemClock.now() - self.begun_at) * Self::SPEED
    }
}

#[derive(Serialize, Deserialize)]
struct Orders {
    url: String,
    /// The worker's name, as operators see it.
    name: String,
    concurrency: u32,
    /// The clock by which the worker fires schedules, if it does.
    fires_by: Option<FastClock>,
}

/// Not a test by itself: when a test starts it, it is a worker until it is stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_process_of_the_other_tests() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let mut term = signal(SignalKind::terminate()).unwrap();
    let app = application(&orders.url).await;
    let book = book(&orders.url).await;
    let registry =
        Registry::new().register::<Tick>(|_: JobContext, _: Tick| async { Ok(()) }).register::<Gated>(
            move |context: JobContext, job: Gated| {
                let book = book.clone();
                async move {
                    gated(&book, &context, &job).await.map_err(|error| JobError::retry(error.to_string()))
                }
            },
        );
    let options = WorkerOptions {
        lease: LEASE,
        shutdown_grace: GRACE,
        poll: Duration::from_millis(100),
        name: Some(orders.name),
        ..WorkerOptions::default()
    };
    if let Some(clock) = orders.fires_by {
        let storage = Arc::clone(app.storage());
        tokio::spawn(fire(WorkScribe::builder(storage, secrets()).clock(Arc::new(clock)).build()));
    }
    let worker = Worker::new(app, registry, options.concurrency(orders.concurrency));
    worker.run(async { term.recv().await.unwrap_or_default() }).await;
}

async fn gated(book: &AnyPool, context: &JobContext, gated: &Gated) -> Result<(), sqlx::Error> {
    let (job, attempt) = (context.id.to_string(), i64::from(context.attempt));
    write(book, "begun", context.id, context.attempt).await?;
    if let (1, Some(time)) = (context.attempt, gated.first_takes) {
        tokio::time::sleep(time).await;
        return Ok(());
    }
    let open = "SELECT count(*) FROM test_book WHERE line = 'open' AND job = $1 AND attempt = $2";
    while query_as::<_, (i64,)>(open).bind(&job).bind(attempt).fetch_one(book).await?.0 == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    write(book, "ended", context.id, context.attempt).await
}

/// Fires schedules as a worker does, but more often than with a real clock.
async fn fire(app: WorkScribe) {
    let tick = |schedule: &'static str| move |slot| Tick { schedule: schedule.to_owned(), slot };
    let each = Schedule::cron("each", "* * * * *", "UTC", tick("each")).unwrap();
    let latest = Schedule::cron("latest", "* * * * *", "UTC", tick("latest")).unwrap();
    let schedules = Schedules::new().with(each.catch_up(CatchUp::Each(1_000))).with(latest);
    loop {
        // After an error the next run tries again.
        let _ = schedules.fire_due(&app).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// The ledger, in a table beside WorkScribe's: it records what attempts have done, and which ones may continue.
pub(crate) async fn book(url: &str) -> AnyPool {
    sqlx::any::install_default_drivers();
    let pool = AnyPoolOptions::new().max_connections(3).after_connect(|connection, _| {
        Box::pin(async move {
            if connection.backend_name() == "SQLite" {
                query("PRAGMA busy_timeout = 30000").execute(connection).await?;
            }
            Ok(())
        })
    });
    let pool = pool.connect(url).await.unwrap();
    let table = "CREATE TABLE IF NOT EXISTS test_book (line TEXT NOT NULL, job TEXT NOT NULL, attempt BIGINT NOT NULL)";
    query(table).execute(&pool).await.unwrap();
    pool
}

/// Adds an entry: `begun`, `ended`, or `open` to let an attempt continue.
pub(crate) async fn write(book: &AnyPool, line: &str, job: JobId, attempt: u32) -> Result<(), sqlx::Error> {
    let insert = query("INSERT INTO test_book (line, job, attempt) VALUES ($1, $2, $3)");
    insert.bind(line).bind(job.to_string()).bind(i64::from(attempt)).execute(book).await.map(drop)
}

/// The number of entries of this kind.
pub(crate) async fn lines(book: &AnyPool, line: &str, job: JobId, attempt: u32) -> i64 {
    let count = "SELECT count(*) FROM test_book WHERE line = $1 AND job = $2 AND attempt = $3";
    let count = query_as::<_, (i64,)>(count).bind(line).bind(job.to_string()).bind(i64::from(attempt));
    count.fetch_one(book).await.unwrap().0
}

/// A worker process. Dropping this kills it.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(url: &str, name: &str, concurrency: u32, fires_by: Option<FastClock>) -> Self {
        let orders = Orders { url: url.to_owned(), name: name.to_owned(), concurrency, fires_by };
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::a_worker_process_of_the_other_tests", "--nocapture"])
            .env(ORDERS, serde_json::to_string(&orders).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end, and asserts success.
    pub(crate) async fn ended(mut self) {
        let mut status = None;
        crate::until("the worker ends", PATIENCE, async || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // `kill -9`, unless it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
