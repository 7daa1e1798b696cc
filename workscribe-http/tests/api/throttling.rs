//! Delays after failed logins, and rate limits by address.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::{join, join_all};
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use workscribe_core::identity::{Client, IssuedTokens};
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::Secret;
use workscribe_core::{Code, Error};
use workscribe_http::HttpOptions;

use crate::support::*;

const WRONG: &str = "a wrong password";

async fn fail(app: &TestApp, email: &str, times: usize) {
    for _ in 0..times {
        login(app, email, WRONG).await.refused(401, "INVALID_CREDENTIALS");
    }
}

async fn change(app: &TestApp, login: &Login, current: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": "another fine password"});
    app.post("/auth/change-password").bearer(login).json(&body).send().await
}

/// Logs in through the service, from an address.
async fn log_in_from(app: &TestApp, ip: &str, password: &str) -> Result<IssuedTokens, Error> {
    let client = Client { ip: Some(ip.parse().unwrap()), user_agent: None };
    app.app.identity().login("ada@example.com", &Secret::new(password), &client).await
}

/// Everything that a caller can see of a response, except for the request's id.
fn look(answer: &Answer) -> (u16, Value, Vec<&str>, Option<&str>) {
    let mut body = answer.json.clone();
    body["request_id"].take();
    (answer.status.as_u16(), body, header_names(answer), answer.header("retry-after"))
}

on_every_storage! {
    async fn after_5_failures_a_delay_doubles_up_to_15_minutes_and_lapses(on: On) {
        let (app, _) = on.ada().await;
        fail(&app, "ada@example.com", 5).await;
        for seconds in [15, 30, 60, 120, 240, 480, 900, 900, 900] {
            for password in [WRONG, PASSWORD] {
                let refused = login(&app, "Ada@Example.com ", password).await.refused(429, "RATE_LIMITED");
                assert_eq!(refused.header("retry-after"), Some(seconds.to_string().as_str()));
            }
            app.clock.advance(TimeDelta::seconds(seconds) - TimeDelta::milliseconds(1));
            let refused = login(&app, "ada@example.com", PASSWORD).await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("1"));
            app.clock.advance(TimeDelta::milliseconds(1));
            fail(&app, "ada@example.com", 1).await;
        }
        app.clock.advance(TimeDelta::minutes(15));
        app.login("ada@example.com").await;
    }

    async fn a_success_forgets_the_failures(on: On) {
        let (app, _) = on.ada().await;
        for _ in 0..3 {
            fail(&app, "ada@example.com", 4).await;
            app.login("ada@example.com").await;
        }
    }

    async fn a_day_without_a_failure_forgets_them(on: On) {
        let (app, _) = on.ada().await;
        fail(&app, "ada@example.com", 4).await;
        app.clock.advance(TimeDelta::days(1) + TimeDelta::seconds(1));
        fail(&app, "ada@example.com", 4).await;
        app.login("ada@example.com").await;
    }

    async fn a_delay_is_one_accounts_alone_and_its_sessions_go_on(on: On) {
        let (app, ada) = on.ada().await;
        app.register("grace@example.com").await;
        fail(&app, "ada@example.com", 5).await;
        login(&app, "ada@example.com", PASSWORD).await.refused(429, "RATE_LIMITED");
        app.login("grace@example.com").await;
        app.get("/auth/me").bearer(&ada).send().await.expect(StatusCode::OK);
        refresh(&app, &ada.refresh).await.expect(StatusCode::OK);
    }

    async fn a_reset_ends_the_delay(on: On) {
        let (app, _) = on.ada().await;
        fail(&app, "ada@example.com", 5).await;
        login(&app, "ada@example.com", PASSWORD).await.refused(429, "RATE_LIMITED");
        app.drain().await;
        forgot(&app, "ada@example.com").await.expect(StatusCode::NO_CONTENT);
        let token = app.mailed_token("ada@example.com").await;
        reset(&app, &token, "another fine password").await.expect(StatusCode::NO_CONTENT);
        login(&app, "ada@example.com", "another fine password").await.expect(StatusCode::OK);
    }

    async fn an_unknown_address_is_refused_like_a_wrong_password_in_all_but_the_requests_id(on: On) {
        let (app, _) = on.ada().await;
        for turn in 0..8 {
            let known = login(&app, "ada@example.com", WRONG).await;
            let unknown = login(&app, "nobody@example.com", WRONG).await;
            assert_eq!(look(&known), look(&unknown), "try {turn}");
            assert_eq!(known.status.as_u16(), if turn < 5 { 401 } else { 429 });
        }
        for strange in ["", "not an address", "nobody\u{0}@example.com", &"x".repeat(10_000)] {
            let refused = login(&app, strange, WRONG).await.refused(401, "INVALID_CREDENTIALS");
            let reference = login(&app, "somebody@example.com", WRONG).await;
            assert_eq!(look(&refused), look(&reference), "{strange:.20}");
        }
    }

    async fn a_right_guess_in_a_burst_of_wrong_ones_is_refused(on: On) {
        let hasher = HeldHasher::holding(PASSWORD);
        let app = on.app_with(|builder| builder.hasher(hasher.clone())).await;
        app.register("ada@example.com").await;
        let wrong = async {
            // The login with the right password has passed the first check of the delay, and waits.
            hasher.arrived().await;
            let answers = join_all((0..30).map(|_| login(&app, "ada@example.com", WRONG))).await;
            hasher.release();
            answers
        };
        let (right, wrong) = join(login(&app, "ada@example.com", PASSWORD), wrong).await;
        right.refused(429, "RATE_LIMITED");
        let failed = wrong.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
        assert!(failed >= 5);
        assert!(wrong.iter().all(|answer| matches!(answer.status.as_u16(), 401 | 429)));
        let next = login(&app, "ada@example.com", WRONG).await.refused(429, "RATE_LIMITED");
        let wait: i64 = next.header("retry-after").unwrap().parse().unwrap();
        assert!((15..=900).contains(&wait));
    }

    async fn guesses_of_the_present_password_count_as_failed_logins(on: On) {
        let hasher = HeldHasher::holding(PASSWORD);
        // Requests of one user run one at a time, so another one would wait for the one that is held.
        let limits = Limits::default().lifted();
        let app = on.app_with(|builder| builder.hasher(hasher.clone()).settings(with_limits(limits))).await;
        let ada = app.register("ada@example.com").await;
        let wrong = async {
            hasher.arrived().await;
            for _ in 0..5 {
                change(&app, &ada, WRONG).await.refused(401, "INVALID_CREDENTIALS");
            }
            hasher.release();
        };
        let (right, ()) = join(change(&app, &ada, PASSWORD), wrong).await;
        right.refused(429, "RATE_LIMITED");
        change(&app, &ada, WRONG).await.refused(429, "RATE_LIMITED");
        // Failures count only in their session.
        login(&app, "ada@example.com", WRONG).await.refused(401, "INVALID_CREDENTIALS");
    }

    async fn strangers_failures_lock_the_owner_out_of_nothing(on: On) {
        let (app, ada) = on.ada().await;
        for _ in 0..5 {
            log_in_from(&app, "203.0.113.7", WRONG).await.unwrap_err();
        }
        for neighbour in ["203.0.113.7", "203.0.113.200"] {
            let refused = log_in_from(&app, neighbour, PASSWORD).await.unwrap_err();
            assert_eq!(refused.code(), Code::RateLimited, "{neighbour}");
        }
        log_in_from(&app, "198.51.100.1", PASSWORD).await.unwrap();
        app.login("ada@example.com").await;
        change(&app, &ada, PASSWORD).await.expect(StatusCode::NO_CONTENT);
    }

    async fn guessing_from_everywhere_delays_all_but_known_networks_and_a_reset_unlocks(on: On) {
        let (app, _) = on.ada().await;
        log_in_from(&app, "198.51.100.1", PASSWORD).await.unwrap();
        for number in 0..50 {
            let refused = log_in_from(&app, &format!("203.0.{number}.1"), WRONG).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidCredentials);
        }
        let refused = log_in_from(&app, "192.0.2.1", PASSWORD).await.unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(15)));
        log_in_from(&app, "198.51.100.99", PASSWORD).await.unwrap();
        // One more failed guess doubles the delay, which then ends.
        app.clock.advance(TimeDelta::seconds(15));
        log_in_from(&app, "203.0.200.1", WRONG).await.unwrap_err();
        let refused = log_in_from(&app, "192.0.2.1", PASSWORD).await.unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
        app.drain().await;
        forgot(&app, "ada@example.com").await.expect(StatusCode::NO_CONTENT);
        let token = app.mailed_token("ada@example.com").await;
        reset(&app, &token, "another fine password").await.expect(StatusCode::NO_CONTENT);
        log_in_from(&app, "192.0.2.1", "another fine password").await.unwrap();
    }

    async fn a_network_is_known_for_30_days(on: On) {
        let (app, _) = on.ada().await;
        log_in_from(&app, "198.51.100.1", PASSWORD).await.unwrap();
        app.clock.advance(TimeDelta::days(30) + TimeDelta::seconds(1));
        for number in 0..50 {
            log_in_from(&app, &format!("203.0.{number}.1"), WRONG).await.unwrap_err();
        }
        let refused = log_in_from(&app, "198.51.100.1", PASSWORD).await.unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
    }

    async fn changes_of_a_password_are_limited_by_user(on: On) {
        let app = on.app_with(|builder| builder.limiter(Arc::new(LocalRateLimiter::default()))).await;
        let ada = app.register("ada@example.com").await;
        let other_session = app.login("ada@example.com").await;
        for _ in 0..20 {
            let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
            let refused = app.post("/auth/change-password").bearer(&ada).json(&body).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), ["/new_password UNCHANGED"]);
        }
        for session in [&ada, &other_session] {
            let refused = change(&app, session, PASSWORD).await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("180"));
        }
        let grace = app.register("grace@example.com").await;
        change(&app, &grace, PASSWORD).await.expect(StatusCode::NO_CONTENT);
    }

    async fn logins_registrations_and_resets_are_limited_by_address(on: On) {
        let limiter = Arc::new(LocalRateLimiter::default());
        let rates = [
            ("/auth/login", Limit::LoginsPerAddress, 401),
            ("/auth/register", Limit::RegistrationsPerAddress, 201),
            ("/auth/forgot-password", Limit::PasswordResetsPerAddress, 204),
            ("/auth/reset-password", Limit::MailedTokensPerAddress, 400),
        ];
        let limits = rates.iter().fold(Limits::default(), |limits, (_, limit, _)| limits.with(*limit, 3));
        let app = on.app_with(|builder| builder.settings(with_limits(limits)).limiter(limiter)).await;
        for (path, limit, accepted) in rates {
            let (name, window) = (limit.name(), limit.per().unwrap().as_secs());
            let third = window / 3;
            let send = async |turn: usize| {
                let email = format!("ada{turn}@example.com");
                let body = json!({
                    "email": email, "password": PASSWORD, "display_name": "Ada Lovelace", "token": "x",
                    "new_password": PASSWORD,
                });
                app.post(path).json(&body).send().await
            };
            let policy = format!("\"{name}\";q=3;w={window}");
            for turn in 0..3 {
                // Addresses without an account, except for the logins.
                let answer = send(if path == "/auth/login" { turn + 10 } else { turn }).await;
                assert_eq!(answer.status.as_u16(), accepted, "{path}: {}", answer.text);
                if path == "/auth/forgot-password" {
                    // It counts for the account too.
                    let both = format!("{policy}, \"password_resets_per_account\";q=5;w=3600");
                    assert_eq!(answer.header("ratelimit-policy"), Some(both.as_str()));
                    continue;
                }
                assert_eq!(answer.header("ratelimit-policy"), Some(policy.as_str()));
                let left = format!("\"{name}\";r={};t={}", 2 - turn, third * (turn as u64 + 1));
                assert_eq!(answer.header("ratelimit"), Some(left.as_str()));
            }
            let refused = send(20).await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some(third.to_string().as_str()));
            assert_eq!(refused.header("ratelimit-policy"), Some(policy.as_str()));
            assert_eq!(refused.header("ratelimit"), Some(format!("\"{name}\";r=0;t={window}").as_str()));
            assert_eq!((&refused.json["params"]["limit"], &refused.json["params"]["policy"]), (&json!(3), &json!(name)));
            app.clock.advance(TimeDelta::from_std(Duration::from_secs(third)).unwrap());
            assert_eq!(send(20).await.status.as_u16(), accepted, "{path}");
            send(21).await.refused(429, "RATE_LIMITED");
        }
    }

    async fn requests_for_a_new_password_are_limited_by_account_whether_there_is_one_or_not(on: On) {
        let app = on.app_with(|builder| builder.limiter(Arc::new(LocalRateLimiter::default()))).await;
        app.register("ada@example.com").await;
        for email in ["ada@example.com", "nobody@example.com"] {
            let forgot = async |email: &str| {
                app.post("/auth/forgot-password").json(&json!({"email": email})).send().await
            };
            for _ in 0..5 {
                forgot(email).await.expect(StatusCode::NO_CONTENT);
            }
            let refused = forgot(&email.to_uppercase()).await.refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("720"));
        }
    }
}

/// Sends a login over a connection, and returns the status.
async fn login_over_tcp(server: SocketAddr, forwarded_for: &str, email: &str) -> String {
    let body = json!({"email": email, "password": PASSWORD}).to_string();
    let request = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         X-Forwarded-For: {forwarded_for}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// A server on a port of this machine, behind trusted proxies or not. It allows one login a minute.
async fn serve(trusted_proxies: &[&str]) -> (TestApp, SocketAddr) {
    let limiter = Arc::new(LocalRateLimiter::default());
    let limits = Limits::default().with(Limit::LoginsPerAddress, 1);
    let app = On::Sqlite.app_with(|builder| builder.settings(with_limits(limits)).limiter(limiter)).await;
    let apis = workscribe_http::all(&app.app);
    let trusted_proxies = trusted_proxies.iter().map(|net| net.parse().unwrap()).collect();
    let options = HttpOptions { trusted_proxies, ..HttpOptions::default() };
    let api = workscribe_http::mount(&app.app, apis, &options);
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(api));
    (app, address)
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_who_is_counted() {
    let (app, server) = serve(&["127.0.0.0/8"]).await;
    app.register("ada@example.com").await;
    for (forwarded_for, status) in [
        ("203.0.113.1", "200"),
        ("203.0.113.1", "429"),
        ("203.0.113.2", "200"),
        // The addresses that a client invents are to the left of the one that the proxy has seen.
        ("198.51.100.7, 203.0.113.2", "429"),
        ("2001:db8:1:2::1", "200"),
        ("2001:db8:1:2:ffff::9", "429"),
        ("2001:db8:1:3::1", "200"),
    ] {
        assert_eq!(login_over_tcp(server, forwarded_for, "ada@example.com").await, status, "{forwarded_for}");
    }
    let ada = app.login("ada@example.com").await;
    let sessions = app.get("/auth/sessions").bearer(&ada).send().await.expect(StatusCode::OK);
    let sessions = sessions.json["sessions"].as_array().unwrap().clone();
    let mut ips: Vec<_> = sessions.iter().filter_map(|session| session["ip"].as_str()).collect();
    ips.sort_unstable();
    assert_eq!(ips, ["2001:db8:1:2::1", "2001:db8:1:3::1", "203.0.113.1", "203.0.113.2"]);
}

#[tokio::test]
async fn without_trusted_proxies_nobody_else_says_who_is_counted() {
    let (app, server) = serve(&["10.0.0.0/8"]).await;
    app.register("ada@example.com").await;
    assert_eq!(login_over_tcp(server, "203.0.113.1", "ada@example.com").await, "200");
    assert_eq!(login_over_tcp(server, "203.0.113.2", "ada@example.com").await, "429");
}
