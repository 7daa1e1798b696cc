//! The mail jobs and an address that refuses mail.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod common;

use std::sync::Arc;

use chrono::TimeDelta;
use workscribe_core::WorkScribe;
use workscribe_core::id::JobId;
use workscribe_core::identity::{Bounce, Email};
use workscribe_core::outbox::{JobFilter, JobState};
use workscribe_jobs::Worker;
use workscribe_jobs::mail::{DefaultTemplates, Links, workscribe_jobs};
use workscribe_testkit::mail::MailCapture;

use common::{app, counts, worker};

const ADA: &str = "ada@example.com";

fn mailing(app: &WorkScribe, capture: &MailCapture) -> Worker {
    let links = Links::new("https://app.example.com").unwrap();
    worker(app, workscribe_jobs(Arc::new(capture.clone()), Arc::new(DefaultTemplates::default()), links))
}

async fn register(app: &WorkScribe) -> JobId {
    let mut uow = app.begin().await.unwrap();
    app.identity().create_without_password(&mut *uow, ADA, "Ada Lovelace", false).await.unwrap();
    app.commit(uow).await.unwrap();
    app.jobs().list(&JobFilter::default(), None, 1).await.unwrap()[0].id
}

async fn ask_for_a_new_password(app: &WorkScribe) {
    let mut uow = app.begin().await.unwrap();
    app.identity().forgot_password(&mut *uow, ADA).await.unwrap();
    app.commit(uow).await.unwrap();
}

async fn noted(app: &WorkScribe) -> Option<Bounce> {
    let email = Email::parse(ADA).unwrap();
    app.read().await.unwrap().bounces().find(&email).await.unwrap()
}

#[tokio::test]
async fn a_refused_address_buries_the_job_and_is_noted_with_it() {
    let (app, _) = app().await;
    let capture = MailCapture::new();
    let job = register(&app).await;
    capture.refuse_addresses(1, "the server answered 550 5.1.1");
    assert_eq!(mailing(&app, &capture).drain().await.unwrap(), 1);
    let record = app.jobs().find(job).await.unwrap();
    assert_eq!(
        (record.state, record.last_error.as_deref()),
        (JobState::Buried, Some("the address was refused: the server answered 550 5.1.1"))
    );
    let expected = Bounce {
        email: Email::parse(ADA).unwrap(),
        reason: "the server answered 550 5.1.1".into(),
        job: Some(job),
        bounced_at: app.now(),
    };
    assert_eq!(noted(&app).await, Some(expected));
}

#[tokio::test]
async fn a_mail_that_is_refused_for_itself_or_only_now_notes_no_address() {
    let (app, clock) = app().await;
    let capture = MailCapture::new();
    register(&app).await;
    capture.fail_temporarily(1, "busy");
    capture.fail_permanently(1, "no such field");
    let worker = mailing(&app, &capture);
    worker.drain().await.unwrap();
    clock.advance(TimeDelta::seconds(2));
    worker.drain().await.unwrap();
    assert_eq!(counts(&app).await.buried, 1);
    assert_eq!(noted(&app).await, None);
}

#[tokio::test]
async fn a_mail_that_a_person_asked_for_is_tried_and_ends_the_mark_when_it_goes() {
    let (app, _) = app().await;
    let capture = MailCapture::new();
    let worker = mailing(&app, &capture);
    register(&app).await;
    capture.refuse_addresses(2, "the server answered 550 5.1.1");
    worker.drain().await.unwrap();
    ask_for_a_new_password(&app).await;
    worker.drain().await.unwrap();
    assert_eq!(counts(&app).await.buried, 2, "refused again");
    assert!(noted(&app).await.is_some());
    ask_for_a_new_password(&app).await;
    worker.drain().await.unwrap();
    assert!(capture.last_to(ADA).is_some());
    assert_eq!(noted(&app).await, None);
}

#[tokio::test]
async fn a_reason_is_one_line_of_bounded_length() {
    let (app, _) = app().await;
    let mut uow = app.begin().await.unwrap();
    let email = Email::parse(ADA).unwrap();
    let reason = format!("one\r\ntwo\0{}", "ä".repeat(500));
    app.identity().mail_bounced(&mut *uow, &email, &reason, None).await.unwrap();
    app.commit(uow).await.unwrap();
    let noted = noted(&app).await.unwrap();
    assert!(noted.reason.starts_with("onetwoä") && noted.job.is_none());
    assert_eq!(noted.reason.chars().count(), 200);
}
