//! Calls a server over HTTP.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::program::PATIENCE;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A client for one server.
#[derive(Clone)]
pub(crate) struct Client {
    /// The server's address, such as `http://127.0.0.1:8001`.
    pub(crate) at: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(at: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { at: at.to_owned(), http }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.at.strip_prefix("http://").unwrap()
    }

    fn call(&self, method: Method, path: &str) -> Call {
        Call(self.http.request(method, format!("{}{path}", self.at)))
    }

    /// A GET of a full path.
    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// A POST under `/api/v1`.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Call {
        let call = self.call(Method::POST, &format!("/api/v1{path}"));
        Call(call.0.json(body))
    }

    pub(crate) async fn register(&self, email: &str) -> Login {
        let body = json!({"display_name": "Ada Lovelace", "email": email, "password": PASSWORD});
        Login::of(&self.post("/auth/register", &body).send().await.expect(201))
    }

    /// Tries to log in.
    pub(crate) async fn log_in(&self, email: &str) -> Answer {
        self.post("/auth/login", &json!({"email": email, "password": PASSWORD})).send().await
    }

    pub(crate) async fn me(&self, login: &Login) -> Answer {
        self.get("/api/v1/auth/me").bearer(login).send().await
    }

    pub(crate) async fn refresh(&self, login: &Login) -> Answer {
        self.post("/auth/refresh", &json!({"refresh_token": login.refresh})).send().await
    }

    pub(crate) async fn organization(&self, login: &Login, slug: &str) -> Answer {
        self.post("/organizations", &json!({"name": slug, "slug": slug})).bearer(login).send().await
    }
}

/// The result of a login.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Login {
    pub(crate) fn of(answer: &Answer) -> Self {
        let text = |name: &str| answer.json[name].as_str().unwrap().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

/// A request before it is sent.
#[must_use]
pub(crate) struct Call(RequestBuilder);

impl Call {
    pub(crate) fn bearer(self, login: &Login) -> Self {
        Self(self.0.bearer_auth(&login.access))
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) async fn send(self) -> Answer {
        self.try_send().await.expect("the server answers")
    }

    /// Sends the request; `None` when no response came.
    pub(crate) async fn try_send(self) -> Option<Answer> {
        let response = self.0.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.ok()?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some(Answer { status, headers, text, json })
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Asserts the response of a server with an unavailable part: it says when to try again, and contains nothing internal.
    #[track_caller]
    pub(crate) fn expect_unavailable(self) -> Self {
        assert_eq!(
            (self.status, self.json["code"].as_str()),
            (503, Some("SERVICE_UNAVAILABLE")),
            "{}",
            self.text
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(self.headers.contains_key("retry-after"), "{:?}", self.headers);
        for internal in ["sqlx", "postgres", "redis", "os error", "refused", "ws_", "pool", "127.0.0.1"] {
            assert!(!self.text.to_lowercase().contains(internal), "{internal} is in {}", self.text);
        }
        self
    }
}
