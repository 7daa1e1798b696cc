//! How many requests a user and an organization may make.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::json;
use workscribe_core::ports::RateRule;
use workscribe_http::{HttpOptions, Limits, RequestLimits};
use workscribe_testkit::app::{Answer, Login, TestApp};

use crate::support::{HeldHasher, On, on_every_storage};

/// An application whose limits are these.
async fn limited(on: On, user: u32, organization: u32) -> TestApp {
    let app = on.app().await;
    let rule = |name, limit| RateRule { name, limit, window: Duration::from_secs(60) };
    let (user, organization) = (rule("user", user), rule("organization", organization));
    let requests = RequestLimits { user, organization, at_once: 2 };
    let apis = workscribe_http::all(&app.app, Limits::default());
    app.serving(apis, &HttpOptions { requests: Some(requests), ..HttpOptions::default() })
}

async fn get(app: &TestApp, login: &Login, path: &str) -> Answer {
    app.get(path).bearer(login).send().await
}

on_every_storage! {
    async fn a_user_is_refused_above_the_limit_alone_and_every_answer_tells_what_is_left(on: On) {
        let app = limited(on, 6, 1_000).await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        for left in (0..6).rev() {
            // Also one that is refused otherwise.
            let path = if left % 2 == 0 { "/auth/me" } else { "/organizations/nobody-has-it" };
            let answer = get(&app, &ada, path).await;
            assert_eq!(answer.header("ratelimit-policy"), Some("\"user\";q=6;w=60"), "{}", answer.text);
            let told = answer.header("ratelimit").unwrap();
            assert!(told.starts_with(&format!("\"user\";r={left};")), "{told}");
        }
        for _ in 0..3 {
            let refused = get(&app, &ada, "/auth/me").await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("10"));
            assert!(refused.header("ratelimit").unwrap().starts_with("\"user\";r=0;"));
        }
        get(&app, &grace, "/auth/me").await.expect(200.try_into().unwrap());
        app.clock.advance(TimeDelta::seconds(10));
        get(&app, &ada, "/auth/me").await.expect(200.try_into().unwrap());
        get(&app, &ada, "/auth/me").await.refused(429, "RATE_LIMITED");
    }

    async fn an_organization_is_counted_for_its_members_and_not_for_strangers(on: On) {
        let app = limited(on, 1_000, 8).await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        app.organization(&ada, "acme").await;
        app.organization(&grace, "looms").await;
        for _ in 0..20 {
            let answer = get(&app, &grace, "/organizations/acme").await;
            answer.refused(404, "ORGANIZATION_NOT_FOUND");
        }
        for left in (0..8).rev() {
            let answer = get(&app, &ada, "/organizations/acme/projects").await;
            let answer = answer.expect(200.try_into().unwrap());
            let (policy, told) =
                (answer.header("ratelimit-policy").unwrap(), answer.header("ratelimit").unwrap());
            assert_eq!(policy, "\"user\";q=1000;w=60, \"organization\";q=8;w=60");
            assert!(told.contains(&format!("\"organization\";r={left};")), "{told}");
        }
        get(&app, &ada, "/organizations/acme/projects").await.refused(429, "RATE_LIMITED");
        get(&app, &ada, "/auth/me").await.expect(200.try_into().unwrap());
        get(&app, &grace, "/organizations/looms/projects").await.expect(200.try_into().unwrap());
    }

    async fn of_one_users_requests_so_many_are_worked_on_and_others_wait_or_are_refused(on: On) {
        let hasher = HeldHasher::holding("what takes long");
        let app = on.app_with(|builder| builder.hasher(hasher.clone())).await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        let requests = RequestLimits { at_once: 1, ..RequestLimits::default() };
        let apis = workscribe_http::all(&app.app, Limits::default());
        let app = app.serving(apis, &HttpOptions { requests: Some(requests), ..HttpOptions::default() });
        let change = json!({"current_password": "what takes long", "new_password": "another fine password"});
        let held = app.post("/auth/change-password").bearer(&ada).json(&change).send();
        let others = async {
            hasher.arrived().await;
            // A line of 64, and some too many.
            let crowd = join_all((0..70).map(|_| get(&app, &ada, "/auth/me")));
            let meanwhile = async {
                get(&app, &grace, "/auth/me").await.expect(200.try_into().unwrap());
                hasher.release();
            };
            join(crowd, meanwhile).await.0
        };
        let (held, crowd) = join(held, others).await;
        held.refused(401, "INVALID_CREDENTIALS");
        let refused = crowd.iter().filter(|answer| answer.status == 503).count();
        assert_eq!(refused, 70 - 64);
        for answer in crowd.into_iter().filter(|answer| answer.status == 503) {
            assert_eq!(answer.refused(503, "OVERLOADED").header("retry-after"), Some("1"));
        }
    }
}
