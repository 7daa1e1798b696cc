//! The HTTP server: poem's endpoint behind hyper, on plain HTTP/1.1, as a proxy in front speaks it.
//!
//! In place of `poem::Server` for three things: a client that sends its header slowly or does not read its answer is cut
//! off, a lack of file descriptors does not make it spin, and connections that outlive the shutdown's time are counted.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint as _, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::io::InspectReader;

use crate::{DRAIN, Stop};

/// A request's header must have come whole within this time of its first byte, and the first byte of a connection within
/// this time of its start. The body has its own limit in `workscribe_http`.
const HEADER: Duration = Duration::from_secs(10);
/// A connection is closed this long after an answer, unless the next request has begun. The answer must have been taken by
/// then too. Longer than the 60 s for which proxies usually keep a connection, so that the proxy is the one to close it.
const IDLE: Duration = Duration::from_secs(75);

type Api = Arc<BoxEndpoint<'static, Response>>;

/// Serves until `stop`, then takes no new connections and gives the requests that run up to [`DRAIN`].
pub(crate) async fn serve(listener: TcpListener, api: BoxEndpoint<'static, Response>, stop: Stop) {
    let api: Api = Arc::new(api);
    let mut connections = JoinSet::new();
    let mut stopping = pin!(stop.clone().wait());
    loop {
        tokio::select! {
            () = &mut stopping => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, Arc::clone(&api), stop.clone()));
                }
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be taken; trying again");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN, all).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests that took too long were broken off");
    }
}

fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(stream: TcpStream, peer: SocketAddr, api: Api, stop: Stop) {
    let local = stream.local_addr().map(|address| LocalAddr(Addr::SocketAddr(address))).unwrap_or_default();
    // Without it an answer in two parts may wait for the client's acknowledgement of the first.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY is not set");
    }
    let pace = Pace::default();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        pace.set(Phase::Busy);
        let request: Request =
            (request, local.clone(), RemoteAddr(Addr::SocketAddr(peer)), Scheme::HTTP).into();
        let (api, pace) = (Arc::clone(&api), pace.clone());
        async move {
            let response = api.get_response(request).await;
            pace.set(Phase::Idle);
            Ok::<_, Infallible>(hyper::Response::from(response))
        }
    });
    let read = |bytes: &[u8]| {
        if !bytes.is_empty() && pace.get().0 == Phase::Idle {
            pace.set(Phase::Header);
        }
    };
    let io = TokioIo::new(InspectReader::new(stream, read));
    let mut served = pin!(http1::Builder::new().serve_connection(io, service));
    tokio::select! {
        () = within(&pace, served.as_mut()) => return,
        () = stop.wait() => {}
    }
    served.as_mut().graceful_shutdown();
    within(&pace, served).await;
}

/// Runs a connection until it ends or is too slow. All that moves its deadline happens while it is polled.
async fn within<E>(pace: &Pace, mut served: Pin<&mut impl Future<Output = Result<(), E>>>) {
    let mut deadline = pace.deadline();
    let mut late = pin!(sleep_until(deadline));
    poll_fn(|context| {
        if served.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let now = pace.deadline();
        if now != deadline {
            deadline = now;
            late.as_mut().reset(now);
        }
        late.as_mut().poll(context)
    })
    .await;
}

/// What a connection does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It waits for a request.
    Idle,
    /// A header has begun.
    Header,
    /// A request is worked on.
    Busy,
}

/// What a connection does, and until when it may.
#[derive(Clone)]
struct Pace(Arc<Mutex<(Phase, Instant)>>);

impl Default for Pace {
    fn default() -> Self {
        Self(Arc::new(Mutex::new((Phase::Header, Instant::now() + HEADER))))
    }
}

impl Pace {
    fn set(&self, phase: Phase) {
        let limit = match phase {
            Phase::Idle => IDLE,
            Phase::Header => HEADER,
            // Handlers have limits of their own; this only has to be later than all of them.
            Phase::Busy => Duration::from_secs(3_600),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now() + limit);
    }

    fn get(&self) -> (Phase, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deadline(&self) -> Instant {
        self.get().1
    }
}
