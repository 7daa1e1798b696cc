//! How many requests a user and an organization may make.

use std::time::Duration;

use chrono::TimeDelta;
use workscribe_core::ports::RateRule;
use workscribe_http::{HttpOptions, Limits, RequestLimits};
use workscribe_testkit::app::{Answer, Login, TestApp};

use crate::support::{On, on_every_storage};

/// An application whose limits are these.
async fn limited(on: On, user: u32, organization: u32) -> TestApp {
    let app = on.app().await;
    let rule = |name, limit| RateRule { name, limit, window: Duration::from_secs(60) };
    let requests =
        RequestLimits { user: rule("user", user), organization: rule("organization", organization) };
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
}
