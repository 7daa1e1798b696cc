//! Accounts: registration under both policies, the profile, verification, and accounts without a password or disabled.

use workscribe_core::RegistrationPolicy;
use workscribe_testkit::app::PUBLIC_URL;

use crate::support::*;

fn registration(email: &str) -> Value {
    json!({"display_name": "Ada Lovelace", "email": email, "password": PASSWORD})
}

fn credentials(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

async fn verify_first(on: On) -> TestApp {
    let settings = Settings { registration: RegistrationPolicy::VerifyFirst, ..Settings::default() };
    on.app_with(|builder| builder.settings(settings)).await
}

async fn set_disabled(app: &TestApp, login: &Login, disabled: bool) {
    let mut uow = app.app.begin().await.unwrap();
    let user = login.user_id.parse().unwrap();
    app.app.identity().set_disabled(&mut *uow, user, disabled).await.unwrap();
    app.app.commit(uow).await.unwrap();
}

on_every_storage! {
    async fn who_registers_is_logged_in(on: On) {
        let app = on.app().await;
        let body = json!({"display_name": "  Ada Lovelace ", "email": " Ada@Example.COM", "password": PASSWORD});
        let made = app.post("/auth/register").json(&body).send().await.expect(StatusCode::CREATED);
        assert_eq!(made.header("location"), Some("/api/v1/auth/me"));
        assert_eq!((&made.json["token_type"], &made.json["expires_in"]), (&json!("bearer"), &json!(900)));
        let user = made.json["user"].clone();
        let expected = json!({
            "id": user["id"], "email": "ada@example.com", "display_name": "Ada Lovelace", "avatar_url": null,
            "email_verified": false, "created_at": "2033-05-18T03:33:20.123456Z",
            "updated_at": "2033-05-18T03:33:20.123456Z",
        });
        assert_eq!(user, expected);
        let login = Login::of(made);
        let me = app.get("/auth/me").bearer(&login).send().await.expect(StatusCode::OK);
        let mut own = expected.clone();
        own["email_bouncing"] = json!(false);
        assert_eq!(me.json, own);
        let again = app.post("/auth/login").json(&credentials("ADA@example.com")).send().await;
        assert_eq!(again.expect(StatusCode::OK).json["user"], expected);
    }

    async fn an_address_and_its_form_in_ascii_are_one_account(on: On) {
        let app = on.app().await;
        let forms = ["jürgen@bücher.example", "Ju\u{308}rgen@xn--bcher-kva.example", "jürgen@BÜCHER\u{3002}example"];
        let ada = app.register(forms[0]).await;
        app.organization(&ada, "engines").await;
        for form in forms {
            assert_eq!(app.login(form).await.user_id, ada.user_id, "{form}");
            let body = json!({"display_name": "Ada Lovelace", "email": form, "password": PASSWORD});
            app.post("/auth/register").json(&body).send().await.refused(409, "EMAIL_TAKEN");
            let body = json!({"email": form, "role": "member"});
            let invited = app.post("/organizations/engines/invite").bearer(&ada).json(&body).send().await;
            invited.refused(409, "ALREADY_MEMBER");
        }
        let me = app.get("/auth/me").bearer(&ada).send().await.expect(StatusCode::OK);
        assert_eq!(me.json["email"], "jürgen@xn--bcher-kva.example");
    }

    async fn every_fault_of_a_registration_is_told_at_once(on: On) {
        let app = on.app().await;
        let body = json!({"display_name": " \t ", "email": "ada@", "password": "short"});
        let refused = app.post("/auth/register").json(&body).send().await.refused(422, "VALIDATION_FAILED");
        // A tab at the beginning is trimmed, so the rest is too short.
        let expected = ["/email INVALID_EMAIL", "/display_name TOO_SHORT", "/password TOO_SHORT"];
        assert_eq!(refused.faults(), expected);
        let body = json!({"display_name": "a\u{0}b", "email": "a\u{0}@example.com", "password": "PassWord1"});
        let refused = app.post("/auth/register").json(&body).send().await.refused(422, "VALIDATION_FAILED");
        let expected = ["/email INVALID_EMAIL", "/display_name CONTROL_CHARACTER", "/password TOO_COMMON"];
        assert_eq!(refused.faults(), expected);
        let body = json!({"display_name": "x".repeat(101), "email": "a@example.com", "password": "x".repeat(129)});
        let refused = app.post("/auth/register").json(&body).send().await.refused(422, "VALIDATION_FAILED");
        assert_eq!(refused.faults(), ["/display_name TOO_LONG", "/password TOO_LONG"]);
    }

    async fn a_profile_is_merged(on: On) {
        let (app, ada) = on.ada().await;
        let patch = async |body: Value| app.patch("/auth/me").bearer(&ada).json(&body).send().await;
        app.clock.advance(TimeDelta::seconds(1));
        let changed = patch(json!({"avatar_url": "https://example.com/ada.png"})).await.expect(StatusCode::OK);
        assert_eq!(changed.json["display_name"], "Ada Lovelace");
        assert_eq!(changed.json["avatar_url"], "https://example.com/ada.png");
        assert_eq!(changed.json["updated_at"], "2033-05-18T03:33:21.123456Z");
        let changed = patch(json!({"display_name": " Countess "})).await.expect(StatusCode::OK);
        assert_eq!(changed.json["display_name"], "Countess");
        assert_eq!(changed.json["avatar_url"], "https://example.com/ada.png");
        let changed = patch(json!({"avatar_url": null})).await.expect(StatusCode::OK);
        assert_eq!((&changed.json["display_name"], &changed.json["avatar_url"]), (&json!("Countess"), &Value::Null));
        let same = patch(json!({})).await.expect(StatusCode::OK);
        assert_eq!(same.json["display_name"], "Countess");
        let read = app.get("/auth/me").bearer(&ada).send().await;
        assert_eq!((read.json.clone(), read.etag()), (same.json.clone(), same.etag()));
    }

    async fn every_fault_of_a_profile_is_told_at_once_and_nothing_is_changed(on: On) {
        let (app, ada) = on.ada().await;
        let before = app.get("/auth/me").bearer(&ada).send().await;
        for (body, faults) in [
            (json!({"display_name": "", "avatar_url": "javascript:alert(1)"}),
                vec!["/display_name TOO_SHORT", "/avatar_url INVALID_URL"]),
            (json!({"display_name": null}), vec!["/display_name NOT_NULLABLE"]),
            (json!({"display_name": "Grace\u{1b}[2J"}), vec!["/display_name CONTROL_CHARACTER"]),
            (json!({"display_name": 7}), vec!["/display_name WRONG_TYPE"]),
            (json!({"display_name": "Grace Hopper", "avatar_url": ["x"]}), vec!["/avatar_url WRONG_TYPE"]),
        ] {
            let refused = app.patch("/auth/me").bearer(&ada).json(&body).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), faults, "{body}");
        }
        let after = app.get("/auth/me").bearer(&ada).send().await;
        assert_eq!((after.json.clone(), after.etag()), (before.json.clone(), before.etag()));
    }

    async fn an_address_is_taken_in_any_spelling(on: On) {
        let (app, _) = on.ada().await;
        for spelling in ["ada@example.com", "ADA@EXAMPLE.COM", "  Ada@Example.com "] {
            let refused = app.post("/auth/register").json(&registration(spelling)).send().await;
            refused.refused(409, "EMAIL_TAKEN");
        }
        app.post("/auth/register").json(&registration("ad.a@example.com")).send().await.expect(StatusCode::CREATED);
    }

    async fn of_50_registrations_with_one_address_at_once_one_is_accepted(on: On) {
        let app = Arc::new(on.app().await);
        let answers = at_once((0..50).map(|turn| {
            let app = Arc::clone(&app);
            let body = registration(if turn % 2 == 0 { "ada@example.com" } else { "Ada@Example.Com" });
            async move { app.post("/auth/register").json(&body).send().await }
        }));
        let (made, refused): (Vec<_>, Vec<_>) =
            answers.await.into_iter().partition(|answer| answer.status == StatusCode::CREATED);
        assert_eq!((made.len(), refused.len()), (1, 49));
        for answer in refused {
            answer.refused(409, "EMAIL_TAKEN");
        }
        app.login("ada@example.com").await;
    }

    async fn an_address_is_verified_by_the_mailed_link_once(on: On) {
        let (app, ada) = on.ada().await;
        let token = app.mailed_token("ada@example.com").await;
        let mail = app.mail.last_to("ada@example.com").unwrap();
        assert!(mail.link.unwrap().starts_with(PUBLIC_URL));
        let body = json!({"token": token});
        app.post("/auth/verify-email").json(&body).send().await.expect(StatusCode::NO_CONTENT);
        let me = app.get("/auth/me").bearer(&ada).send().await;
        assert_eq!(me.json["email_verified"], true);
        app.post("/auth/verify-email").json(&body).send().await.refused(400, "INVALID_TOKEN");
        for bad in ["", "x", "\u{0}", &"a".repeat(5_000)] {
            let body = json!({"token": bad});
            app.post("/auth/verify-email").json(&body).send().await.refused(400, "INVALID_TOKEN");
        }
    }

    async fn the_link_that_verifies_is_sent_again_until_it_was_used(on: On) {
        let (app, ada) = on.ada().await;
        let first = app.mailed_token("ada@example.com").await;
        app.post("/auth/verify-email/resend").send().await.refused(401, "UNAUTHENTICATED");
        let resend = async || app.post("/auth/verify-email/resend").bearer(&ada).send().await;
        resend().await.expect(StatusCode::NO_CONTENT);
        let second = app.mailed_token("ada@example.com").await;
        assert_ne!(first, second);
        app.clock.advance(TimeDelta::hours(48));
        let body = json!({"token": second});
        app.post("/auth/verify-email").json(&body).send().await.refused(400, "INVALID_TOKEN");
        let ada = app.login("ada@example.com").await;
        let resend = async || app.post("/auth/verify-email/resend").bearer(&ada).send().await;
        resend().await.expect(StatusCode::NO_CONTENT);
        let body = json!({"token": app.mailed_token("ada@example.com").await});
        app.post("/auth/verify-email").json(&body).send().await.expect(StatusCode::NO_CONTENT);
        drop(app.mail.take());
        resend().await.expect(StatusCode::NO_CONTENT);
        app.drain().await;
        assert!(app.mail.all().is_empty());
    }

    async fn under_verify_first_a_registration_does_not_tell_whether_the_address_is_known(on: On) {
        let app = verify_first(on).await;
        let register = async |email| app.post("/auth/register").json(&registration(email)).send().await;
        let new = register("ada@example.com").await.expect(StatusCode::ACCEPTED);
        app.drain().await;
        let verification = app.mail.take().pop().unwrap();
        let known = register("Ada@example.com").await.expect(StatusCode::ACCEPTED);
        app.drain().await;
        let notice = app.mail.take().pop().unwrap();
        assert_eq!((&new.text, header_names(&new)), (&known.text, header_names(&known)));
        assert_eq!((verification.to.as_str(), notice.to.as_str()), ("ada@example.com", "ada@example.com"));
        assert!(verification.subject.contains("Verify"), "{}", verification.subject);
        assert!(notice.subject.contains("already"), "{}", notice.subject);
        assert!(notice.link.is_none_or(|link| !link.contains("token")));
    }

    async fn under_verify_first_login_waits_for_the_verification(on: On) {
        let app = verify_first(on).await;
        let body = registration("ada@example.com");
        app.post("/auth/register").json(&body).send().await.expect(StatusCode::ACCEPTED);
        let login = async |body: &Value| app.post("/auth/login").json(body).send().await;
        login(&credentials("ada@example.com")).await.refused(403, "EMAIL_NOT_VERIFIED");
        let wrong = json!({"email": "ada@example.com", "password": "another password"});
        login(&wrong).await.refused(401, "INVALID_CREDENTIALS");
        let body = json!({"token": app.mailed_token("ada@example.com").await});
        app.post("/auth/verify-email").json(&body).send().await.expect(StatusCode::NO_CONTENT);
        login(&credentials("ada@example.com")).await.expect(StatusCode::OK);
    }

    async fn an_account_without_a_password_is_entered_by_a_reset(on: On) {
        let app = on.app().await;
        let mut uow = app.app.begin().await.unwrap();
        let identity = app.app.identity();
        identity.create_without_password(&mut *uow, "ada@example.com", "Ada Lovelace", true).await.unwrap();
        app.app.commit(uow).await.unwrap();
        for password in ["", PASSWORD] {
            login(&app, "ada@example.com", password).await.refused(401, "INVALID_CREDENTIALS");
        }
        forgot(&app, "ada@example.com").await.expect(StatusCode::NO_CONTENT);
        reset(&app, &app.mailed_token("ada@example.com").await, PASSWORD).await.expect(StatusCode::NO_CONTENT);
        app.login("ada@example.com").await;
    }

    async fn a_disabled_account_is_said_to_be_so_only_after_the_right_password(on: On) {
        let (app, ada) = on.ada().await;
        app.get("/auth/me").bearer(&ada).send().await.expect(StatusCode::OK);
        set_disabled(&app, &ada, true).await;
        app.get("/auth/me").bearer(&ada).send().await.refused(401, "UNAUTHENTICATED");
        refresh(&app, &ada.refresh).await.refused(401, "INVALID_TOKEN");
        let login = async |body: &Value| app.post("/auth/login").json(body).send().await;
        let wrong = json!({"email": "ada@example.com", "password": "another password"});
        login(&wrong).await.refused(401, "INVALID_CREDENTIALS");
        login(&credentials("ada@example.com")).await.refused(403, "ACCOUNT_DISABLED");
        app.drain().await;
        drop(app.mail.take());
        forgot(&app, "ada@example.com").await.expect(StatusCode::NO_CONTENT);
        app.drain().await;
        assert!(app.mail.all().is_empty());
        set_disabled(&app, &ada, false).await;
        app.get("/auth/me").bearer(&ada).send().await.refused(401, "UNAUTHENTICATED");
        app.login("ada@example.com").await;
    }
}
