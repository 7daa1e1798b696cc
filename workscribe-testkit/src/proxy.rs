//! A proxy for Postgres. It counts the traffic (round trips, statements and transactions), and cuts connections on request.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Listens on a loopback port, and relays between a client and Postgres until it is dropped.
pub struct Proxy {
    /// The server's URL with the proxy's address.
    pub url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// When a connection is cut. A statement that did not reach the server does not run; one that the server has answered did run,
/// though the client gets no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The statement does not reach the server.
    BeforeStatement,
    /// The server's response to the statement does not reach the client.
    AfterStatement,
    /// The `COMMIT` of the statement's transaction does not reach the server.
    BeforeCommit,
    /// The server's response to that `COMMIT` does not reach the client.
    AfterCommit,
}

impl Moment {
    /// All moments.
    pub const ALL: [Self; 4] =
        [Self::BeforeStatement, Self::AfterStatement, Self::BeforeCommit, Self::AfterCommit];
}

#[derive(Default)]
struct Shared {
    counters: Counters,
    /// The cuts to make: at the next statement that contains the text.
    traps: Mutex<Vec<(&'static str, Moment)>>,
    /// Increased when all connections must be cut.
    cut: watch::Sender<u64>,
}

impl Shared {
    fn traps(&self) -> MutexGuard<'_, Vec<(&'static str, Moment)>> {
        self.traps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes and returns the first cut for one of these statements and moments.
    fn spring(&self, statements: &[Arc<str>], moments: [Moment; 2]) -> Option<Moment> {
        let mut traps = self.traps();
        let sprung = traps.iter().position(|(text, moment)| {
            moments.contains(moment) && statements.iter().any(|statement| statement.contains(text))
        })?;
        Some(traps.swap_remove(sprung).1)
    }
}

/// The traffic through a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Server messages after which the server waits: each ends one round trip.
    pub round_trips: u64,
    /// Statements that the server has completed, including `BEGIN` and `COMMIT`.
    pub statements: u64,
    /// Statements that began a transaction.
    pub transactions: u64,
    /// Round trips without a completed statement: the client prepared one, or a pool tested a returned connection.
    pub pings: u64,
}

#[derive(Default)]
struct Counters {
    round_trips: AtomicU64,
    statements: AtomicU64,
    transactions: AtomicU64,
    pings: AtomicU64,
}

impl Proxy {
    /// Starts a proxy for the server of a URL such as [`super::databases::Schema::url`]. It uses no TLS, so that it can read the
    /// messages.
    ///
    /// # Errors
    /// When the URL is not one of Postgres with a user and a query, or when no port is free.
    pub async fn before(url: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let options = PgConnectOptions::from_str(url)?;
        let upstream = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let of_all = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, shared) = (upstream.clone(), Arc::clone(&of_all));
                tokio::spawn(async move {
                    let mut cut = shared.cut.subscribe();
                    // When one of the two connections ends, both are closed.
                    tokio::select! {
                        _ = relay(client, upstream, &shared) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no address")?;
        let (authority, path) = rest.split_once('/').ok_or("the URL has no database")?;
        let user = authority.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{scheme}://{user}{here}/{path}{separator}sslmode=disable");
        Ok(Self { url, shared, accepting })
    }

    /// The traffic so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let Counters { round_trips, statements, transactions, pings } = &self.shared.counters;
        let [round_trips, statements, transactions, pings] =
            [round_trips, statements, transactions, pings].map(|counter| counter.load(Ordering::Relaxed));
        Traffic { round_trips, statements, transactions, pings }
    }

    /// Cuts all current connections.
    pub fn cut(&self) {
        self.shared.cut.send_modify(|times| *times += 1);
    }

    /// Cuts the connection at this moment of the next statement that contains this text, or of its transaction.
    pub fn cut_at(&self, text: &'static str, moment: Moment) {
        self.shared.traps().push((text, moment));
    }

    /// The cuts that were not made yet.
    #[must_use]
    pub fn cuts_to_come(&self) -> Vec<(&'static str, Moment)> {
        self.shared.traps().clone()
    }
}

impl std::ops::Sub for Traffic {
    type Output = Self;

    /// The traffic since `before`.
    fn sub(self, before: Self) -> Self {
        Self {
            round_trips: self.round_trips - before.round_trips,
            statements: self.statements - before.statements,
            transactions: self.transactions - before.transactions,
            pings: self.pings - before.pings,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, upstream: (String, u16), shared: &Shared) -> std::io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether the server's next response is the last one, and must not reach the client.
    let (last, is_last) = watch::channel(false);
    tokio::select! {
        ended = requests(BufReader::new(from_client), to_server, shared, &last) => ended,
        ended = answers(BufReader::new(from_server), to_client, &shared.counters, &is_last) => ended,
    }
}

/// Relays the client's messages until a cut.
async fn requests(
    mut from: BufReader<OwnedReadHalf>,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    last: &watch::Sender<bool>,
) -> std::io::Result<()> {
    // The first message has no type.
    let (mut out, mut message) = (Vec::new(), Vec::new());
    let length = from.read_u32().await?;
    read_rest(&mut from, length, &mut message).await?;
    out.extend(length.to_be_bytes());
    out.extend(&message);
    let mut prepared = HashMap::<Vec<u8>, Arc<str>>::new();
    let mut transaction = Vec::new();
    loop {
        if from.buffer().is_empty() {
            to.write_all(&out).await?;
            out.clear();
        }
        let kind = read_message(&mut from, &mut message).await?;
        let sprung = match kind {
            // Prepares a text under a name.
            b'P' => {
                let (name, rest) = text(&message);
                prepared.insert(name.to_vec(), String::from_utf8_lossy(text(rest).0).into());
                None
            }
            // Binds values to a named statement; the name of a portal comes first.
            b'B' => {
                let statement = prepared.get(text(text(&message).1).0).cloned();
                transaction.extend(statement.clone());
                shared.spring(statement.as_slice(), [Moment::BeforeStatement, Moment::AfterStatement])
            }
            b'Q' if message.starts_with(b"BEGIN") => {
                transaction.clear();
                None
            }
            b'Q' if message.starts_with(b"COMMIT") => {
                shared.spring(&transaction, [Moment::BeforeCommit, Moment::AfterCommit])
            }
            _ => None,
        };
        match sprung {
            Some(Moment::BeforeStatement | Moment::BeforeCommit) => return Ok(()),
            Some(Moment::AfterStatement | Moment::AfterCommit) => drop(last.send_replace(true)),
            None => {}
        }
        put(kind, &message, &mut out);
    }
}

/// Relays the server's messages, until the response that must not reach the client.
async fn answers(
    mut from: BufReader<OwnedReadHalf>,
    mut to: OwnedWriteHalf,
    counters: &Counters,
    is_last: &watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (mut out, mut message, mut completed) = (Vec::new(), Vec::new(), 0_u32);
    loop {
        let kind = read_message(&mut from, &mut message).await?;
        let one = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match kind {
            b'Z' => {
                one(&counters.round_trips);
                if std::mem::take(&mut completed) == 0 {
                    one(&counters.pings);
                }
            }
            b'C' => {
                completed += 1;
                one(&counters.statements);
                if message.starts_with(b"BEGIN") {
                    one(&counters.transactions);
                }
            }
            _ => {}
        }
        put(kind, &message, &mut out);
        if *is_last.borrow() {
            if kind == b'Z' {
                return Ok(());
            }
        } else if from.buffer().is_empty() {
            to.write_all(&out).await?;
            out.clear();
        }
    }
}

/// Reads a type and a message whose length includes itself (PostgreSQL 15 documentation, §55.7).
async fn read_message(from: &mut BufReader<OwnedReadHalf>, message: &mut Vec<u8>) -> std::io::Result<u8> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    read_rest(from, length, message).await?;
    Ok(kind)
}

async fn read_rest(
    from: &mut BufReader<OwnedReadHalf>,
    length: u32,
    message: &mut Vec<u8>,
) -> std::io::Result<()> {
    message.resize(usize::try_from(length).unwrap_or_default().saturating_sub(4), 0);
    from.read_exact(message).await.map(drop)
}

fn put(kind: u8, message: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((u32::try_from(message.len()).unwrap_or(u32::MAX - 4) + 4).to_be_bytes());
    out.extend(message);
}

/// A text up to its terminating zero, and the rest.
fn text(message: &[u8]) -> (&[u8], &[u8]) {
    let end = message.iter().position(|byte| *byte == 0).unwrap_or(message.len());
    (&message[..end], message.get(end + 1..).unwrap_or_default())
}
