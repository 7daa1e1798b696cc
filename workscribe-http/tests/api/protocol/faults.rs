//! Cross-origin requests, panics, and a storage that fails.

use std::io::Write;
use std::sync::Mutex;

use async_trait::async_trait;
use poem_openapi::OpenApi;
use workscribe_core::{NotReady, Storage, StoreError, UnitOfWork};
use workscribe_http::{ApiResult, HttpOptions, NoContent};
use workscribe_testkit::app::token_of;

use crate::support::*;

const ORIGIN: &str = "https://app.example.com";

/// An embedder's API with a fault.
struct Broken;

#[OpenApi]
impl Broken {
    /// Panic
    #[oai(path = "/api/v1/broken", method = "get", operation_id = "breakDown")]
    async fn break_down(&self) -> ApiResult<NoContent> {
        panic!("secret number {}", 4711)
    }
}

fn with_fault(app: TestApp) -> TestApp {
    let apis = (workscribe_http::all(&app.app), Broken);
    let options = HttpOptions { cors_origins: vec![ORIGIN.to_owned()], ..HttpOptions::default() };
    app.serving(apis, &options)
}

fn has_cors(answer: &Answer) -> bool {
    answer.headers.keys().any(|name| name.as_str().starts_with("access-control"))
}

on_every_storage! {
    async fn a_panic_is_a_500_without_its_text(on: On) {
        let app = with_fault(on.app().await);
        let answer = app.get("/broken").send().await.refused(500, "INTERNAL_ERROR");
        assert!(!answer.text.contains("secret") && !answer.text.contains("4711"), "{}", answer.text);
        app.register("ada@example.com").await;
        let document = app.request(Method::GET, "/openapi.json").send().await.expect(StatusCode::OK);
        assert_eq!(document.json["paths"]["/api/v1/broken"]["get"]["operationId"], "breakDown");
    }

    async fn a_configured_origin_may_call(on: On) {
        let app = with_fault(on.app().await);
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            let call = app.request(Method::OPTIONS, "/api/v1/auth/me").header("origin", ORIGIN);
            let call = call.header("access-control-request-method", method);
            let wanted = "authorization,content-type,idempotency-key,if-match";
            let answer = call.header("access-control-request-headers", wanted).send().await;
            let answer = answer.expect(StatusCode::OK);
            assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
            assert!(answer.header("access-control-allow-methods").unwrap().contains(method));
            for name in wanted.split(',') {
                assert!(answer.header("access-control-allow-headers").unwrap().contains(name), "{name}");
            }
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
        for (path, status) in [
            ("/health", 200),
            ("/api/v1/auth/me", 401),
            ("/api/v1/nothing", 404),
            ("/api/v1/auth/login", 405),
            ("/api/v1/broken", 500),
        ] {
            let answer = app.request(Method::GET, path).header("origin", ORIGIN).send().await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN), "{path}");
            assert_eq!(answer.header("vary"), Some("Origin"), "{path}");
            let exposed = answer.header("access-control-expose-headers").unwrap();
            for name in
                ["etag", "location", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id"]
            {
                assert!(exposed.split(", ").any(|told| told == name), "{name} in {exposed}");
            }
            if status >= 400 {
                assert_eq!(answer.json["request_id"].as_str(), answer.header("x-request-id"), "{path}");
            }
        }
    }

    async fn another_origin_is_answered_without_leave_to_read(on: On) {
        let app = with_fault(on.app().await);
        for origin in ["https://evil.example", "https://app.example.com.evil.example", "null", "é"] {
            let answer = app.request(Method::GET, "/health").header("origin", origin).send().await;
            let answer = answer.expect(StatusCode::OK);
            assert!(!has_cors(&answer), "{origin}");
            assert_eq!(answer.header("vary"), Some("Origin"), "a cache must not give this answer to {ORIGIN}");
            let call = app.request(Method::OPTIONS, "/api/v1/auth/me").header("origin", origin);
            let preflight = call.header("access-control-request-method", "GET").send().await;
            assert!(!has_cors(&preflight.refused(405, "METHOD_NOT_ALLOWED")), "{origin}");
        }
        let call = app.request(Method::OPTIONS, "/api/v1/auth/me").header("origin", ORIGIN);
        let preflight = call.header("access-control-request-method", "TRACE").send().await;
        assert!(preflight.status.is_client_error());
    }

    async fn without_configured_origins_nobody_is_told_of_any(on: On) {
        let app = on.app().await;
        let answer = app.request(Method::GET, "/health").header("origin", ORIGIN).send().await;
        assert!(!has_cors(&answer.expect(StatusCode::OK)));
    }
}

/// A storage whose driver returns details that no caller may see.
struct Failing;

const DRIVERS_TEXT: &str = "postgres://admin:hunter2@10.0.0.5 refused: relation ws_users";

#[async_trait]
impl Storage for Failing {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        Err(StoreError::Unavailable(DRIVERS_TEXT.into()))
    }

    async fn read(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        Err(StoreError::Backend(DRIVERS_TEXT.into()))
    }

    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.read().await
    }

    async fn readiness(&self) -> Vec<NotReady> {
        vec![NotReady { part: "database", reason: "no answer".to_owned() }]
    }
}

#[tokio::test]
async fn a_storage_that_fails_is_a_5xx_without_its_text() {
    let app = TestApp::new(Arc::new(Failing));
    let body = json!({
        "display_name": "Ada Lovelace", "email": "ada@example.com", "password": PASSWORD, "token": "x",
        "new_password": PASSWORD,
    });
    for (path, status, code) in [
        ("/auth/register", 503, "SERVICE_UNAVAILABLE"),
        ("/auth/forgot-password", 503, "SERVICE_UNAVAILABLE"),
        ("/auth/verify-email", 503, "SERVICE_UNAVAILABLE"),
        ("/auth/login", 500, "INTERNAL_ERROR"),
        ("/auth/reset-password", 500, "INTERNAL_ERROR"),
    ] {
        let refused = app.post(path).json(&body).send().await.refused(status, code);
        for part in ["postgres", "hunter2", "10.0.0.5", "ws_users", "relation"] {
            assert!(!refused.text.contains(part), "{path}: {}", refused.text);
        }
        assert_eq!(refused.header("retry-after"), (status == 503).then_some("2"), "{path}");
    }
    app.request(Method::GET, "/health").send().await.expect(StatusCode::OK);
    app.request(Method::GET, "/livez").send().await.expect(StatusCode::OK);
    let ready = app.request(Method::GET, "/readyz").send().await.expect(StatusCode::SERVICE_UNAVAILABLE);
    let expected = json!({"status": "not_ready", "not_ready": [{"part": "database", "reason": "no answer"}]});
    assert_eq!(ready.json, expected);
}

/// What was logged, as one text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_the_cause_and_the_request_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // With only one subscriber, a log event that another test's thread reaches first would be disabled for all threads.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _guard = tracing::subscriber::set_default(subscriber);
    let failing = TestApp::new(Arc::new(Failing));
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let refused = failing.post("/auth/login").json(&body).send().await.refused(500, "INTERNAL_ERROR");
    let app = TestApp::sqlite().await;
    let ada = app.register("ada@example.com").await;
    let verification = app.mailed_token("ada@example.com").await;
    app.organization(&ada, "engines").await;
    app.member(&ada, "engines", "grace@example.com", "member").await;
    let mail = app.mail.last_to("grace@example.com").unwrap();
    let invitation = token_of(mail.link.as_deref().unwrap());
    app.request(Method::PUT, &format!("/api/v1/auth/invitations/{invitation}")).send().await;
    let query = format!("/auth/me?access_token={}", ada.access);
    app.get(&query).send().await.refused(401, "UNAUTHENTICATED");
    refresh(&app, &ada.refresh).await.expect(StatusCode::OK);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for told in [refused.json["request_id"].as_str().unwrap(), DRIVERS_TEXT, "acceptInvitation", "status=401"]
    {
        assert!(text.contains(told), "{told} in {text}");
    }
    for secret in [PASSWORD, &verification, &invitation, &ada.access, &ada.refresh, &mail.text] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
