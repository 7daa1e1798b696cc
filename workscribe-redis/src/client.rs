//! The connection to Redis: a pool with bounded waits, and how its errors read in WorkScribe.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::aio::PubSub;
use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    RedisResult, ScriptInvocation, ServerErrorKind, cmd,
};
use deadpool_redis::{Connection, Manager, Pool, PoolConfig, PoolError, Runtime, Timeouts};
use workscribe_core::StoreError;

/// How to use a Redis.
#[derive(Debug, Clone)]
pub struct Options {
    /// What every key and channel begins with, so that several installations can share a Redis: `ws:`.
    pub prefix: String,
    /// How many connections there are at the most: 16. Subscribers of wake-ups have one more each.
    pub max_connections: usize,
    /// How long to wait for a connection, and then for an answer: 1 second, which is also the most.
    pub timeout: Duration,
}

impl Options {
    /// The longest [`Options::timeout`]. A longer one is cut to this.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(1);
}

impl Default for Options {
    fn default() -> Self {
        Self { prefix: "ws:".to_owned(), max_connections: 16, timeout: Self::MAX_TIMEOUT }
    }
}

/// Why there can be no connection with these settings. Its text has no part of the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL cannot be used. A `rediss://` one needs the feature `tls`.
    #[error("the Redis URL cannot be used")]
    Url(#[source] RedisError),
    /// The pool cannot be made.
    #[error("the pool of Redis connections cannot be made")]
    Pool(#[source] deadpool_redis::BuildError),
}

/// A Redis, and how to use it. Cloning it is cheap, and the clones share one pool.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    /// For subscribers, which need a connection to themselves.
    client: Client,
    prefix: String,
    timeout: Duration,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.inner.prefix).finish_non_exhaustive()
    }
}

/// Redis did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("Redis did not answer within {0:?}")]
struct TimedOut(Duration);

impl Redis {
    /// Takes a URL such as `redis://:password@host:6379/0`. Nothing is connected until the first command, so a Redis that
    /// is down does not keep the server from starting.
    ///
    /// # Errors
    /// [`ConfigError`] when the URL is not one, or needs a feature that is not built in.
    pub fn connect(url: &str, options: Options) -> Result<Self, ConfigError> {
        let timeout = options.timeout.min(Options::MAX_TIMEOUT);
        let info = url
            .into_connection_info()
            .map_err(ConfigError::Url)?
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info.clone()).map_err(ConfigError::Url)?;
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let manager = Manager::new_with_config(info, connection).map_err(ConfigError::Url)?;
        let mut pool = PoolConfig::new(options.max_connections.max(1));
        pool.timeouts = Timeouts { wait: Some(timeout), create: Some(timeout), recycle: Some(timeout) };
        let pool = Pool::builder(manager)
            .config(pool)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(ConfigError::Pool)?;
        Ok(Self { inner: Arc::new(Inner { pool, client, prefix: options.prefix, timeout }) })
    }

    /// Asks Redis for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not answer in time; [`StoreError::Backend`] when it refuses, for
    /// instance for a wrong password.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.query::<String>(&cmd("PING")).await.map(drop)
    }

    /// The name of a key or channel, with the prefix.
    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.inner.prefix)
    }

    /// The longest that one wait takes.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// Runs one command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection().await?;
        let outcome = tokio::time::timeout(self.inner.timeout, command.query_async(&mut connection)).await;
        self.settle(connection, outcome)
    }

    /// Runs one script by its digest, sending its text if Redis does not know it.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection().await?;
        let outcome = tokio::time::timeout(self.inner.timeout, script.invoke_async(&mut connection)).await;
        self.settle(connection, outcome)
    }

    /// A connection of its own, for a subscriber.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let connecting = self.inner.client.get_async_pubsub();
        match tokio::time::timeout(self.inner.timeout, connecting).await {
            Ok(outcome) => outcome.map_err(store_error),
            Err(_) => Err(self.timed_out()),
        }
    }

    async fn connection(&self) -> Result<Connection, StoreError> {
        // The pool bounds each of its steps; a row of dead connections is several steps, so the whole is bounded too.
        match tokio::time::timeout(self.inner.timeout, self.inner.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(store_error(error)),
            Ok(Err(error)) => Err(StoreError::Unavailable(Box::new(error))),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Maps an outcome, and keeps the connection from being used again when something is the matter with it.
    fn settle<T>(
        &self,
        connection: Connection,
        outcome: Result<RedisResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, StoreError> {
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let error = store_error(error);
                if matches!(error, StoreError::Unavailable(_)) {
                    drop(Connection::take(connection));
                }
                Err(error)
            }
            Err(_) => {
                drop(Connection::take(connection));
                Err(self.timed_out())
            }
        }
    }

    fn timed_out(&self) -> StoreError {
        StoreError::Unavailable(Box::new(TimedOut(self.inner.timeout)))
    }
}

/// [`StoreError::Unavailable`] for what may pass by itself, [`StoreError::Backend`] for the rest.
fn store_error(error: RedisError) -> StoreError {
    let passing = match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
        ),
        // Not enough memory, a disk that fails, too few replicas, a script that runs too long, too many clients.
        _ => matches!(error.code(), Some("OOM" | "MISCONF" | "NOREPLICAS" | "BUSY")) || error.is_timeout(),
    };
    if passing || error.is_unrecoverable_error() {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Backend(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_bad_url_is_refused_without_showing_its_password() {
        for url in
            ["redis://:hunter2@", "http://:hunter2@host", "rediss://:hunter2@[", "redis://:hunter2@host/x"]
        {
            let error = Redis::connect(url, Options::default()).unwrap_err();
            let mut texts = vec![format!("{error} {error:?}")];
            let mut source = error.source();
            while let Some(cause) = source {
                texts.push(format!("{cause} {cause:?}"));
                source = cause.source();
            }
            assert!(!texts.join(" ").contains("hunter2"), "{texts:?}");
        }
    }

    #[tokio::test]
    async fn what_is_printed_has_no_password() {
        let redis = Redis::connect("redis://:hunter2@127.0.0.1:1/", Options::default()).unwrap();
        let error = redis.ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let text = format!("{redis:?} {error} {error:?} {}", error.source().unwrap());
        assert!(!text.contains("hunter2"), "{text}");
    }
}
