//! Addresses that refuse mail: where it is shown, which mails are no longer sent, and how the mark ends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use workscribe_core::identity::Email;
use workscribe_core::outbox::{JobFilter, JobState};
use workscribe_core::ports::Secret;
use workscribe_core::webhooks::VerifyingSecret;
use workscribe_http::HttpOptions;

use crate::support::*;
use crate::workshop::{Workshop, id};

const BOB: &str = "bob@example.com";
const REASON: &str = "the server answered 550 5.1.1";

/// What an embedder does when a webhook of the provider reports a bounce.
async fn bounce(app: &TestApp, email: &str) {
    let mut uow = app.app.begin().await.unwrap();
    let email = Email::parse(email).unwrap();
    app.app.identity().mail_bounced(&mut *uow, &email, REASON, None).await.unwrap();
    app.app.commit(uow).await.unwrap();
}

async fn me(app: &TestApp, login: &Login) -> Value {
    app.get("/auth/me").bearer(login).send().await.expect(StatusCode::OK).json
}

/// Whether the list of invitations shows that the address refuses mail.
async fn invited(shop: &Workshop) -> Value {
    let listed = walk(&shop.app, &shop.ada, &format!("{ORG}/invitations"), 100).await;
    listed.iter().find(|invitation| invitation["email"] == BOB).unwrap()["email_bouncing"].clone()
}

async fn invite(shop: &Workshop) -> Value {
    shop.make(&shop.ada, &format!("{ORG}/invite"), json!({"email": BOB, "role": "member"})).await
}

/// Assigns a task to Grace, and lets the time of a digest pass. Returns how many mails were sent to her.
async fn digests_after_a_new_task(shop: &Workshop) -> usize {
    shop.app.drain().await;
    drop(shop.app.mail.take());
    shop.task(json!({"title": "Weave", "assignee_id": shop.grace.user_id})).await;
    shop.app.clock.advance(TimeDelta::minutes(5));
    shop.app.drain().await;
    shop.app.mail.take().iter().filter(|mail| mail.to == shop.grace.email).count()
}

async fn buried(app: &TestApp) -> usize {
    let filter = JobFilter { state: Some(JobState::Buried), ..JobFilter::default() };
    app.app.jobs().list(&filter, None, 100).await.unwrap().len()
}

/// The names of the headers with the id, the time and the signatures of a message.
type Headers = [&'static str; 3];
const SVIX: Headers = ["svix-id", "svix-timestamp", "svix-signature"];
const OF_THE_STANDARD: Headers = ["webhook-id", "webhook-timestamp", "webhook-signature"];
const UNKNOWN: Headers = ["x-id", "x-timestamp", "x-signature"];

/// The key of Resend's webhook.
const KEY: [u8; 24] = *b"twenty-four bytes of it.";

/// An application that receives Resend's events.
async fn listening(on: On) -> TestApp {
    let app = on.app().await;
    let secret = VerifyingSecret::parse(&Secret::new(format!("whsec_{}", STANDARD.encode(KEY))));
    let options = HttpOptions { resend_webhook: secret, ..HttpOptions::default() };
    let apis = workscribe_http::all(&app.app);
    app.serving(apis, &options)
}

/// Sends a message as Resend does. Its signature is for `signed`, with a time that is so many seconds ago.
async fn tell_signed(app: &TestApp, headers: Headers, signed: &str, seconds: i64, body: &str) -> Answer {
    let timestamp = app.app.now().timestamp() - seconds;
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(format!("msg_1.{timestamp}.{signed}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    app.request(Method::POST, "/hooks/resend")
        .header("content-type", "application/json")
        .header(headers[0], "msg_1")
        .header(headers[1], &timestamp.to_string())
        .header(headers[2], &signature)
        .raw(body.to_owned())
        .send()
        .await
}

async fn tell(app: &TestApp, event: &Value) -> Answer {
    let body = event.to_string();
    tell_signed(app, SVIX, &body, 0, &body).await
}

on_every_storage! {
    async fn what_resend_tells_of_an_address_is_noted_and_taken_back(on: On) {
        let app = listening(on).await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        let of_mail = |kind: &str, detail: &str, cause: &str| json!({
            "type": kind, "created_at": "2026-11-23T12:00:00.000Z",
            "data": {
                "email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "from": "WorkScribe <no-reply@example.com>",
                "to": [" Ada@Example.com ", "no address"], "subject": "Verify", detail: {"type": cause, "message": "No."},
            },
        });
        let of_list = |kind: &str| json!({"type": kind, "data": {"id": "1", "email": "ada@example.com", "origin": "bounce"}});
        let removed = of_list("suppression.removed");
        for event in [
            of_mail("email.bounced", "bounce", "Permanent"),
            of_mail("email.bounced", "bounce", "Undetermined"),
            of_mail("email.bounced", "other", "-"),
            of_mail("email.suppressed", "suppressed", "OnAccountSuppressionList"),
            of_list("suppression.added"),
        ] {
            for turn in ["once", "and again"] {
                tell(&app, &event).await.expect(StatusCode::NO_CONTENT);
                assert_eq!(me(&app, &ada).await["email_bouncing"], true, "{turn}: {event}");
            }
            assert_eq!(me(&app, &grace).await["email_bouncing"], false, "another's is another's");
            tell(&app, &removed).await.expect(StatusCode::NO_CONTENT);
            assert_eq!(me(&app, &ada).await["email_bouncing"], false, "{event}");
        }
        for event in [
            of_mail("email.bounced", "bounce", "Transient"),
            of_mail("email.delivered", "bounce", "Permanent"),
            json!({"type": "contact.created", "data": {"email": "ada@example.com", "to": 5}}),
            json!({"type": "of.the.future"}),
            removed,
        ] {
            tell(&app, &event).await.expect(StatusCode::NO_CONTENT);
            assert_eq!(me(&app, &ada).await["email_bouncing"], false, "{event}");
        }
    }

    async fn nobody_but_resend_is_believed(on: On) {
        let app = listening(on).await;
        let ada = app.register("ada@example.com").await;
        let event = json!({"type": "email.bounced", "data": {"to": ["ada@example.com"]}}).to_string();
        let other = event.replace("ada", "bob");
        for (headers, signed, seconds) in [(SVIX, &other, 0), (SVIX, &event, 301), (SVIX, &event, -301), (UNKNOWN, &event, 0)] {
            tell_signed(&app, headers, signed, seconds, &event).await.refused(401, "UNAUTHENTICATED");
        }
        let unsigned = app.request(Method::POST, "/hooks/resend").raw(event.clone());
        unsigned.send().await.refused(401, "UNAUTHENTICATED");
        assert_eq!(me(&app, &ada).await["email_bouncing"], false);
        let get = app.request(Method::GET, "/hooks/resend").send().await.refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(get.header("allow"), Some("POST"));
        for (body, status, code) in [
            ("{", 400, "MALFORMED_BODY"),
            ("[]", 422, "VALIDATION_FAILED"),
            ("{}", 422, "VALIDATION_FAILED"),
            (r#"{"type": "email.bounced", "data": {"to": 5}}"#, 422, "VALIDATION_FAILED"),
            (r#"{"type": "suppression.added"}"#, 422, "VALIDATION_FAILED"),
        ] {
            tell_signed(&app, SVIX, body, 0, body).await.refused(status, code);
        }
        tell_signed(&app, OF_THE_STANDARD, &event, 299, &event).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(me(&app, &ada).await["email_bouncing"], true, "the standard's names of the headers do too");
        let deaf = on.app().await;
        tell_signed(&deaf, SVIX, &event, 0, &event).await.refused(404, "NOT_FOUND");
    }

    async fn an_admin_sees_whose_address_refused_the_invitation_until_one_arrives(on: On) {
        let shop = Workshop::new(on).await;
        shop.app.drain().await;
        shop.app.mail.refuse_addresses(1, REASON);
        let invitation = invite(&shop).await;
        assert_eq!(invitation["email_bouncing"], Value::Null, "in the list alone");
        assert_eq!(invited(&shop).await, false);
        shop.app.drain().await;
        assert_eq!(invited(&shop).await, true);
        assert_eq!(buried(&shop.app).await, 1);
        let path = format!("{ORG}/invitations/{}/resend", id(&invitation));
        shop.app.post(&path).bearer(&shop.ada).send().await.expect(StatusCode::NO_CONTENT);
        shop.app.drain().await;
        assert!(shop.app.mail.last_to(BOB).is_some(), "it is tried all the same");
        assert_eq!(invited(&shop).await, false);
    }

    async fn no_digest_goes_to_an_address_that_refuses_mail_and_the_list_has_it_all(on: On) {
        let shop = Workshop::new(on).await;
        assert_eq!(digests_after_a_new_task(&shop).await, 1);
        bounce(&shop.app, &shop.grace.email).await;
        assert_eq!(digests_after_a_new_task(&shop).await, 0);
        assert_eq!(buried(&shop.app).await, 0, "its job is done");
        let told = shop.read(&shop.grace, "/notifications").await;
        assert_eq!(told["unread_count"], 2);
    }

    async fn half_a_year_after_it_refused_mail_an_address_is_tried_again(on: On) {
        let mut shop = Workshop::new(on).await;
        bounce(&shop.app, &shop.grace.email).await;
        for (days, mails) in [(0, 0), (179, 0), (1, 1)] {
            shop.app.clock.advance(TimeDelta::days(days));
            shop.app.app.sweep().await.unwrap();
            shop.ada = shop.app.login(&shop.ada.email).await;
            assert_eq!(digests_after_a_new_task(&shop).await, mails, "{days} days later");
        }
    }

    async fn a_digest_that_is_refused_is_the_last(on: On) {
        let shop = Workshop::new(on).await;
        shop.app.drain().await;
        shop.app.mail.refuse_addresses(1, REASON);
        assert_eq!(digests_after_a_new_task(&shop).await, 0);
        assert_eq!(buried(&shop.app).await, 1);
        assert_eq!(me(&shop.app, &shop.grace).await["email_bouncing"], true);
        assert_eq!(digests_after_a_new_task(&shop).await, 0);
        assert_eq!(buried(&shop.app).await, 1, "the second was not tried");
    }

    async fn whoever_sees_that_their_address_refuses_mail_can_show_that_it_does_not(on: On) {
        let shop = Workshop::new(on).await;
        let (app, grace) = (&shop.app, &shop.grace);
        assert_eq!(me(app, grace).await["email_bouncing"], false);
        bounce(app, &grace.email).await;
        let seen = me(app, grace).await;
        assert_eq!((&seen["email_bouncing"], &seen["email_verified"]), (&json!(true), &json!(true)));
        let changed = app.patch("/auth/me").bearer(grace).json(&json!({"display_name": "Grace"})).send().await;
        assert_eq!(changed.expect(StatusCode::OK).json["email_bouncing"], true);
        assert_eq!(me(app, &shop.ada).await["email_bouncing"], false, "another's is another's");
        app.post("/auth/verify-email/resend").bearer(grace).send().await.expect(StatusCode::NO_CONTENT);
        let token = app.mailed_token(&grace.email).await;
        assert_eq!(me(app, grace).await["email_bouncing"], false, "the mail went");
        bounce(app, &grace.email).await;
        let body = json!({"token": token});
        app.post("/auth/verify-email").json(&body).send().await.expect(StatusCode::NO_CONTENT);
        assert_eq!(me(app, grace).await["email_bouncing"], false, "and was read");
        assert_eq!(digests_after_a_new_task(&shop).await, 1);
    }

    async fn a_token_that_came_by_mail_shows_that_the_address_takes_it(on: On) {
        let shop = Workshop::new(on).await;
        let (app, grace) = (&shop.app, &shop.grace);
        forgot(app, &grace.email).await.expect(StatusCode::NO_CONTENT);
        let token = app.mailed_token(&grace.email).await;
        bounce(app, &grace.email).await;
        reset(app, &token, PASSWORD).await.expect(StatusCode::NO_CONTENT);
        let grace = app.login(&grace.email).await;
        assert_eq!(me(app, &grace).await["email_bouncing"], false);

        invite(&shop).await;
        let token = app.mailed_token(BOB).await;
        bounce(app, BOB).await;
        let body = json!({"display_name": "Bob Babbage", "password": PASSWORD});
        let accepted = app.post(&format!("/auth/invitations/{token}/accept")).json(&body).send().await;
        let bob = Login::of(accepted.expect(StatusCode::OK));
        assert_eq!(me(app, &bob).await["email_bouncing"], false);
    }
}
