//! Conditional requests: `ETag` with `If-Match`, and `Idempotency-Key`.

use crate::support::*;

/// Tags in several forms that are the version of no resource.
const STRANGE: [&str; 9] = ["\"0\"", "\"99\"", "\"x\"", "1", "W/\"1\"", "\"-1\"", "", "\"é\"", "\"1\" x"];

async fn create(app: &TestApp, login: &Login, key: &str, body: &Value) -> Answer {
    app.post("/organizations").bearer(login).header("idempotency-key", key).json(body).send().await
}

fn engines() -> Value {
    json!({"name": "Engines", "slug": "engines"})
}

async fn count(app: &TestApp, login: &Login) -> Value {
    let listed = app.get("/organizations?count=true").bearer(login).send().await;
    listed.expect(StatusCode::OK).json["total"].clone()
}

on_every_storage! {
    async fn a_profile_is_changed_in_the_version_that_was_read(on: On) {
        let (app, ada) = on.ada().await;
        let patch = async |tag: &str, name: &str| {
            let call = app.patch("/auth/me").bearer(&ada).header("if-match", tag);
            call.json(&json!({"display_name": name})).send().await
        };
        let first = app.get("/auth/me").bearer(&ada).send().await.etag();
        let second = patch(&first, "Countess").await.expect(StatusCode::OK).etag();
        assert_ne!(first, second);
        patch(&first, "Somebody").await.refused(412, "STALE_VERSION");
        for strange in STRANGE {
            patch(strange, "Somebody").await.refused(412, "STALE_VERSION");
        }
        let me = app.get("/auth/me").bearer(&ada).send().await;
        assert_eq!((me.json["display_name"].as_str(), me.etag()), (Some("Countess"), second));
        patch("*", "Ada").await.expect(StatusCode::OK);
    }

    async fn an_organization_is_changed_and_removed_in_the_version_that_was_read(on: On) {
        let (app, ada) = on.ada().await;
        let made = app.post("/organizations").bearer(&ada).json(&engines()).send().await;
        let first = made.expect(StatusCode::CREATED).etag();
        let patch = async |tag: &str, name: &str| {
            let call = app.patch(ORG).bearer(&ada).header("if-match", tag);
            call.json(&json!({"name": name})).send().await
        };
        let second = patch(&first, "Difference Engines").await.expect(StatusCode::OK).etag();
        patch(&first, "Other Engines").await.refused(412, "STALE_VERSION");
        patch("*", "Analytical Engines").await.expect(StatusCode::OK);
        let delete = async |tag: &str| {
            app.delete(ORG).bearer(&ada).header("if-match", tag).send().await
        };
        for stale in STRANGE.into_iter().chain([first.as_str(), second.as_str()]) {
            delete(stale).await.refused(412, "STALE_VERSION");
        }
        let now = app.get(ORG).bearer(&ada).send().await.expect(StatusCode::OK);
        assert_eq!(now.json["name"], "Analytical Engines");
        delete(&now.etag()).await.expect(StatusCode::NO_CONTENT);
        app.get(ORG).bearer(&ada).send().await.refused(404, "ORGANIZATION_NOT_FOUND");
    }

    async fn of_20_changes_of_one_version_at_once_one_is_accepted(on: On) {
        let (app, ada) = on.ada().await;
        let tag = app.get("/auth/me").bearer(&ada).send().await.etag();
        let answers = at_once((0..20).map(|turn| {
            let (app, ada, tag) = (Arc::clone(&app), ada.clone(), tag.clone());
            async move {
                let call = app.patch("/auth/me").bearer(&ada).header("if-match", &tag);
                call.json(&json!({"display_name": format!("Ada {turn}")})).send().await
            }
        }));
        let mut accepted = Vec::new();
        for answer in answers.await {
            if answer.status == StatusCode::OK {
                accepted.push(answer.json);
            } else {
                answer.refused(412, "STALE_VERSION");
            }
        }
        let me = app.get("/auth/me").bearer(&ada).send().await;
        assert_eq!(accepted, [me.json]);
    }

    async fn a_request_sent_twice_under_one_key_is_done_once(on: On) {
        let (app, ada) = on.ada().await;
        let first = create(&app, &ada, "one", &engines()).await.expect(StatusCode::CREATED);
        app.clock.advance(TimeDelta::minutes(10));
        let again = create(&app, &ada, "one", &engines()).await.expect(StatusCode::CREATED);
        assert_eq!(first.text, again.text);
        assert_eq!((first.etag(), first.header("location")), (again.etag(), again.header("location")));
        assert_eq!(count(&app, &ada).await, 1);
        create(&app, &ada, "two", &engines()).await.refused(409, "SLUG_TAKEN");
    }

    async fn an_invitation_sent_twice_under_one_key_is_mailed_once(on: On) {
        let (app, ada) = on.engines().await;
        app.organization(&ada, "looms").await;
        let invite = async |slug: &str| {
            let call = app.post(&format!("/organizations/{slug}/invite")).bearer(&ada);
            let body = json!({"email": "grace@example.com", "role": "member"});
            call.header("idempotency-key", "one").json(&body).send().await.expect(StatusCode::CREATED)
        };
        let first = invite("engines").await;
        assert_eq!(invite("engines").await.text, first.text);
        assert_ne!(invite("looms").await.json["id"], first.json["id"], "a key is kept by organization");
        app.drain().await;
        let to_grace = app.mail.all().into_iter().filter(|mail| mail.to == "grace@example.com");
        assert_eq!(to_grace.count(), 2);
    }

    async fn another_body_under_a_used_key_is_refused(on: On) {
        let (app, ada) = on.ada().await;
        create(&app, &ada, "one", &engines()).await.expect(StatusCode::CREATED);
        let other = json!({"name": "Looms", "slug": "looms"});
        create(&app, &ada, "one", &other).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(count(&app, &ada).await, 1);
    }

    async fn a_key_is_its_users_own(on: On) {
        let app = on.app().await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        create(&app, &ada, "one", &engines()).await.expect(StatusCode::CREATED);
        create(&app, &grace, "one", &engines()).await.refused(409, "SLUG_TAKEN");
        let other = json!({"name": "Looms", "slug": "looms"});
        create(&app, &grace, "one", &other).await.expect(StatusCode::CREATED);
        assert_eq!((count(&app, &ada).await, count(&app, &grace).await), (json!(1), json!(1)));
    }

    async fn of_20_requests_under_one_key_at_once_one_is_carried_out(on: On) {
        let (app, ada) = on.ada().await;
        let answers = at_once((0..20).map(|_| {
            let (app, ada) = (Arc::clone(&app), ada.clone());
            async move { create(&app, &ada, "one", &engines()).await }
        }));
        let mut made = Vec::new();
        for answer in answers.await {
            if answer.status == StatusCode::CREATED {
                made.push(answer.json["id"].clone());
            } else {
                let answer = answer.refused(409, "IDEMPOTENCY_IN_PROGRESS");
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
        }
        assert!(!made.is_empty() && made.iter().all(|id| *id == made[0]));
        assert_eq!(count(&app, &ada).await, 1);
        let again = create(&app, &ada, "one", &engines()).await.expect(StatusCode::CREATED);
        assert_eq!(again.json["id"], made[0]);
    }

    async fn a_key_is_forgotten_after_a_day(on: On) {
        let (app, _) = on.ada().await;
        let ada = app.login("ada@example.com").await;
        create(&app, &ada, "one", &engines()).await.expect(StatusCode::CREATED);
        app.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
        let ada = app.login("ada@example.com").await;
        create(&app, &ada, "one", &engines()).await.expect(StatusCode::CREATED);
        app.clock.advance(TimeDelta::seconds(1));
        create(&app, &ada, "one", &engines()).await.refused(409, "SLUG_TAKEN");
    }

    async fn a_refusal_gives_the_key_back(on: On) {
        let (app, ada) = on.engines().await;
        create(&app, &ada, "one", &engines()).await.refused(409, "SLUG_TAKEN");
        let invalid = json!({"name": " ", "slug": "-"});
        create(&app, &ada, "one", &invalid).await.refused(422, "VALIDATION_FAILED");
        let other = json!({"name": "Looms", "slug": "looms"});
        create(&app, &ada, "one", &other).await.expect(StatusCode::CREATED);
    }

    async fn a_key_has_1_to_255_characters(on: On) {
        let (app, ada) = on.ada().await;
        for bad in ["", "é", "a\tb", &"k".repeat(256)] {
            let refused = create(&app, &ada, bad, &engines()).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), ["/header/Idempotency-Key INVALID_LENGTH"], "{bad:?}");
        }
        assert_eq!(count(&app, &ada).await, 0);
        create(&app, &ada, &"k".repeat(255), &engines()).await.expect(StatusCode::CREATED);
    }
}
