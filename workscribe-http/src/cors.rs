//! Cross-origin requests.

use poem::EndpointExt as _;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method};
use poem::middleware::Cors;
use poem::{Endpoint, Request, Response, Result, http::header};

/// Answers cross-origin requests (the Fetch standard's CORS protocol) from the configured origins. For another origin it sends
/// no CORS headers, and the browser refuses; the request itself is not an error, so pages of the server itself work.
pub(crate) struct CorsGate<E> {
    origins: Vec<String>,
    open: BoxEndpoint<'static, Response>,
    closed: E,
}

impl<E: Endpoint<Output = Response> + Clone + 'static> CorsGate<E> {
    pub(crate) fn new(origins: &[String], inner: E) -> Self {
        let cors = Cors::new()
            .allow_origins(origins)
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::HEAD])
            .allow_headers(["authorization", "content-type", "if-match", "idempotency-key"])
            .expose_headers([
                "etag",
                "location",
                "retry-after",
                "ratelimit",
                "ratelimit-policy",
                "x-request-id",
                "www-authenticate",
            ])
            .allow_credentials(false)
            .max_age(600);
        Self {
            origins: origins.to_vec(),
            open: inner.clone().with(cors).map_to_response().boxed(),
            closed: inner,
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for CorsGate<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let mut response = if origin.is_some_and(|origin| self.origins.iter().any(|known| known == origin)) {
            self.open.call(request).await?
        } else {
            self.closed.call(request).await?
        };
        if !self.origins.is_empty() {
            // A cache must not give one origin the answer to another (the Fetch standard, "CORS protocol and HTTP caches").
            response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
        }
        Ok(response)
    }
}
