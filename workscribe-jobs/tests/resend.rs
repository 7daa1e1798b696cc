//! Mails through a Resend that loses responses and is slow, busy and broken: it sends one mail for each key, and no job is lost.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use workscribe_core::WorkScribe;
use workscribe_core::clock::Clock as _;
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::outbox::{JobCounts, JobFilter, JobState};
use workscribe_core::ports::{Mail, MailError, Mailer as _, Secret};
use workscribe_jobs::mail::{DefaultTemplates, Links, ResendMailer, workscribe_jobs};
use workscribe_jobs::{Worker, WorkerOptions};
use workscribe_testkit::clock::{FrozenClock, SeededEntropy};
use workscribe_testkit::databases::{self, TestDatabase};
use workscribe_testkit::resend::{FakeResend, Fault, Faults, Outcome};

const MAILS: usize = 300;
/// Longer than the clients wait for a response.
const SLOW: Duration = Duration::from_millis(900);
const PATIENCE: Duration = Duration::from_millis(500);
const LEASE: Duration = Duration::from_secs(1_200);

fn mailer(resend: &FakeResend) -> ResendMailer {
    let key = Secret::new("re_test");
    let mailer = ResendMailer::new(&key, resend.url(), "WorkScribe <no-reply@example.com>").unwrap();
    mailer.with_timeout(PATIENCE)
}

async fn counts(app: &WorkScribe) -> JobCounts {
    let mut sum = JobCounts::default();
    for mut of in app.jobs().stats().await.unwrap() {
        for state in JobState::ALL {
            *sum.of(state) += *of.counts.of(state);
        }
    }
    sum
}

/// Starts a worker that runs until it is aborted.
fn work(app: &WorkScribe, resend: &FakeResend) -> JoinHandle<()> {
    let links = Links::new("https://app.example.com").unwrap();
    let registry = workscribe_jobs(Arc::new(mailer(resend)), Arc::new(DefaultTemplates::default()), links);
    let options = WorkerOptions { lease: LEASE, poll: Duration::from_millis(20), ..WorkerOptions::default() };
    let worker = Worker::new(app.clone(), registry, options.concurrency(16));
    tokio::spawn(async move { worker.run(std::future::pending()).await })
}

/// Advances the clock until so many jobs are completed: 200 times as fast as a real clock while there are calls, and faster while
/// all mails wait.
async fn until_done(app: &WorkScribe, clock: &FrozenClock, resend: &FakeResend, jobs: usize) {
    let running = async {
        loop {
            let now = counts(app).await;
            assert_eq!(now.buried, 0, "no job is given up: {now:?}");
            if usize::try_from(now.completed).unwrap() >= jobs {
                return;
            }
            let step = if resend.running() == 0 { 20 } else { 4 };
            clock.advance(TimeDelta::seconds(step));
            sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = timeout(Duration::from_secs(240), running).await;
    assert!(in_time.is_ok(), "{:?}", counts(app).await);
}

async fn each_mail_arrives_once(database: TestDatabase) {
    let clock = FrozenClock::default();
    let keys = SecretRing::new(SecretKey::new(&Secret::new("k".repeat(32))).unwrap(), Vec::new());
    let app = WorkScribe::builder(Arc::clone(&database.storage), keys)
        .clock(Arc::new(clock.clone()))
        .entropy(Arc::new(SeededEntropy::new(11)))
        .build();
    let mut uow = app.begin().await.unwrap();
    for number in 0..MAILS {
        let email = format!("user-{number}@example.com");
        app.identity().create_without_password(&mut *uow, &email, "Ada Lovelace", false).await.unwrap();
    }
    app.commit(uow).await.unwrap();
    let jobs = app.jobs().list(&JobFilter::default(), None, 1_000).await.unwrap();
    let jobs: BTreeSet<String> = jobs.into_iter().map(|job| job.id.to_string()).collect();
    assert_eq!(jobs.len(), MAILS);

    let faults = Faults { seed: 7, percent: 45, most: 4, slow: SLOW, retry_after: 30 };
    let resend = FakeResend::start(Arc::new(clock.clone()), faults).await;
    let first = work(&app, &resend);
    until_done(&app, &clock, &resend, MAILS / 3).await;
    let second = work(&app, &resend);
    until_done(&app, &clock, &resend, MAILS / 2).await;
    // The first worker crashes. The second takes over its jobs after their leases expire.
    first.abort();
    drop(first.await);
    until_done(&app, &clock, &resend, MAILS).await;
    second.abort();

    let done = JobCounts { completed: i64::try_from(MAILS).unwrap(), ..JobCounts::default() };
    assert_eq!(counts(&app).await, done, "no job is lost, and none is buried");
    let received = resend.received();
    let mut accepted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for call in &received {
        bodies.entry(&call.key).or_default().insert(&call.body);
        *accepted.entry(&call.key).or_default() += usize::from(call.outcome == Outcome::Accepted);
    }
    assert!(
        bodies.keys().copied().eq(jobs.iter().map(String::as_str)),
        "each job's id is the key of its mail"
    );
    assert!(bodies.values().all(|said| said.len() == 1), "every attempt says the same");
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "each mail was accepted once: {twice:?}");
    for fault in [Fault::Lost, Fault::Slow, Fault::Busy, Fault::Broken] {
        assert!(received.iter().any(|call| call.fault == Some(fault)), "{fault:?} did not come");
    }
    let repeated = received.iter().filter(|call| call.outcome == Outcome::Repeated).count();
    assert!(repeated > 0, "what was lost was asked for again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_mail_of_hundreds_arrives_once_over_sqlite() {
    each_mail_arrives_once(databases::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_mail_of_hundreds_arrives_once_over_postgres() {
    each_mail_arrives_once(databases::postgres().await).await;
}

fn mail(text: &str) -> Mail {
    Mail {
        id: "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f".parse().unwrap(),
        to: "ada@example.com".into(),
        subject: "Hello".into(),
        text: text.into(),
        html: text.into(),
        link: None,
    }
}

fn outcomes(resend: &FakeResend) -> Vec<Outcome> {
    resend.received().into_iter().map(|call| call.outcome).collect()
}

#[tokio::test]
async fn a_key_stands_for_one_mail_for_a_day() {
    let clock = FrozenClock::default();
    let resend = FakeResend::start(Arc::new(clock.clone()), Faults::NONE).await;
    let mailer = mailer(&resend);
    mailer.send(&mail("one")).await.unwrap();
    clock.set(clock.now() + TimeDelta::hours(24) - TimeDelta::seconds(1));
    mailer.send(&mail("one")).await.unwrap();
    let refused = mailer.send(&mail("two")).await;
    assert!(matches!(refused, Err(MailError::Permanent { .. })), "{refused:?}");
    clock.advance(TimeDelta::seconds(1));
    mailer.send(&mail("two")).await.unwrap();
    assert_eq!(
        outcomes(&resend),
        [Outcome::Accepted, Outcome::Repeated, Outcome::AnotherMail, Outcome::Accepted]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_whose_call_still_runs_goes_once() {
    let faults = |seed| Faults { seed, percent: 100, most: 1, slow: Duration::from_secs(2), retry_after: 0 };
    let key = mail("one").id.to_string();
    let seed = (0..).find(|seed| faults(*seed).of(&key, 0) == Some(Fault::Slow)).unwrap();
    let resend = FakeResend::start(Arc::new(FrozenClock::default()), faults(seed)).await;
    let slow = mailer(&resend).with_timeout(Duration::from_secs(60));
    let running = tokio::spawn(async move { slow.send(&mail("one")).await });
    while resend.running() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let refused = mailer(&resend).send(&mail("one")).await;
    assert!(matches!(refused, Err(MailError::Temporary { .. })), "{refused:?}");
    running.await.unwrap().unwrap();
    mailer(&resend).send(&mail("one")).await.unwrap();
    assert_eq!(outcomes(&resend), [Outcome::StillRunning, Outcome::Accepted, Outcome::Repeated]);
}
