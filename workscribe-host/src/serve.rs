//! The HTTP server: poem's endpoint on hyper, with plain HTTP/1.1 for a proxy in front of it.
//!
//! It replaces `poem::Server` for three reasons: it disconnects a client that sends its header slowly or does not read its
//! response, it does not spin when no file descriptors are free, and it counts the connections that outlive the shutdown's time.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint as _, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use workscribe_core::limits::Limit;

use crate::{DRAIN, Stop};

/// The maximum time for a request's whole header from its first byte, and for the first byte of a connection from its start.
/// The body has its own limit in `workscribe_http`.
const HEADER: Duration = Duration::from_secs(10);
/// A connection is closed this long after a response, unless the next request has begun. It is longer than the 60 s for which
/// proxies usually keep a connection, so that the proxy closes it.
const IDLE: Duration = Duration::from_secs(75);
/// A client that reads nothing of a response for this long is disconnected, because the unread part stays in memory. A client that
/// reads a part from time to time has no limit.
const UNREAD: Duration = Duration::from_secs(Limit::UnreadSeconds.default_value() as u64);
/// Handlers and streamed responses have their own limits; this must only be longer than all of them.
const BUSY: Duration = Duration::from_secs(3_600);

type Api = Arc<BoxEndpoint<'static, Response>>;

/// Serves until `stop`. Then it accepts no new connections and waits up to [`DRAIN`] for running requests.
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
                    tracing::error!(%error, "no connection can be accepted; trying again");
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
    // Without it a response in two parts may wait for the client's acknowledgement of the first part.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY is not set");
    }
    converse(stream, local, peer, api, stop, Pace::new(UNREAD)).await;
}

/// Answers the requests of a connection until it ends.
async fn converse<S>(stream: S, local: LocalAddr, peer: SocketAddr, api: Api, stop: Stop, pace: Pace)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        pace.set(Phase::Busy);
        let request: Request =
            (request, local.clone(), RemoteAddr(Addr::SocketAddr(peer)), Scheme::HTTP).into();
        let (api, pace) = (Arc::clone(&api), pace.clone());
        async move {
            let response = api.get_response(request).await;
            let response = hyper::Response::from(response);
            Ok::<_, Infallible>(response.map(|body| Answer { body, pace }))
        }
    });
    let io = TokioIo::new(Paced { stream, pace: pace.clone(), is_full: false });
    let mut served = pin!(http1::Builder::new().serve_connection(io, service));
    tokio::select! {
        () = within(&pace, served.as_mut()) => return,
        () = stop.wait() => {}
    }
    served.as_mut().graceful_shutdown();
    within(&pace, served).await;
}

/// Runs a connection until it ends or is too slow. The deadline changes only while the connection is polled.
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

/// The phase of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It waits for a request.
    Idle,
    /// A header has begun.
    Header,
    /// A handler runs, or its response is sent.
    Busy,
}

/// The phase of a connection and its deadlines.
#[derive(Clone)]
struct Pace {
    now: Arc<Mutex<Moment>>,
    /// The maximum time in which a client reads nothing although a part of the response is ready.
    unread: Duration,
}

#[derive(Clone, Copy)]
struct Moment {
    phase: Phase,
    /// When the phase must end.
    limit: Instant,
    /// Until when the client may read nothing, while the system's send buffer is full.
    unread: Option<Instant>,
}

impl Pace {
    fn new(unread: Duration) -> Self {
        let moment = Moment { phase: Phase::Header, limit: Instant::now() + HEADER, unread: None };
        Self { now: Arc::new(Mutex::new(moment)), unread }
    }

    fn now(&self) -> MutexGuard<'_, Moment> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        let mut now = self.now();
        now.phase = phase;
        now.limit = Instant::now() + phase.limit();
    }

    /// The client has sent something.
    fn read(&self) {
        if self.now().phase == Phase::Idle {
            self.set(Phase::Header);
        }
    }

    /// The client has read something: the time of the phase starts again.
    fn taken(&self) {
        let mut now = self.now();
        now.limit = Instant::now() + now.phase.limit();
        now.unread = None;
    }

    /// The system's send buffer is full.
    fn full(&self) {
        self.now().unread = Some(Instant::now() + self.unread);
    }

    fn deadline(&self) -> Instant {
        let now = self.now();
        now.unread.unwrap_or(now.limit)
    }
}

impl Phase {
    const fn limit(self) -> Duration {
        match self {
            Self::Idle => IDLE,
            Self::Header => HEADER,
            Self::Busy => BUSY,
        }
    }
}

/// A connection that reports to its pace when the client sends and reads.
struct Paced<S> {
    stream: S,
    pace: Pace,
    is_full: bool,
}

impl<S> Paced<S> {
    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        if written.is_pending() {
            if !self.is_full {
                self.pace.full();
            }
            self.is_full = true;
            return;
        }
        self.pace.taken();
        self.is_full = false;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of a response. When it is dropped, the connection is idle.
struct Answer<B> {
    body: B,
    pace: Pace,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.pace.set(Phase::Idle);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use poem::{EndpointExt as _, endpoint::make_sync};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// Long enough that a busy machine does not look like a client that reads nothing.
    const PATIENCE: Duration = Duration::from_secs(3);

    type Served = (DuplexStream, tokio::task::JoinHandle<()>);

    /// A connection to a server whose responses have this many parts of 64 kB, and the task that serves it.
    async fn asked(parts: usize) -> Served {
        let mut served = connected(move || {
            let part = || Ok::<_, io::Error>(Bytes::from(vec![b'x'; 64 << 10]));
            let parts = stream::iter((0..parts).map(move |_| part()));
            Response::builder().body(poem::Body::from_bytes_stream(parts))
        });
        served.0.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        served
    }

    /// A connection to a server that gives these responses, and the task that serves it.
    fn connected(answer: impl Fn() -> Response + Send + Sync + 'static) -> Served {
        let api = make_sync(move |_| answer());
        let (client, server) = duplex(1 << 10);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let (sender, stop) = tokio::sync::watch::channel(false);
        let served = tokio::spawn(async move {
            converse(
                server,
                LocalAddr::default(),
                peer,
                Arc::new(api.boxed()),
                Stop(stop),
                Pace::new(PATIENCE),
            )
            .await;
            drop(sender);
        });
        (client, served)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_of_an_answer_is_cut_off() {
        let (mut client, served) = asked(100).await;
        served.await.unwrap();
        let mut taken = Vec::new();
        client.read_to_end(&mut taken).await.unwrap();
        assert!(taken.len() <= 1 << 10, "it was given {} bytes", taken.len());
    }

    #[tokio::test]
    async fn nor_does_it_keep_an_answer_that_was_made_in_one_piece() {
        let (mut client, served) = connected(|| Response::builder().body(vec![b'x'; 1 << 20]));
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        timeout(10 * PATIENCE, served).await.expect("it is cut off").unwrap();
    }

    #[tokio::test]
    async fn of_requests_whose_answers_are_not_taken_no_more_are_read() {
        let (mut client, served) = connected(|| Response::builder().finish());
        let request = b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut sent = 0;
        while client.write_all(request).await.is_ok() {
            sent += 1;
            assert!(sent < 100_000, "its answers pile up");
        }
        served.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_takes_some_now_and_then_gets_all_however_long_it_takes() {
        let (mut client, served) = asked(100).await;
        let begun = Instant::now();
        let (mut taken, mut part) = (0, vec![0; 1 << 10]);
        while taken < 100 * (64 << 10) {
            // Slowly, for so long that a client that read nothing would be disconnected twice; then the rest.
            if begun.elapsed() < 2 * PATIENCE {
                sleep(Duration::from_millis(100)).await;
            }
            let some = client.read(&mut part).await.unwrap();
            assert!(some > 0, "it was cut off after {taken} bytes");
            taken += some;
        }
        drop(client);
        served.await.unwrap();
    }
}
