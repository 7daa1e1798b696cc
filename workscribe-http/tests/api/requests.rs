//! The rate limits of users and organizations.

use futures_util::future::{join, join_all};
use workscribe_http::HttpOptions;

use crate::support::*;

/// An application that counts requests, with these limits.
async fn limited(on: On, limits: Limits) -> TestApp {
    counting(on.app_with(|builder| builder.settings(with_limits(limits))).await)
}

fn counting(app: TestApp) -> TestApp {
    let apis = workscribe_http::all(&app.app);
    app.serving(apis, &HttpOptions::default())
}

async fn get(app: &TestApp, login: &Login, path: &str) -> Answer {
    app.get(path).bearer(login).send().await
}

on_every_storage! {
    async fn a_user_is_refused_above_the_limit_alone_and_every_answer_tells_what_is_left(on: On) {
        let app = limited(on, Limits::default().with(Limit::RequestsPerUser, 1)).await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        for left in (0..10).rev() {
            // Requests that are refused for another reason count too.
            let path = if left % 2 == 0 { "/auth/me" } else { "/organizations/nobody-has-it" };
            let answer = get(&app, &ada, path).await;
            assert_eq!(answer.header("ratelimit-policy"), Some("\"requests_per_user\";q=10;w=10"), "{}", answer.text);
            let told = answer.header("ratelimit").unwrap();
            assert!(told.starts_with(&format!("\"requests_per_user\";r={left};")), "{told}");
        }
        for _ in 0..3 {
            let refused = get(&app, &ada, "/auth/me").await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert!(refused.header("ratelimit").unwrap().starts_with("\"requests_per_user\";r=0;"));
            assert_eq!(refused.json["params"]["policy"], "requests_per_user");
        }
        get(&app, &grace, "/auth/me").await.expect(200.try_into().unwrap());
        app.clock.advance(TimeDelta::seconds(1));
        get(&app, &ada, "/auth/me").await.expect(200.try_into().unwrap());
        get(&app, &ada, "/auth/me").await.refused(429, "RATE_LIMITED");
    }

    async fn an_organization_is_counted_for_its_members_and_not_for_strangers(on: On) {
        let limits = Limits::default().with(Limit::RequestsPerUser, 100).with(Limit::RequestsPerOrganization, 1);
        let app = limited(on, limits).await;
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        app.organization(&ada, "acme").await;
        app.organization(&grace, "looms").await;
        for _ in 0..20 {
            let answer = get(&app, &grace, "/organizations/acme").await;
            answer.refused(404, "ORGANIZATION_NOT_FOUND");
        }
        for left in (0..10).rev() {
            let answer = get(&app, &ada, "/organizations/acme/projects").await;
            let answer = answer.expect(200.try_into().unwrap());
            let (policy, told) =
                (answer.header("ratelimit-policy").unwrap(), answer.header("ratelimit").unwrap());
            let of_user = "\"requests_per_user\";q=1000;w=10";
            assert_eq!(policy, format!("{of_user}, \"requests_per_organization\";q=10;w=10"));
            assert!(told.contains(&format!("\"requests_per_organization\";r={left};")), "{told}");
        }
        get(&app, &ada, "/organizations/acme/projects").await.refused(429, "RATE_LIMITED");
        get(&app, &ada, "/auth/me").await.expect(200.try_into().unwrap());
        get(&app, &grace, "/organizations/looms/projects").await.expect(200.try_into().unwrap());
    }

    async fn of_one_users_requests_so_many_are_worked_on_and_others_wait_or_are_refused(on: On) {
        let hasher = HeldHasher::holding("what takes long");
        let limits = Limits::default().with(Limit::RequestsAtOncePerUser, 1).with(Limit::RequestsWaitingPerUser, 60);
        let app = counting(on.app_with(|builder| builder.hasher(hasher.clone()).settings(with_limits(limits))).await);
        let (ada, grace) = (app.register("ada@example.com").await, app.register("grace@example.com").await);
        let change = json!({"current_password": "what takes long", "new_password": "another fine password"});
        let held = app.post("/auth/change-password").bearer(&ada).json(&change).send();
        let others = async {
            hasher.arrived().await;
            // 60 requests that wait, and some above the limit.
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
        assert_eq!(refused, 70 - 60);
        for answer in crowd.into_iter().filter(|answer| answer.status == 503) {
            assert_eq!(answer.refused(503, "OVERLOADED").header("retry-after"), Some("1"));
        }
    }
}
