//! A whole application for tests: API, worker and mail, on any storage, called without a network.

#![expect(clippy::expect_used, reason = "a test cannot go on without what it asked for")]

use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint as _, Request, Response};
use poem_openapi::OpenApi;
use serde_json::{Value, json};
use workscribe_core::identity::{SecretKey, SecretRing};
use workscribe_core::local::{BcryptHasher, Unlimited};
use workscribe_core::ports::Secret;
use workscribe_core::webhooks::DeliverWebhook;
use workscribe_core::{Builder, Settings, Storage, WorkScribe};
use workscribe_http::HttpOptions;
use workscribe_jobs::mail::{DefaultTemplates, Links, workscribe_jobs};
use workscribe_jobs::webhooks::WebhookSender;
use workscribe_jobs::{Worker, WorkerOptions};

use crate::clock::FrozenClock;
use crate::databases;
use crate::mail::MailCapture;

/// The base URL of links in mails.
pub const PUBLIC_URL: &str = "https://app.example.com";
/// A password that every rule allows.
pub const PASSWORD: &str = "correct horse battery staple";
/// The key with which applications under test sign.
pub const TEST_KEY: &str = "a key for tests, which is of no use elsewhere";

/// An application under test. Its clock is frozen until the test moves it, and no limit applies unless the test enables it.
pub struct TestApp {
    /// The application.
    pub app: WorkScribe,
    /// Its clock.
    pub clock: FrozenClock,
    /// The mails it sent.
    pub mail: MailCapture,
    worker: Worker,
    api: BoxEndpoint<'static, Response>,
}

impl TestApp {
    /// An application on an empty SQLite database, with the usual settings: enough for most tests.
    pub async fn sqlite() -> Self {
        Self::new(databases::sqlite().await.storage)
    }

    /// An application on any storage, with the usual settings.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self::with_settings(storage, Settings::default())
    }

    /// An application with other settings.
    pub fn with_settings(storage: Arc<dyn Storage>, settings: Settings) -> Self {
        Self::with(storage, |builder| builder.settings(settings))
    }

    /// An application with changes to its builder.
    pub fn with(storage: Arc<dyn Storage>, change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::at(FrozenClock::default(), storage, change)
    }

    /// Another server on the same storage, with the same keys and the same clock.
    pub fn another_node(&self, change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::at(self.clock.clone(), Arc::clone(self.app.storage()), change)
    }

    /// Serves other APIs than WorkScribe's with the usual limits, or serves WorkScribe's in another way.
    #[must_use]
    pub fn serving<T: OpenApi + 'static>(mut self, apis: T, options: &HttpOptions) -> Self {
        self.api = workscribe_http::mount(&self.app, apis, options);
        self
    }

    fn at(clock: FrozenClock, storage: Arc<dyn Storage>, change: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = WorkScribe::builder(storage, test_secrets())
            .clock(Arc::new(clock.clone()))
            .hasher(Arc::new(BcryptHasher::new(4).with_queue(100_000)))
            .limiter(Arc::new(Unlimited));
        let app = change(builder).build();
        let mail = MailCapture::new();
        let links = Links::new(PUBLIC_URL).expect("the public URL is one");
        let mut registry =
            workscribe_jobs(Arc::new(mail.clone()), Arc::new(DefaultTemplates::new("WorkScribe")), links);
        // A test sends nothing to the internet: messages are not sent unless a network is configured.
        let networks = &app.settings().webhook_networks;
        if !networks.is_public_alone() {
            let sender = WebhookSender::new(networks.clone()).expect("there is TLS");
            registry = registry.register::<DeliverWebhook>(sender);
        }
        let worker = Worker::new(app.clone(), registry, WorkerOptions::default());
        // Requests are not counted: a test may make very many at one moment of its clock.
        let options = HttpOptions { counts_requests: false, ..HttpOptions::default() };
        let api = workscribe_http::mount(&app, workscribe_http::all(&app), &options);
        Self { app, clock, mail, worker, api }
    }

    /// Runs the jobs that are due, so that mails are sent.
    pub async fn drain(&self) {
        self.worker.drain().await.expect("the jobs can be claimed");
    }

    /// Begins a request. The path is the full path, from `/`.
    pub fn request(&self, method: Method, path: &str) -> Call<'_> {
        Call { app: self, method, path: path.to_owned(), headers: HeaderMap::new(), body: None }
    }

    /// Begins a GET under `/api/v1`.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.request(Method::GET, &format!("/api/v1{path}"))
    }

    /// Begins a POST under `/api/v1`.
    pub fn post(&self, path: &str) -> Call<'_> {
        self.request(Method::POST, &format!("/api/v1{path}"))
    }

    /// Begins a PATCH under `/api/v1`.
    pub fn patch(&self, path: &str) -> Call<'_> {
        self.request(Method::PATCH, &format!("/api/v1{path}"))
    }

    /// Begins a DELETE under `/api/v1`.
    pub fn delete(&self, path: &str) -> Call<'_> {
        self.request(Method::DELETE, &format!("/api/v1{path}"))
    }

    /// Registers a user with [`PASSWORD`].
    pub async fn register(&self, email: &str) -> Login {
        let body = json!({"display_name": "Ada Lovelace", "email": email, "password": PASSWORD});
        Login::of(self.post("/auth/register").json(&body).send().await.expect(StatusCode::CREATED))
    }

    /// Logs a user in with [`PASSWORD`].
    pub async fn login(&self, email: &str) -> Login {
        let body = json!({"email": email, "password": PASSWORD});
        Login::of(self.post("/auth/login").json(&body).send().await.expect(StatusCode::OK))
    }

    /// Creates an organization whose name is its slug.
    pub async fn organization(&self, owner: &Login, slug: &str) -> Value {
        let body = json!({"name": slug, "slug": slug});
        self.post("/organizations").bearer(owner).json(&body).send().await.expect(StatusCode::CREATED).json
    }

    /// Adds a member with a new account to an organization, through an invitation that the member accepts.
    pub async fn member(&self, inviter: &Login, slug: &str, email: &str, role: &str) -> Login {
        let path = format!("/organizations/{slug}/invite");
        let body = json!({"email": email, "role": role});
        self.post(&path).bearer(inviter).json(&body).send().await.expect(StatusCode::CREATED);
        let token = self.mailed_token(email).await;
        let body = json!({"display_name": "Grace Hopper", "password": PASSWORD});
        let path = format!("/auth/invitations/{token}/accept");
        Login::of(self.post(&path).json(&body).send().await.expect(StatusCode::OK))
    }

    /// The token in the link of the last mail to an address. It runs the due jobs first.
    pub async fn mailed_token(&self, email: &str) -> String {
        self.drain().await;
        let mail = self.mail.last_to(email).unwrap_or_else(|| panic!("no mail to {email}"));
        token_of(mail.link.as_deref().unwrap_or_else(|| panic!("no link in {}", mail.subject)))
    }
}

/// The keys with which applications under test sign.
#[must_use]
pub fn test_secrets() -> SecretRing {
    let key = SecretKey::new(&Secret::new(TEST_KEY));
    SecretRing::new(key.expect("the key is long enough"), Vec::new())
}

/// The token in a mailed link.
#[must_use]
pub fn token_of(link: &str) -> String {
    match link.split_once("token=") {
        Some((_, token)) => token.to_owned(),
        None => link.trim_end_matches("/accept").rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

/// The result of a login.
#[derive(Debug, Clone)]
pub struct Login {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// The user's id.
    pub user_id: String,
    /// The user's address.
    pub email: String,
}

impl Login {
    /// Reads the response to a login.
    #[must_use]
    pub fn of(answer: Answer) -> Self {
        let text = |pointer: &str| {
            answer
                .json
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("no {pointer}"))
                .to_owned()
        };
        Self {
            access: text("/access_token"),
            refresh: text("/refresh_token"),
            user_id: text("/user/id"),
            email: text("/user/email"),
        }
    }
}

/// A request before it is sent.
#[must_use]
pub struct Call<'a> {
    app: &'a TestApp,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Call<'_> {
    /// Adds an access token.
    pub fn bearer(self, login: &Login) -> Self {
        let value = format!("Bearer {}", login.access);
        self.header("authorization", &value)
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("the value can stand in a header");
        self.headers.append(name, value);
        self
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").raw(body.to_string())
    }

    /// Sets the body without a change.
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the request, and leaves the body of the response unread.
    pub async fn open(self) -> Response {
        let mut request = Request::builder().method(self.method).uri(self.path.parse().expect("a URI"));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = match self.body {
            Some(body) => request.body(body),
            None => request.finish(),
        };
        self.app.api.get_response(request).await
    }

    /// Sends the request and reads the response.
    pub async fn send(self) -> Answer {
        let (method, path) = (self.method.clone(), self.path.clone());
        let (parts, body) = self.open().await.into_parts();
        let bytes = body.into_vec().await.expect("the body can be read");
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { what: format!("{method} {path}"), status: parts.status, headers: parts.headers, json, text }
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Answer {
    what: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if it is JSON; otherwise null.
    pub json: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Asserts the status.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        self
    }

    /// Asserts an error: its status, its code, and the form of a problem document.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status.as_u16(), self.json["code"].as_str()),
            (status, Some(code)),
            "{}: {}",
            self.what,
            self.text
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.what);
        assert_eq!(self.json["status"], status, "{}", self.what);
        assert_eq!(self.json["request_id"].as_str(), self.header("x-request-id"), "{}", self.what);
        self
    }

    /// The faults of a 422 response, as `pointer code`.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let errors = self.json["errors"].as_array().cloned().unwrap_or_default();
        let text = |fault: &Value, key: &str| fault[key].as_str().unwrap_or_default().to_owned();
        errors.iter().map(|fault| format!("{} {}", text(fault, "pointer"), text(fault, "code"))).collect()
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `ETag`.
    #[track_caller]
    #[must_use]
    pub fn etag(&self) -> String {
        self.header(header::ETAG.as_str()).expect("an ETag").to_owned()
    }
}
