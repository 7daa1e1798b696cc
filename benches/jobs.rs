//! The throughput of the queue: `cargo bench --features postgres --bench jobs`.
//!
//! On Postgres, with jobs that do nothing. Measured are: how many jobs 1, 2 and 4 workers complete per second, from a full queue,
//! and while a producer enqueues them; the time from the commit to the start of a job on an idle worker, in the same process and
//! through `NOTIFY`; and the cost of a claim among 1,000 and 1,000,000 waiting jobs, and beside 1,000,000 completed jobs. Workers,
//! producer and Postgres share the machine.
//!
//! The program checks the targets and fails when one is missed: 6,000 jobs per second; from commit to start 2 ms for half of the
//! jobs and 10 ms for 99 of 100; a claim that costs at most twice as much.
//!
//! `--quick` has a tenth of the jobs. Postgres is the server of `WORKSCRIBE_TEST_POSTGRES_URL`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use workscribe::WorkScribe;
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::jobs::{JobContext, JobError, Registry, Worker, WorkerOptions};
use workscribe::outbox::{Claim, Job, Turn};
use workscribe::ports::Secret;
use workscribe::sql::{Database as _, Options, PostgresStorage};
use workscribe_testkit::databases::Schema;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Serialize, Deserialize)]
struct Nothing {
    number: u64,
}

impl Job for Nothing {
    const KIND: &'static str = "bench.nothing";
}

fn main() -> ExitCode {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(bench(is_quick)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(is_quick: bool) -> Outcome<()> {
    let schema = Schema::new().await;
    let jobs = if is_quick { 3_000 } else { 30_000 };
    application(&schema.url).await?.1.migrate().await?;
    let mut missed = Vec::new();
    throughput(&schema.url, jobs, &mut missed).await?;
    latency(&schema.url, if is_quick { 100 } else { 500 }, &mut missed).await?;
    claims(&schema.url, if is_quick { 100_000 } else { 1_000_000 }, &mut missed).await?;
    if missed.is_empty() { Ok(()) } else { Err(format!("targets missed: {}", missed.join("; ")).into()) }
}

async fn application(url: &str) -> Outcome<(WorkScribe, PostgresStorage)> {
    let storage =
        PostgresStorage::connect(url, &Options { max_connections: 8, ..Options::default() }).await?;
    let key = SecretKey::new(&Secret::new("a key for benchmarks, which opens nothing")).ok_or("too short")?;
    let app = WorkScribe::builder(storage.storage(), SecretRing::new(key, vec![]));
    let wakeup = storage.wakeup().ok_or("Postgres has one")?;
    Ok((app.wakeup(wakeup).build(), storage))
}

/// Workers with one pool each, as in `count` processes.
struct Workers {
    running: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
    done: Arc<AtomicU64>,
    all: Arc<Notify>,
}

impl Workers {
    async fn start(url: &str, count: usize, jobs: u64) -> Outcome<Self> {
        let (done, all) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let mut running = Vec::new();
        for _ in 0..count {
            let (app, _) = application(url).await?;
            let (counted, told) = (Arc::clone(&done), Arc::clone(&all));
            let registry = Registry::new().register::<Nothing>(move |_: JobContext, _: Nothing| {
                if counted.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
                    told.notify_one();
                }
                async { Ok::<(), JobError>(()) }
            });
            let worker = Worker::new(app, registry, WorkerOptions::default().concurrency(200));
            let (stop, stopped) = oneshot::channel::<()>();
            running
                .push((stop, tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await })));
        }
        Ok(Self { running, done, all })
    }

    /// Waits until all jobs have run and their outcomes are written.
    async fn end(self) -> Outcome<u64> {
        self.all.notified().await;
        for (stop, worker) in self.running {
            // A worker that has ended receives nothing.
            let _ = stop.send(());
            worker.await?;
        }
        Ok(self.done.load(Ordering::Relaxed))
    }
}

async fn enqueue(app: &WorkScribe, jobs: u64) -> Outcome<()> {
    const BATCH: u64 = 500;
    for from in (0..jobs).step_by(usize::try_from(BATCH)?) {
        let batch: Result<Vec<_>, _> =
            (from..(from + BATCH).min(jobs)).map(|number| app.jobs().prepare(&Nothing { number })).collect();
        app.jobs().enqueue(&batch?).await?;
    }
    Ok(())
}

async fn throughput(url: &str, jobs: u64, missed: &mut Vec<String>) -> Outcome<()> {
    println!("{jobs} jobs that do nothing{:22}{:>10}{:>10}{:>16}", "", "workers", "per s", "");
    let (app, _) = application(url).await?;
    let mut best: f64 = 0.0;
    for count in [1, 2, 4] {
        let begun = Instant::now();
        enqueue(&app, jobs).await?;
        let enqueued = rate(jobs, begun);
        if count == 1 {
            println!("{:45}{:>10}{enqueued:>10.0}", "  enqueued, 500 at a time", "");
        }
        let begun = Instant::now();
        Workers::start(url, count, jobs).await?.end().await?;
        let drained = rate(jobs, begun);
        best = best.max(drained);
        println!("{:45}{count:>10}{drained:>10.0}", "  drained, to the last word written");
        let begun = Instant::now();
        let workers = Workers::start(url, count, jobs).await?;
        enqueue(&app, jobs).await?;
        workers.end().await?;
        println!("{:45}{count:>10}{:>10.0}", "  enqueued and drained meanwhile", rate(jobs, begun));
    }
    let verdict = if best >= 6_000.0 { "" } else { "  MISSED" };
    println!("drained at best {best:.0} in a second (at least 6000){verdict}\n");
    if best < 6_000.0 {
        missed.push("jobs in a second".into());
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rate(jobs: u64, begun: Instant) -> f64 {
    jobs as f64 / begun.elapsed().as_secs_f64()
}

async fn latency(url: &str, samples: usize, missed: &mut Vec<String>) -> Outcome<()> {
    // Finishes what the earlier jobs have left to do, so that the database is idle.
    PgConnection::connect(url).await?.execute("VACUUM (ANALYZE) ws_jobs").await?;
    println!("from the commit to the start, of an idle worker{:>20}{:>10}", "p50 µs", "p99 µs");
    for (label, is_other) in [("  in the process of the worker", false), ("  in another, by NOTIFY", true)] {
        let (worker_app, _) = application(url).await?;
        let app = if is_other { application(url).await?.0 } else { worker_app.clone() };
        let (started, mut starts) = mpsc::unbounded_channel();
        let registry = Registry::new().register::<Nothing>(move |_: JobContext, _: Nothing| {
            // The receiver exists until the end.
            let _ = started.send(Instant::now());
            async { Ok::<(), JobError>(()) }
        });
        let worker = Worker::new(worker_app, registry, WorkerOptions::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut took = Vec::new();
        for number in 0..samples + 50 {
            let mut uow = app.begin().await?;
            app.enqueue(&mut *uow, &Nothing { number: number as u64 }).await?;
            // From the start of the commit, which wakes the workers before it returns.
            let committed = Instant::now();
            app.commit(uow).await?;
            let start: Instant = starts.recv().await.ok_or("the worker is gone")?;
            if number >= 50 {
                took.push((start - committed).as_micros());
            }
            // Longer than the minimum time between two NOTIFY, so that the worker is idle.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let _ = stop.send(());
        running.await?;
        took.sort_unstable();
        let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        let is_met = p50 <= 2_000 && p99 <= 10_000;
        println!("{label:48}{p50:>19}{p99:>10}{}", if is_met { "" } else { "  MISSED (2000, 10000)" });
        if !is_met {
            missed.push(format!("latency{label}"));
        }
    }
    println!();
    Ok(())
}

/// Fills the queue with jobs of one organization, without the stores, and measures claims that are rolled back.
async fn claims(url: &str, many: u64, missed: &mut Vec<String>) -> Outcome<()> {
    println!("a claim of 100 among{:>52}", "p50 µs");
    let (app, storage) = application(url).await?;
    let mut connection = PgConnection::connect(url).await?;
    let mut first = None;
    for (waiting, finished) in [(1_000, 0), (many, 0), (1_000, many)] {
        let fill = |state: &str, count: u64, ends: &str| {
            // Ids begin with their time, as WorkScribe's do (UUIDv7), so that an index of them is written at its end.
            let id = format!(
                "CAST(lpad(to_hex(1700000000000 + n), 12, '0') || '7000' || substr(md5('{state}' || n), 1, 16) AS uuid)"
            );
            format!(
                "INSERT INTO ws_jobs (id, kind, payload, state, attempt, max_attempts, run_at, created_at, finished_at,
                                      org_id, is_due)
                 SELECT {id}, 'bench.nothing', '{{\"number\": 1}}', '{state}', 0, 12,
                        now() - n * interval '1 ms', now(), {ends},
                        CAST('00000000-0000-7000-8000-000000000001' AS uuid), TRUE FROM generate_series(1, {count}) AS n;"
            )
        };
        let (available, completed) =
            (fill("available", waiting, "NULL"), fill("completed", finished, "now()"));
        connection.execute(AssertSqlSafe(format!("TRUNCATE ws_jobs; {available} {completed}"))).await?;
        connection.execute("VACUUM (ANALYZE) ws_jobs").await?;
        let mut took = Vec::new();
        for _ in 0..100 {
            let mut uow = app.begin().await?;
            uow.jobs().next_due("default", &["bench.nothing"]).await?;
            let begun = Instant::now();
            let now = app.now();
            let kinds = ["bench.nothing"];
            let lease_until = now + chrono::TimeDelta::seconds(60);
            let claim = Claim {
                queue: "default",
                kinds: &kinds,
                limit: 100,
                worker: "bench",
                now,
                lease_until,
                turn: Turn::default(),
            };
            if uow.jobs().claim(&claim).await?.len() != 100 {
                return Err("a hundred jobs are due".into());
            }
            took.push(begun.elapsed().as_micros());
            drop(uow);
        }
        took.sort_unstable();
        let p50 = took[took.len() / 2];
        let base = *first.get_or_insert(p50);
        let is_met = p50 <= 2 * base;
        let label = format!("  {waiting} that wait, beside {finished} that are done");
        println!("{label:60}{p50:>12}{}", if is_met { "" } else { "  MISSED (twice the first)" });
        if !is_met {
            missed.push(format!("a claim{label}"));
        }
    }
    storage.close().await;
    Ok(())
}
