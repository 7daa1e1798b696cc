//! The bridge to other frameworks: a mounted API as a [`tower_service::Service`], which axum and others can nest.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint as _, Request, RequestParts, Response};
use tower_service::Service;

/// A mounted API as a service. It never returns an error: refusals are responses. Cloning it is cheap.
///
/// The API's paths begin with `/api/v1`, `/docs` and so on, so nest it at the root: in axum as the `fallback_service`.
/// It takes the client's address from a `SocketAddr` in the request's extensions; without one, the limits count all requests as
/// those of one client.
#[derive(Clone)]
pub struct ApiService(Arc<BoxEndpoint<'static, Response>>);

impl ApiService {
    /// Makes a service of the endpoint that [`mount`](crate::mount()) returns.
    #[must_use]
    pub fn new(api: BoxEndpoint<'static, Response>) -> Self {
        Self(Arc::new(api))
    }
}

impl<B> Service<http::Request<B>> for ApiService
where
    B: HttpBody<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Response = http::Response<BoxBody<Bytes, io::Error>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let api = Arc::clone(&self.0);
        let (parts, body) = request.into_parts();
        let peer = parts.extensions.get::<SocketAddr>().copied();
        let remote = RemoteAddr(peer.map_or_else(Addr::default, Addr::from));
        let parts = RequestParts::from((parts, LocalAddr::default(), remote, Scheme::HTTP));
        let body: BoxBody<Bytes, io::Error> = BoxBody::new(body.map_err(io::Error::other));
        let request = Request::from_parts(parts, body.into());
        Box::pin(async move { Ok(api.get_response(request).await.into()) })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn a_request_of_another_framework_is_answered_and_its_body_and_peer_arrive() {
        #[poem::handler]
        fn echo(request: &Request, body: String) -> String {
            format!("{} {} {body}", request.remote_addr(), request.uri())
        }
        let mut service =
            ApiService::new(poem::EndpointExt::boxed(poem::Route::new().at("/echo", poem::post(echo))));
        let mut request = http::Request::post("/echo?x=1").body(Full::new(Bytes::from("hello"))).unwrap();
        request.extensions_mut().insert(SocketAddr::from(([192, 0, 2, 1], 9)));
        let answer = service.call(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "socket://192.0.2.1:9 /echo?x=1 hello");
        let missing =
            service.call(http::Request::get("/none").body(Full::new(Bytes::new())).unwrap()).await.unwrap();
        assert_eq!(missing.status(), 404);
    }
}
