//! Clients that enqueue and workers on one database, and the check of all jobs at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use workscribe::clock::{Clock as _, SystemClock, Timestamp};
use workscribe::id::JobId;
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::jobs::{JobContext, Registry, Worker, WorkerOptions};
use workscribe::outbox::{Job, JobFilter, JobRecord, JobState};
use workscribe::ports::Secret;
use workscribe::sql::Options;
use workscribe::{WorkScribe, sql};

use crate::until;

/// How much later the job of a silent worker runs again.
const LEASE: Duration = Duration::from_secs(4);
/// The maximum time of a claim while connections are cut. Its lease counts from its start, and it may take jobs that arrive meanwhile.
const CLAIM: Duration = Duration::from_secs(2);
const WORKERS: usize = 3;
const CLIENTS: usize = 4;
/// The minimum number of jobs.
const JOBS: usize = 2_000;

#[derive(Serialize, Deserialize)]
struct Line {
    millis: u64,
}

impl Job for Line {
    const KIND: &'static str = "test.line";
    const MAX_ATTEMPTS: u32 = 100;
}

pub(crate) fn secrets() -> SecretRing {
    SecretRing::new(SecretKey::new(&Secret::new("k".repeat(32))).unwrap(), Vec::new())
}

/// An application on its own pool, as in a separate process.
pub(crate) async fn application(url: &str) -> WorkScribe {
    let options =
        Options { max_connections: 8, acquire_timeout: Duration::from_secs(1), ..Options::default() };
    WorkScribe::builder(sql::connect(url, &options).await.unwrap().storage(), secrets()).build()
}

/// An attempt that ran: its worker, and its start.
type Attempt = (String, Timestamp);

/// What the clients know about their jobs.
#[derive(Default)]
struct Told {
    /// The commit was acknowledged.
    acknowledged: BTreeSet<JobId>,
    /// The commit was not acknowledged: the job may exist or not.
    in_doubt: BTreeSet<JobId>,
}

/// The load, until its end.
pub(crate) struct Load {
    ledger: Arc<Mutex<BTreeMap<JobId, BTreeMap<u32, Attempt>>>>,
    told: Arc<Mutex<Told>>,
    clients: JoinSet<()>,
    workers: JoinSet<()>,
    enough: watch::Sender<bool>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// Starts to enqueue and to run jobs. The ledger is in memory, so it is right whatever happens to the database.
    pub(crate) async fn start(url: &str) -> Self {
        let load = Self {
            ledger: Arc::default(),
            told: Arc::default(),
            clients: JoinSet::new(),
            workers: JoinSet::new(),
            enough: watch::Sender::new(false),
            stop: watch::Sender::new(false),
        };
        load.running(url).await
    }

    async fn running(mut self, url: &str) -> Self {
        for number in 0..WORKERS {
            let worker = self.worker(application(url).await, format!("worker-{number}"));
            let mut stop = self.stop.subscribe();
            self.workers.spawn(async move {
                worker.run(async { drop(stop.wait_for(|stop| *stop).await) }).await;
            });
        }
        for _ in 0..CLIENTS {
            let (app, told, enough) =
                (application(url).await, Arc::clone(&self.told), self.enough.subscribe());
            self.clients.spawn(enqueue(app, told, enough));
        }
        self
    }

    fn worker(&self, app: WorkScribe, name: String) -> Worker {
        let (ledger, by) = (Arc::clone(&self.ledger), name.clone());
        let registry = Registry::new().register::<Line>(move |context: JobContext, job: Line| {
            let attempt = (by.clone(), SystemClock.now());
            let before =
                ledger.lock().unwrap().entry(context.id).or_default().insert(context.attempt, attempt);
            async move {
                assert_eq!(before, None, "an attempt is made once");
                tokio::time::sleep(Duration::from_millis(job.millis)).await;
                Ok(())
            }
        });
        let options = WorkerOptions {
            lease: LEASE,
            poll: Duration::from_millis(100),
            name: Some(name),
            ..WorkerOptions::default()
        };
        Worker::new(app, registry, options.concurrency(20))
    }

    fn acknowledged(&self) -> usize {
        self.told.lock().unwrap().acknowledged.len()
    }

    /// Whether a job has run a second time.
    pub(crate) fn has_repeated(&self) -> bool {
        self.ledger.lock().unwrap().values().any(|attempts| attempts.keys().any(|attempt| *attempt > 1))
    }

    /// Waits until more jobs were enqueued and more were run.
    pub(crate) async fn goes_on(&self) {
        let (enqueued, run) = (self.acknowledged(), self.ledger.lock().unwrap().len());
        until("jobs are enqueued and run", Duration::from_secs(60), async || {
            self.acknowledged() > enqueued + 50 && self.ledger.lock().unwrap().len() > run + 50
        })
        .await;
    }

    /// Waits until all jobs have ended, and checks them. Returns how many jobs took more than one attempt.
    pub(crate) async fn end(mut self, url: &str) -> usize {
        until("enough was enqueued", Duration::from_secs(60), async || self.acknowledged() > JOBS).await;
        self.enough.send_replace(true);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        let app = application(url).await;
        until("all jobs have ended", Duration::from_secs(90), async || {
            let Ok(kinds) = app.jobs().stats().await else { return false };
            kinds.iter().all(|of| of.counts.available + of.counts.running == 0)
        })
        .await;
        self.stop.send_replace(true);
        while let Some(worker) = self.workers.join_next().await {
            worker.unwrap();
        }

        let records = all_jobs(&app).await;
        let (told, ledger) = (self.told.lock().unwrap(), self.ledger.lock().unwrap());
        assert!(told.acknowledged.iter().all(|id| records.contains_key(id)), "a job was lost");
        assert!(ledger.keys().all(|id| records.contains_key(id)), "a job ran that was not committed");
        for (id, record) in &records {
            assert!(told.acknowledged.contains(id) || told.in_doubt.contains(id));
            let attempts = &ledger[id];
            let (last, (by, _)) = attempts.last_key_value().unwrap();
            assert_eq!(
                (record.state, record.attempt, record.worker.as_ref()),
                (JobState::Completed, *last, Some(by)),
                "the last attempt finished it, and no stale one"
            );
            for (attempt, (_, at)) in attempts.iter().filter(|(attempt, _)| **attempt > 1) {
                let leases = LEASE * (attempt - 1) - CLAIM;
                assert!(
                    *at - record.created_at >= chrono::TimeDelta::from_std(leases).unwrap(),
                    "attempt {attempt} is explained by leases that ran out"
                );
            }
        }
        records.values().filter(|record| record.attempt > 1).count()
    }
}

async fn enqueue(app: WorkScribe, told: Arc<Mutex<Told>>, enough: watch::Receiver<bool>) {
    for count in 0_u64.. {
        if *enough.borrow() {
            return;
        }
        // Some jobs run for longer than a heartbeat.
        let line = |n| Line { millis: if (count + n) % 40 == 0 { 2_000 } else { 10 } };
        let jobs: Vec<_> = (0..5).map(|n| app.jobs().prepare(&line(n)).unwrap()).collect();
        let done = app.jobs().enqueue(&jobs).await;
        let ids = jobs.iter().map(|job| job.id);
        match done {
            Ok(_) => told.lock().unwrap().acknowledged.extend(ids),
            Err(_) => told.lock().unwrap().in_doubt.extend(ids),
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

pub(crate) async fn all_jobs(app: &WorkScribe) -> BTreeMap<JobId, JobRecord> {
    let (mut all, mut before) = (BTreeMap::new(), None);
    loop {
        let page = app.jobs().list(&JobFilter::default(), before, 500).await.unwrap();
        let Some(last) = page.last() else { return all };
        before = Some(last.id);
        all.extend(page.into_iter().map(|job| (job.id, job)));
    }
}
