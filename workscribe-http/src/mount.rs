//! Combines APIs into one endpoint, with the layers that every request needs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use ipnet::IpNet;
use metrics::counter;
use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use poem::web::Html;
use poem::{
    Endpoint, EndpointExt as _, IntoEndpoint, IntoResponse, Request, Response, Result, Route, get, post,
};
use poem_openapi::{OpenApi, OpenApiService, OperationId};
use serde_json::Value;
use tracing::Instrument as _;
use workscribe_core::id::RequestId;
use workscribe_core::webhooks::VerifyingSecret;
use workscribe_core::{VERSION, WorkScribe};

use crate::caller::{ClientIp, Counted, client_ip};
use crate::cors::CorsGate;
use crate::meter::{Meter, PAUSE};
use crate::resend::{self, ResendEvents};
use crate::{openapi, problem};

/// The options of the served API.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The origins whose pages may call the API from a browser, such as `https://app.example.com`.
    pub cors_origins: Vec<String>,
    /// The networks of the proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The secret of Resend's webhook. If it is set, `POST /hooks/resend` accepts the events about addresses that refuse mail:
    /// `email.bounced`, `email.suppressed`, `suppression.added` and `suppression.removed`.
    pub resend_webhook: Option<VerifyingSecret>,
    /// Whether the requests of users and organizations are counted, with the limits in the application's settings.
    pub counts_requests: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            resend_webhook: None,
            counts_requests: true,
        }
    }
}

/// Makes one endpoint of an API, or of several as a tuple: any of WorkScribe's APIs, and an embedder's own.
///
/// Every request gets an id (in `X-Request-Id`, problems and logs), the client's address, CORS, a problem document if it is
/// refused, and a line in the log. The endpoint also has `/openapi.json` and the page `/docs`.
pub fn mount<T: OpenApi + 'static>(
    app: &WorkScribe,
    apis: T,
    options: &HttpOptions,
) -> BoxEndpoint<'static, Response> {
    let service = OpenApiService::new(apis, "WorkScribe", VERSION);
    let derived = service.spec();
    let document =
        openapi::finish(serde_json::from_str(&derived).unwrap_or_default(), app.settings().registration);
    let page: Arc<str> = service.swagger_ui_html().replace(&derived, &document.to_string()).into();
    let mut allowed = methods(&document);
    let json: Arc<str> = document.to_string().into();
    let mut beside = Route::new()
        .at(
            "/openapi.json",
            get(make_sync(move |_| {
                Response::builder().content_type("application/json").body(json.to_string())
            })),
        )
        .at("/docs", get(make_sync(move |_| Html(page.to_string()))));
    if let Some(secret) = options.resend_webhook.clone() {
        beside = beside.at(resend::PATH, post(ResendEvents { app: app.clone(), secret }));
        allowed.push((resend::PATH.split('/').map(str::to_owned).collect(), "POST".to_owned()));
    }
    let routes = Routes { beside, api: service.into_endpoint() };
    around(app, routes.boxed(), allowed, options)
}

/// The APIs, and the routes next to them. A router around routers would rewrite the URI of every request.
struct Routes {
    beside: Route,
    api: BoxEndpoint<'static, Response>,
}

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if ["/openapi.json", "/docs", resend::PATH].contains(&request.uri().path()) {
            return self.beside.call(request).await;
        }
        self.api.call(request).await
    }
}

/// The paths and their methods, for the `Allow` header of a 405.
pub(crate) fn methods(document: &Value) -> Vec<(Vec<String>, String)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .map(|(path, operations)| {
            let mut methods: Vec<String> = operations
                .as_object()
                .into_iter()
                .flatten()
                .map(|(method, _)| method.to_uppercase())
                .collect();
            if methods.iter().any(|method| method == "GET") {
                methods.push("HEAD".to_owned());
            }
            (path.split('/').map(str::to_owned).collect(), methods.join(", "))
        })
        .collect()
}

/// Adds the layers that every request needs to some routes. `allowed` has the methods of each path that takes more than GET.
pub(crate) fn around(
    app: &WorkScribe,
    route: BoxEndpoint<'static, Response>,
    allowed: Vec<(Vec<String>, String)>,
    options: &HttpOptions,
) -> BoxEndpoint<'static, Response> {
    let meter = Meter::of(&app.settings().limits).filter(|_| options.counts_requests).map(Arc::new);
    let inner = Arc::new(Inner { app: app.clone(), meter, route, allowed });
    let front = Front {
        app: app.clone(),
        trusted_proxies: options.trusted_proxies.clone(),
        next: CorsGate::new(&options.cors_origins, inner),
    };
    front.boxed()
}

/// The metric that counts requests refused for now.
const REFUSED: &str = "workscribe_requests_refused_total";

/// The id of a request, which the request carries.
#[derive(Clone)]
struct Id(String);

/// The outermost layer. It gives the request what the inner layers read, and the response its headers.
struct Front<E> {
    app: WorkScribe,
    trusted_proxies: Vec<IpNet>,
    next: E,
}

impl<E: Endpoint<Output = Response>> Endpoint for Front<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let id = self.app.new_id::<RequestId>().to_string();
        let peer = request.remote_addr().as_socket_addr().map(|address| address.ip());
        let ip = client_ip(peer, request.headers(), &self.trusted_proxies);
        let counted = Counted::default();
        request.set_data(Id(id.clone()));
        request.set_data(ClientIp(ip));
        request.set_data(counted.clone());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let span = tracing::info_span!("request", request_id = %id);
        let started = Instant::now();
        let mut response = match self.next.call(request).instrument(span.clone()).await {
            Ok(response) => response,
            Err(error) => problem::finish(Err(error), &id),
        };
        span.in_scope(|| log(&method, &path, &response, started));
        counted.write(response.headers_mut());
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert("x-request-id", value);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if ["/api/", "/admin/"].iter().any(|prefix| path.starts_with(prefix)) {
            // Responses contain a tenant's data, payloads or tokens, so no cache may store them.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Ok(response)
    }
}

/// Writes one line per request. It has the operation in place of the path, since a path may contain a mailed token.
fn log(method: &Method, path: &str, response: &Response, started: Instant) {
    let operation = response.data::<OperationId>().map(|operation| operation.0);
    let path = (operation.is_none() && !path.contains("/invitations/")).then_some(path);
    let status = response.status().as_u16();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, operation, path, status, micros, "answered");
}

/// The layer between CORS and the routes. It turns panics and refusals into responses, so that they get CORS headers too.
struct Inner {
    app: WorkScribe,
    meter: Option<Arc<Meter>>,
    route: BoxEndpoint<'static, Response>,
    allowed: Vec<(Vec<String>, String)>,
}

impl Inner {
    /// The `Allow` header that a 405 must have (RFC 9110 §15.5.6).
    fn allow(&self, path: &str) -> Option<HeaderValue> {
        let wanted: Vec<&str> = path.split('/').collect();
        let fits = |pattern: &[String]| {
            pattern.len() == wanted.len()
                && pattern.iter().zip(&wanted).all(|(part, have)| part.starts_with('{') || part == have)
        };
        let fitting = || self.allowed.iter().filter(|(pattern, _)| fits(pattern));
        // The router prefers a path without parameters: `/tasks/bulk-positions` over `/tasks/{task_id}`.
        let parameters = |pattern: &[String]| pattern.iter().filter(|part| part.starts_with('{')).count();
        let fewest = fitting().map(|(pattern, _)| parameters(pattern)).min();
        let methods: Vec<&str> = fitting()
            .filter(|(pattern, _)| Some(parameters(pattern)) == fewest)
            .map(|(_, methods)| methods.as_str())
            .collect();
        let methods = if methods.is_empty() { vec!["GET, HEAD"] } else { methods };
        HeaderValue::from_str(&methods.join(", ")).ok()
    }
}

/// Replaces a condition or key that is not text by an empty one. poem treats such a header as absent, and would make the change
/// without the condition. An empty one is refused: as a version that no resource has, or as a key that is too short.
fn keep_conditions(headers: &mut HeaderMap) {
    for name in [header::IF_MATCH, HeaderName::from_static("idempotency-key")] {
        if headers.get_all(&name).iter().any(|value| value.to_str().is_err()) {
            headers.insert(name, HeaderValue::from_static(""));
        }
    }
}

impl Endpoint for Inner {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let id = request.data::<Id>().map(|id| id.0.clone()).unwrap_or_default();
        let path = request.uri().path().to_owned();
        let counted = request.data::<Counted>().cloned().unwrap_or_default();
        request.set_data(self.app.clone());
        if let Some(meter) = &self.meter {
            request.set_data(Arc::clone(meter));
        }
        keep_conditions(request.headers_mut());
        let answer = match AssertUnwindSafe(self.route.call(request)).catch_unwind().await {
            Ok(answer) => answer.map(IntoResponse::into_response),
            Err(payload) => return Ok(problem::panicked(&*payload, &id)),
        };
        let mut response = answer.unwrap_or_else(poem::Error::into_response);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Some(allow) = self.allow(&path)
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        let operation = response.data::<OperationId>().copied();
        let mut response = problem::finish(Ok(response), &id);
        if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status()) {
            let operation = operation.map_or("", |operation| operation.0);
            let status = response.status().as_u16().to_string();
            let limit = counted.exhausted().unwrap_or_default();
            counter!(REFUSED, "operation" => operation, "status" => status, "limit" => limit).increment(1);
            if self.meter.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        if let Some(operation) = operation {
            response.set_data(operation);
        }
        Ok(response)
    }
}
