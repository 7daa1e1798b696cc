//! A proxy before Postgres that counts what goes over the wire: round trips, statements and transactions.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Stands on a loopback port between a client and Postgres until it is dropped.
pub struct Proxy {
    /// The server's URL with the proxy's address in it.
    pub url: String,
    counters: Arc<Counters>,
    accepting: JoinHandle<()>,
}

/// How much has gone over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Answers of the server after which it waits: each ends one round trip.
    pub round_trips: u64,
    /// Statements that the server has completed, `BEGIN` and `COMMIT` among them.
    pub statements: u64,
    /// Those of them that began a transaction.
    pub transactions: u64,
}

#[derive(Default)]
struct Counters {
    round_trips: AtomicU64,
    statements: AtomicU64,
    transactions: AtomicU64,
}

impl Proxy {
    /// Starts one before the server of a URL such as [`super::databases::Schema::url`], without TLS, so that every answer
    /// can be told from the next.
    ///
    /// # Errors
    /// When the URL is none of Postgres with a user and a query, or no port can be had.
    pub async fn before(url: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let options = PgConnectOptions::from_str(url)?;
        let upstream = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        let counters = Arc::<Counters>::default();
        let counting = Arc::clone(&counters);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Ends with either of its two connections.
                tokio::spawn(relay(client, upstream.clone(), Arc::clone(&counting)));
            }
        });
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no address")?;
        let (authority, path) = rest.split_once('/').ok_or("the URL has no database")?;
        let user = authority.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{scheme}://{user}{here}/{path}{separator}sslmode=disable");
        Ok(Self { url, counters, accepting })
    }

    /// What has gone over the wire so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let Counters { round_trips, statements, transactions } = &*self.counters;
        let [round_trips, statements, transactions] =
            [round_trips, statements, transactions].map(|counter| counter.load(Ordering::Relaxed));
        Traffic { round_trips, statements, transactions }
    }
}

impl std::ops::Sub for Traffic {
    type Output = Self;

    /// What has gone over the wire since.
    fn sub(self, before: Self) -> Self {
        Self {
            round_trips: self.round_trips - before.round_trips,
            statements: self.statements - before.statements,
            transactions: self.transactions - before.transactions,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, upstream: (String, u16), counters: Arc<Counters>) -> std::io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut message = Vec::new();
    loop {
        // A type, and a length that counts itself (PostgreSQL 15 documentation, §55.7).
        let (kind, length) = (from_server.read_u8().await?, from_server.read_u32().await?);
        message.resize(usize::try_from(length).unwrap_or_default().saturating_sub(4), 0);
        from_server.read_exact(&mut message).await?;
        let one = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match kind {
            b'Z' => drop(one(&counters.round_trips)),
            b'C' => {
                one(&counters.statements);
                if message.starts_with(b"BEGIN") {
                    one(&counters.transactions);
                }
            }
            _ => {}
        }
        let mut whole = Vec::with_capacity(message.len() + 5);
        whole.push(kind);
        whole.extend(length.to_be_bytes());
        whole.extend(&message);
        to_client.write_all(&whole).await?;
    }
}
