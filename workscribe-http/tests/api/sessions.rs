//! Sessions: listing them, and ending one or all, on this node at once and on another one within the time of its cache.

use crate::support::*;

async fn login_from(app: &TestApp, user_agent: &str) -> Login {
    app.clock.advance(TimeDelta::seconds(1));
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let call = app.post("/auth/login").header("user-agent", user_agent).json(&body);
    Login::of(call.send().await.expect(StatusCode::OK))
}

async fn listed(app: &TestApp, login: &Login) -> Vec<Value> {
    let answer = app.get("/auth/sessions").bearer(login).send().await.expect(StatusCode::OK);
    assert_eq!(answer.json["next_cursor"], Value::Null);
    answer.json["sessions"].as_array().unwrap().clone()
}

async fn current(app: &TestApp, login: &Login) -> String {
    let sessions = listed(app, login).await;
    let session = sessions.iter().find(|session| session["current"] == true).unwrap();
    session["id"].as_str().unwrap().to_owned()
}

async fn is_in(app: &TestApp, login: &Login) -> bool {
    let answer = app.get("/auth/me").bearer(login).send().await;
    if answer.status == StatusCode::OK {
        return true;
    }
    answer.refused(401, "UNAUTHENTICATED");
    false
}

on_every_storage! {
    async fn ones_sessions_are_listed_newest_first(on: On) {
        let app = on.app().await;
        app.register("grace@example.com").await;
        app.register("ada@example.com").await;
        let phone = login_from(&app, "Phone/1.0").await;
        login_from(&app, &"x".repeat(600)).await;
        let sessions = listed(&app, &phone).await;
        let agents: Vec<_> = sessions.iter().map(|session| session["user_agent"].as_str()).collect();
        assert_eq!(agents, [Some("x".repeat(512).as_str()), Some("Phone/1.0"), None]);
        let are_current: Vec<_> = sessions.iter().map(|session| session["current"] == true).collect();
        assert_eq!(are_current, [false, true, false]);
        assert_eq!(sessions[1]["created_at"], "2033-05-18T03:33:21.123456Z");
        assert_eq!(sessions[1]["ip"], Value::Null);
        app.clock.advance(TimeDelta::minutes(1));
        refresh(&app, &phone.refresh).await.expect(StatusCode::OK);
        let sessions = listed(&app, &phone).await;
        assert_eq!(sessions[1]["created_at"], "2033-05-18T03:33:21.123456Z");
        assert_eq!(sessions[1]["last_used_at"], "2033-05-18T03:34:22.123456Z");
    }

    async fn one_session_is_ended_and_no_other(on: On) {
        let (app, first) = on.ada().await;
        let second = login_from(&app, "Phone/1.0").await;
        let grace = app.register("grace@example.com").await;
        let id = current(&app, &first).await;
        let end = async |login: &Login, id: &str| {
            app.delete(&format!("/auth/sessions/{id}")).bearer(login).send().await
        };
        end(&grace, &id).await.refused(404, "SESSION_NOT_FOUND");
        for bad in ["x", "%00", "00000000-0000-0000-0000-000000000000", &id.replace('-', "")] {
            end(&second, bad).await.refused(404, "SESSION_NOT_FOUND");
        }
        assert!(is_in(&app, &first).await);
        end(&second, &id).await.expect(StatusCode::NO_CONTENT);
        assert!(!is_in(&app, &first).await);
        refresh(&app, &first.refresh).await.refused(401, "INVALID_TOKEN");
        assert!(is_in(&app, &second).await && is_in(&app, &grace).await);
        end(&second, &id).await.refused(404, "SESSION_NOT_FOUND");
    }

    async fn all_other_sessions_are_ended(on: On) {
        let app = on.app().await;
        let others = [app.register("ada@example.com").await, login_from(&app, "Phone/1.0").await];
        let this = login_from(&app, "Laptop/1.0").await;
        let grace = app.register("grace@example.com").await;
        for login in &others {
            assert!(is_in(&app, login).await);
        }
        app.delete("/auth/sessions").bearer(&this).send().await.expect(StatusCode::NO_CONTENT);
        for login in &others {
            assert!(!is_in(&app, login).await);
        }
        assert!(is_in(&app, &this).await && is_in(&app, &grace).await);
        assert_eq!(listed(&app, &this).await.len(), 1);
    }

    async fn a_logout_ends_access_at_once(on: On) {
        let (app, ada) = on.ada().await;
        let other = login_from(&app, "Phone/1.0").await;
        assert!(is_in(&app, &ada).await);
        app.post("/auth/logout").bearer(&ada).send().await.expect(StatusCode::NO_CONTENT);
        assert!(!is_in(&app, &ada).await);
        refresh(&app, &ada.refresh).await.refused(401, "INVALID_TOKEN");
        app.post("/auth/logout").bearer(&ada).send().await.refused(401, "UNAUTHENTICATED");
        assert!(is_in(&app, &other).await);
    }

    async fn access_ends_on_every_node_within_a_second(on: On) {
        let one = on.app().await;
        let two = one.another_node(|builder| builder);
        one.register("ada@example.com").await;
        one.drain().await;
        let forgot = json!({"email": "ada@example.com"});
        one.post("/auth/forgot-password").json(&forgot).send().await.expect(StatusCode::NO_CONTENT);
        let token = one.mailed_token("ada@example.com").await;
        let reset = json!({"token": token, "new_password": PASSWORD});
        let change = json!({"current_password": PASSWORD, "new_password": "another fine password"});
        for (ends_the_others, path, body) in [
            (false, "/auth/logout", None),
            (false, "/auth/reset-password", Some(reset)),
            (true, "/auth/change-password", Some(change)),
        ] {
            let (login, other) = (login_from(&one, "Phone/1.0").await, login_from(&two, "Laptop/1.0").await);
            assert!(is_in(&two, &login).await && is_in(&two, &other).await, "and the node keeps it in mind");
            let call = one.post(path).bearer(&login);
            let call = if let Some(body) = body { call.json(&body) } else { call };
            call.send().await.expect(StatusCode::NO_CONTENT);
            let ended = if ends_the_others { &other } else { &login };
            assert!(!is_in(&one, ended).await, "{path}: at once where it was ended");
            two.clock.advance(TimeDelta::seconds(1));
            assert!(!is_in(&two, ended).await, "{path}: a second later everywhere");
        }
    }
}
