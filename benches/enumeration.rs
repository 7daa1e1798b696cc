//! Does the time of a response show whether an account exists? (OWASP ASVS 5.0, 6.3.8.)
//!
//! Prints the medians of 1,000 logins with a wrong password, alternately for existing accounts and for addresses without an
//! account, and of as many requests for a new password. The target is a difference of at most 5 %.
//!
//! Passwords are hashed at cost 8, sixteen times as fast as the default, so any other difference has sixteen times the weight.
//!
//! Run it with `cargo bench --bench enumeration`.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::expect_used, reason = "a benchmark cannot go on without what it asked for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use workscribe_core::local::BcryptHasher;
use workscribe_testkit::app::TestApp;
use workscribe_testkit::databases;

/// Failures for one account, fewer than the number that causes a delay.
const TRIES: usize = 4;
const ACCOUNTS: usize = 250;

#[tokio::main]
async fn main() {
    // `cargo test --benches` also starts benchmarks, and only checks that they run.
    let accounts = if std::env::args().any(|argument| argument == "--bench") { ACCOUNTS } else { 2 };
    let hasher = Arc::new(BcryptHasher::new(8));
    let app = TestApp::with(databases::sqlite().await.storage, |builder| builder.hasher(hasher));
    for account in 0..accounts {
        app.register(&format!("known-{account}@example.com")).await;
    }
    let mut login = Times::default();
    let mut forgot = Times::default();
    for round in 0..TRIES {
        for account in 0..accounts {
            // The order alternates, so that neither kind always finds a warm cache.
            let mut kinds = ["known", "unknown"];
            if (round + account) % 2 == 1 {
                kinds.reverse();
            }
            for kind in kinds {
                let email = format!("{kind}-{account}@example.com");
                let body = json!({"email": email, "password": "not the right one"});
                login.add(kind, time(&app, "/auth/login", &body, 401).await);
                forgot.add(kind, time(&app, "/auth/forgot-password", &json!({"email": email}), 204).await);
            }
        }
    }
    println!("median of {} tries each, on SQLite, bcrypt at cost 8", accounts * TRIES);
    login.print("log in with a wrong password");
    forgot.print("ask for a new password");
}

async fn time(app: &TestApp, path: &str, body: &serde_json::Value, status: u16) -> Duration {
    let call = app.post(path).json(body);
    let started = Instant::now();
    let answer = call.send().await;
    let taken = started.elapsed();
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    taken
}

#[derive(Default)]
struct Times {
    known: Vec<Duration>,
    unknown: Vec<Duration>,
}

impl Times {
    fn add(&mut self, kind: &str, time: Duration) {
        if kind == "known" { self.known.push(time) } else { self.unknown.push(time) }
    }

    fn print(mut self, what: &str) {
        let (known, unknown) = (median(&mut self.known), median(&mut self.unknown));
        let difference = (known.as_secs_f64() / unknown.as_secs_f64() - 1.0) * 100.0;
        println!(
            "{what}: account {known:?}, none {unknown:?}, difference {difference:+.1} % (target: within 5 %)"
        );
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    *times.get(times.len() / 2).expect("there was a try")
}
