//! Each mail, from the service that enqueues it to the link in it.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use workscribe_core::identity::{Actor, Client, Register};
use workscribe_core::ports::{MailError, Secret};
use workscribe_core::tenancy::{NewInvitation, NewOrganization, Role};
use workscribe_core::{RegistrationPolicy, Settings, WorkScribe};
use workscribe_jobs::Registry;
use workscribe_jobs::mail::{DefaultTemplates, Links, workscribe_jobs};
use workscribe_testkit::mail::MailCapture;

use common::{app, app_with, build, counts, ring, worker};

const ADA: &str = "ada@example.com";

fn mails(capture: &MailCapture) -> Registry {
    let links = Links::new("https://app.example.com/base/").unwrap();
    workscribe_jobs(Arc::new(capture.clone()), Arc::new(DefaultTemplates::default()), links)
}

async fn register(app: &WorkScribe, email: &str, name: &str) {
    let input = Register {
        email: email.into(),
        display_name: name.into(),
        password: Secret::new("correct horse battery staple"),
    };
    app.identity().register(&input, &Client::default()).await.unwrap();
}

async fn actor(app: &WorkScribe, email: &str, name: &str) -> Actor {
    register(app, email, name).await;
    let mut uow = app.begin().await.unwrap();
    let user = app.identity().find_by_email(&mut *uow, email).await.unwrap().unwrap();
    let tokens = app.identity().start_session(&mut *uow, user, &Client::default()).await.unwrap();
    app.commit(uow).await.unwrap();
    app.identity().authenticate(tokens.access_token.expose()).await.unwrap()
}

async fn invite(app: &WorkScribe, owner: &Actor, org_name: &str) {
    let mut uow = app.begin().await.unwrap();
    let new = NewOrganization { name: org_name.into(), slug: "acme".into() };
    let at = app.organizations().create(&mut *uow, owner, &new).await.unwrap();
    let new = NewInvitation { email: "grace@example.com".into(), role: Role::Admin };
    app.organizations().invite(&mut *uow, &at, &new).await.unwrap();
    app.commit(uow).await.unwrap();
}

/// The text of a link between two other texts.
fn between<'a>(link: &'a str, before: &str, after: &str) -> &'a str {
    link.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or_else(|| panic!("{link}"))
}

#[tokio::test]
async fn the_link_of_a_verification_mail_verifies() {
    let (app, _) = app().await;
    let capture = MailCapture::new();
    register(&app, ADA, "Ada").await;
    worker(&app, mails(&capture)).drain().await.unwrap();
    let mail = capture.last_to(ADA).expect("a mail");
    let link = mail.link.unwrap();
    assert!(mail.text.contains(&link) && mail.html.contains(&link));
    assert!(mail.text.contains("48 hours"), "{}", mail.text);
    let token = between(&link, "https://app.example.com/base/verify-email?token=", "");
    let mut uow = app.begin().await.unwrap();
    app.identity().verify_email(&mut *uow, token).await.unwrap();
    app.commit(uow).await.unwrap();
    let mut reading = app.read().await.unwrap();
    assert!(app.identity().find_by_email(&mut *reading, ADA).await.unwrap().unwrap().email_verified);
}

#[tokio::test]
async fn the_link_of_a_reset_mail_sets_a_password_once() {
    let (app, _) = app().await;
    let capture = MailCapture::new();
    let worker = worker(&app, mails(&capture));
    register(&app, ADA, "Ada").await;
    worker.drain().await.unwrap();
    assert_eq!(capture.take().len(), 1);
    for email in [ADA, "nobody@example.com"] {
        let mut uow = app.begin().await.unwrap();
        app.identity().forgot_password(&mut *uow, email).await.unwrap();
        app.commit(uow).await.unwrap();
    }
    worker.drain().await.unwrap();
    assert_eq!(counts(&app).await.buried, 0);
    let all = capture.take();
    assert_eq!(all.len(), 1, "nobody gets none");
    assert!(all[0].text.contains("one hour"), "{}", all[0].text);
    let link = all[0].link.as_deref().unwrap();
    let token = between(link, "https://app.example.com/base/reset-password?token=", "");
    let password = Secret::new("another long password");
    app.identity().reset_password(token, &password, &Client::default()).await.unwrap();
    app.identity().reset_password(token, &password, &Client::default()).await.unwrap_err();
}

#[tokio::test]
async fn the_link_of_an_invitation_leads_into_the_organization() {
    let (app, _) = app().await;
    let capture = MailCapture::new();
    let owner = actor(&app, ADA, "Ada <b>Lovelace</b>").await;
    invite(&app, &owner, "Acme <script>alert(1)</script>").await;
    worker(&app, mails(&capture)).drain().await.unwrap();
    let mail = capture.last_to("grace@example.com").expect("a mail");
    assert!(!mail.html.contains("<script") && !mail.html.contains("<b>"), "{}", mail.html);
    assert_eq!(mail.subject, "You are invited to an organization on WorkScribe");
    assert!(mail.text.contains("Acme"), "{}", mail.text);
    let link = mail.link.unwrap();
    let token = between(&link, "https://app.example.com/base/invitations/", "/accept");
    let mut reading = app.read().await.unwrap();
    let preview = app.organizations().preview_invitation(&mut *reading, token).await.unwrap();
    assert_eq!(preview.invitation.role, Role::Admin);
}

#[tokio::test]
async fn an_account_that_is_there_already_is_told_so_by_mail() {
    let settings = Settings { registration: RegistrationPolicy::VerifyFirst, ..Settings::default() };
    let (app, clock) = app_with(settings).await;
    let capture = MailCapture::new();
    let worker = worker(&app, mails(&capture));
    register(&app, ADA, "Ada").await;
    worker.drain().await.unwrap();
    let first = capture.take();
    assert_eq!(first.len(), 1);
    assert!(
        first[0].text.starts_with("Hello,"),
        "nobody has shown that the name is theirs: {}",
        first[0].text
    );
    register(&app, ADA, "Eve").await;
    worker.drain().await.unwrap();
    let mail = capture.last_to(ADA).expect("a mail");
    assert!(mail.subject.contains("already"), "{}", mail.subject);
    assert!(mail.text.starts_with("Hello,"), "{}", mail.text);
    assert_eq!(mail.link.as_deref(), Some("https://app.example.com/base/"));

    let link = first[0].link.as_deref().unwrap();
    let token = between(link, "https://app.example.com/base/verify-email?token=", "");
    let mut uow = app.begin().await.unwrap();
    app.identity().verify_email(&mut *uow, token).await.unwrap();
    app.commit(uow).await.unwrap();
    register(&app, ADA, "Eve").await;
    worker.drain().await.unwrap();
    assert!(capture.last_to(ADA).expect("a mail").text.starts_with("Hello Ada,"));
    // The mails above the limit are left out, and the answer is the same.
    for _ in 0..5 {
        register(&app, ADA, "Eve").await;
    }
    worker.drain().await.unwrap();
    assert_eq!(capture.take().len(), 3, "three a day");
    clock.advance(TimeDelta::days(1));
    register(&app, ADA, "Eve").await;
    worker.drain().await.unwrap();
    assert_eq!(capture.take().len(), 1);
}

#[tokio::test]
async fn mail_that_somebody_waits_for_goes_before_invitations() {
    let (app, _) = app().await;
    let capture = MailCapture::new();
    let owner = actor(&app, ADA, "Ada").await;
    worker(&app, mails(&capture)).drain().await.unwrap();
    drop(capture.take());
    let mut uow = app.begin().await.unwrap();
    let new = NewOrganization { name: "Acme".into(), slug: "acme".into() };
    let at = app.organizations().create(&mut *uow, &owner, &new).await.unwrap();
    for number in 0..20 {
        let new = NewInvitation { email: format!("guest-{number}@example.com"), role: Role::Member };
        app.organizations().invite(&mut *uow, &at, &new).await.unwrap();
    }
    app.commit(uow).await.unwrap();
    let mut uow = app.begin().await.unwrap();
    app.identity().forgot_password(&mut *uow, ADA).await.unwrap();
    app.commit(uow).await.unwrap();
    let kinds = [
        <workscribe_core::tenancy::SendInvitationMail as workscribe_core::outbox::Job>::KIND,
        <workscribe_core::identity::SendAccountMail as workscribe_core::outbox::Job>::KIND,
    ];
    let now = app.now();
    let queue = <workscribe_core::identity::SendAccountMail as workscribe_core::outbox::Job>::QUEUE;
    let claim = workscribe_core::outbox::Claim {
        queue,
        kinds: &kinds,
        limit: 1,
        worker: "a test",
        now,
        lease_until: now,
        turn: workscribe_core::outbox::Turn::default(),
    };
    let mut uow = app.begin().await.unwrap();
    let claimed = uow.jobs().claim(&claim).await.unwrap();
    app.commit(uow).await.unwrap();
    assert_eq!(claimed[0].payload["mail"], "reset_password");
}

#[tokio::test]
async fn an_invitation_whose_key_is_gone_is_buried() {
    let (before, clock) = app().await;
    let owner = actor(&before, ADA, "Ada").await;
    let capture = MailCapture::new();
    worker(&before, mails(&capture)).drain().await.unwrap();
    assert_eq!(capture.take().len(), 1);
    invite(&before, &owner, "Acme").await;
    let after = build(Arc::clone(before.storage()), &clock, ring("n"), Settings::default());
    worker(&after, mails(&capture)).drain().await.unwrap();
    assert!(capture.all().is_empty());
    assert_eq!(counts(&after).await.buried, 1);
}

#[tokio::test]
async fn a_mail_that_cannot_go_now_is_the_same_when_it_goes() {
    let (app, clock) = app().await;
    let capture = MailCapture::new();
    let worker = worker(&app, mails(&capture));
    register(&app, ADA, "Ada").await;
    capture.fail(1, || MailError::Temporary {
        reason: "busy".into(),
        retry_after: Some(Duration::from_secs(30)),
    });
    worker.drain().await.unwrap();
    assert!(capture.all().is_empty());
    clock.advance(TimeDelta::seconds(29));
    assert_eq!(worker.drain().await.unwrap(), 0, "the provider's wish");
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(capture.all().len(), 1);

    register(&app, "eve@example.com", "Eve").await;
    capture.fail_permanently(1, "no such mailbox");
    worker.drain().await.unwrap();
    assert_eq!(counts(&app).await.buried, 1);
}
