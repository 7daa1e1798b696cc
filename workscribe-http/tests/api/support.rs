//! Applications on each storage, and what every test file imports.

pub(crate) use std::sync::Arc;

use async_trait::async_trait;
pub(crate) use chrono::TimeDelta;
pub(crate) use poem::http::{Method, StatusCode};
pub(crate) use serde_json::{Value, json};
use tokio::sync::Notify;
pub(crate) use workscribe_core::Settings;
pub(crate) use workscribe_core::limits::{Limit, Limits};
use workscribe_core::local::BcryptHasher;
use workscribe_core::ports::{PasswordHasher, Secret, Verdict};
use workscribe_core::{Builder, Error};
pub(crate) use workscribe_testkit::app::{Answer, Login, PASSWORD, TestApp};
use workscribe_testkit::databases;

/// The path of the organization `engines`.
pub(crate) const ORG: &str = "/organizations/engines";

/// The storage of an application.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

impl On {
    /// An application with the default settings.
    pub(crate) async fn app(self) -> TestApp {
        self.app_with(|builder| builder).await
    }

    /// An application in which Ada has an account.
    pub(crate) async fn ada(self) -> (Arc<TestApp>, Login) {
        let app = Arc::new(self.app().await);
        let ada = app.register("ada@example.com").await;
        (app, ada)
    }

    /// An application in which Ada owns the organization `engines`.
    pub(crate) async fn engines(self) -> (Arc<TestApp>, Login) {
        let (app, ada) = self.ada().await;
        app.organization(&ada, "engines").await;
        (app, ada)
    }

    /// An application with other parts or settings.
    pub(crate) async fn app_with(self, change: impl FnOnce(Builder) -> Builder) -> TestApp {
        let database = match self {
            Self::Sqlite => databases::sqlite().await,
            Self::Postgres => databases::postgres().await,
        };
        TestApp::with(database.storage, change)
    }
}

/// Settings with other limits.
pub(crate) fn with_limits(limits: Limits) -> Settings {
    Settings { limits, ..Settings::default() }
}

/// Tries to log in.
pub(crate) async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    app.post("/auth/login").json(&json!({"email": email, "password": password})).send().await
}

/// Uses a refresh token.
pub(crate) async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/refresh").json(&json!({"refresh_token": token})).send().await
}

/// Requests a link to set a new password.
pub(crate) async fn forgot(app: &TestApp, email: &str) -> Answer {
    app.post("/auth/forgot-password").json(&json!({"email": email})).send().await
}

/// Sets a new password with the token of a mail.
pub(crate) async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "new_password": password});
    app.post("/auth/reset-password").json(&body).send().await
}

/// The names of a response's headers, sorted.
pub(crate) fn header_names(answer: &Answer) -> Vec<&str> {
    let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    names
}

/// A hasher that holds every check of one password until it is released, so that a test decides what happens
/// during the check.
pub(crate) struct HeldHasher {
    inner: BcryptHasher,
    password: &'static str,
    arrived: Notify,
    released: Notify,
}

impl HeldHasher {
    pub(crate) fn holding(password: &'static str) -> Arc<Self> {
        let inner = BcryptHasher::new(4).with_queue(100_000);
        Arc::new(Self { inner, password, arrived: Notify::new(), released: Notify::new() })
    }

    /// Waits until it holds a check of the password.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Releases one check of the password.
    pub(crate) fn release(&self) {
        self.released.notify_one();
    }
}

#[async_trait]
impl PasswordHasher for HeldHasher {
    async fn hash(&self, password: &Secret) -> Result<String, Error> {
        self.inner.hash(password).await
    }

    async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<Verdict, Error> {
        let verdict = self.inner.verify(password, hash).await?;
        if password.expose() == self.password {
            self.arrived.notify_one();
            self.released.notified().await;
        }
        Ok(verdict)
    }
}

/// Makes two tests of each: on SQLite and on Postgres.
///
/// `on_every_storage! { async fn a_sentence(on: On) { … } }`
macro_rules! on_every_storage {
    ($($(#[$meta:meta])* async fn $name:ident($on:ident: On) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn check($on: $crate::support::On) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                check($crate::support::On::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                check($crate::support::On::Postgres).await;
            }
        }
    )+};
}
pub(crate) use on_every_storage;

/// Sends requests at the same time, each in its own tokio task. The responses are in the order of the requests.
pub(crate) async fn at_once<F>(requests: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let tasks: Vec<_> = requests.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.expect("the request does not panic"));
    }
    answers
}

/// Every item of a list, page by page. The last segment of the path is the field with the items.
pub(crate) async fn walk(app: &TestApp, login: &Login, path: &str, limit: usize) -> Vec<Value> {
    let plain = path.split('?').next().unwrap_or_default();
    walk_of(app, login, path, plain.rsplit('/').next().unwrap_or_default(), limit).await
}

/// Every item of a list, page by page. The path may have a query.
pub(crate) async fn walk_of(
    app: &TestApp,
    login: &Login,
    path: &str,
    plural: &str,
    limit: usize,
) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    let first = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = app.get(&format!("{path}{first}limit={limit}{cursor}")).bearer(login).send().await;
        let page = page.expect(StatusCode::OK).json;
        let found = page[plural].as_array().expect("a list");
        assert!(found.len() <= limit, "{path} answers {} items for {limit}", found.len());
        items.extend(found.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// One field of every item, as text.
pub(crate) fn texts(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}
