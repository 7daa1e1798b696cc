//! Workers that are stopped, killed during a job, or paused for longer than their lease.

use std::time::Duration;

use sqlx::AnyPool;
use workscribe::WorkScribe;
use workscribe::clock::{Clock as _, SystemClock};
use workscribe::id::JobId;
use workscribe::jobs::WorkerOptions;
use workscribe::outbox::{Job as _, JobRecord, JobState};
use workscribe_testkit::databases::{self, TestDatabase};

use crate::load::application;
use crate::process::{Gated, LEASE, PATIENCE, Process, book, lines, write};
use crate::until;

/// A database, with a table of the test beside WorkScribe's.
struct Scene {
    database: TestDatabase,
    app: WorkScribe,
    book: AnyPool,
}

impl Scene {
    async fn on(database: TestDatabase) -> Self {
        let (app, book) = (application(&database.url).await, book(&database.url).await);
        Self { database, app, book }
    }

    fn start(&self, name: &str, concurrency: u32) -> Process {
        Process::start(&self.database.url, name, concurrency, None)
    }

    async fn enqueue(&self) -> JobId {
        self.enqueue_one(&Gated::default()).await
    }

    async fn enqueue_one(&self, job: &Gated) -> JobId {
        let job = self.app.jobs().prepare(job).unwrap();
        self.app.jobs().enqueue(std::slice::from_ref(&job)).await.unwrap();
        job.id
    }

    async fn has_begun(&self, job: JobId, attempt: u32) {
        // The job of a silent worker runs again after its lease, at most half a minute later.
        until("the attempt has begun", LEASE + Duration::from_secs(30), async || {
            lines(&self.book, "begun", job, attempt).await > 0
        })
        .await;
    }

    async fn let_go_on(&self, job: JobId, attempt: u32) {
        write(&self.book, "open", job, attempt).await.unwrap();
    }

    async fn job(&self, job: JobId) -> JobRecord {
        self.app.jobs().find(job).await.unwrap()
    }

    async fn has_ended_by(&self, job: JobId, attempt: u32, worker: &str) {
        until("the job is completed", PATIENCE, async || self.job(job).await.state == JobState::Completed)
            .await;
        let record = self.job(job).await;
        assert_eq!((record.attempt, record.worker.as_deref()), (attempt, Some(worker)));
        assert_eq!(lines(&self.book, "ended", job, attempt).await, 1);
    }
}

async fn a_worker_that_is_told_to_stop_ends_what_is_short_and_gives_back_what_is_not(database: TestDatabase) {
    let scene = Scene::on(database).await;
    assert_eq!(WorkerOptions::default().shutdown_grace, Duration::from_secs(10), "it is less here");
    let first = scene.start("first", 4);
    let mut short = Vec::new();
    for _ in 0..3 {
        short.push(scene.enqueue().await);
    }
    let long = scene.enqueue().await;
    for job in short.iter().chain([&long]) {
        scene.has_begun(*job, 1).await;
    }
    first.signal("TERM");
    let late = scene.enqueue().await;
    for job in &short {
        scene.let_go_on(*job, 1).await;
    }
    first.ended().await;

    for job in &short {
        scene.has_ended_by(*job, 1, "first").await;
    }
    let given_back = scene.job(long).await;
    assert_eq!((given_back.state, given_back.snoozed), (JobState::Available, 1));
    assert_eq!(
        (given_back.attempt, given_back.max_attempts),
        (0, Gated::MAX_ATTEMPTS),
        "it costs no attempt"
    );
    assert!(given_back.run_at <= SystemClock.now(), "and may run at once");
    assert_eq!(lines(&scene.book, "ended", long, 1).await, 0);

    // It is still the first attempt that counts, also of the late job, which may have been claimed before the signal.
    scene.let_go_on(long, 1).await;
    scene.let_go_on(late, 1).await;
    let second = scene.start("second", 4);
    scene.has_ended_by(long, 1, "second").await;
    scene.has_ended_by(late, 1, "second").await;
    second.signal("TERM");
    second.ended().await;
}

async fn the_job_of_a_worker_that_is_killed_runs_again(database: TestDatabase) {
    let scene = Scene::on(database).await;
    let first = scene.start("first", 1);
    let job = scene.enqueue().await;
    scene.has_begun(job, 1).await;
    let _second = scene.start("second", 1);
    drop(first);
    scene.has_begun(job, 2).await;
    // The first attempt has ended with its worker, so this has no effect.
    scene.let_go_on(job, 1).await;
    scene.let_go_on(job, 2).await;
    scene.has_ended_by(job, 2, "second").await;
    assert_eq!(lines(&scene.book, "ended", job, 1).await, 0);
}

async fn a_worker_that_was_paused_for_longer_than_its_lease_does_not_finish_the_job(database: TestDatabase) {
    let scene = Scene::on(database).await;
    let first = scene.start("first", 1);
    let time = LEASE * 2;
    let job = scene.enqueue_one(&Gated { first_takes: Some(time) }).await;
    scene.has_begun(job, 1).await;
    let over = tokio::time::Instant::now() + time;
    loop {
        first.signal("STOP");
        // Not during a transaction, whose lock it would hold until the system releases it.
        let jobs = scene.app.jobs();
        let written = tokio::time::timeout(Duration::from_secs(2), jobs.pause("nobody's")).await;
        if matches!(written, Ok(Ok(()))) {
            break;
        }
        first.signal("CONT");
    }
    let _second = scene.start("second", 1);
    scene.has_begun(job, 2).await;
    // The time of the first attempt is over as soon as its worker continues, before that learns that another one has the job.
    tokio::time::sleep_until(over).await;
    first.signal("CONT");
    first.signal("TERM");
    first.ended().await;
    let record = scene.job(job).await;
    assert_eq!(
        (record.state, record.attempt, record.worker.as_deref()),
        (JobState::Running, 2, Some("second")),
        "what the first has to say does not count"
    );
    scene.let_go_on(job, 2).await;
    scene.has_ended_by(job, 2, "second").await;
}

/// Makes one test for each database.
macro_rules! on_both {
    ($($what:ident: $sqlite:ident, $postgres:ident;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $sqlite() {
            $what(databases::sqlite().await).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $postgres() {
            $what(databases::postgres().await).await;
        }
    )+};
}

on_both! {
    a_worker_that_is_told_to_stop_ends_what_is_short_and_gives_back_what_is_not:
        a_worker_on_sqlite_that_is_told_to_stop_ends_what_is_short_and_gives_back_what_is_not,
        a_worker_on_postgres_that_is_told_to_stop_ends_what_is_short_and_gives_back_what_is_not;
    the_job_of_a_worker_that_is_killed_runs_again:
        the_job_of_a_worker_on_sqlite_that_is_killed_runs_again,
        the_job_of_a_worker_on_postgres_that_is_killed_runs_again;
    a_worker_that_was_paused_for_longer_than_its_lease_does_not_finish_the_job:
        a_worker_on_sqlite_that_was_paused_for_longer_than_its_lease_does_not_finish_the_job,
        a_worker_on_postgres_that_was_paused_for_longer_than_its_lease_does_not_finish_the_job;
}
