//! The connection to Redis: a pool with limited waits, and the conversion of its errors to WorkScribe's.

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
use workscribe_core::{StoreError, StoreResult};

/// How to use a Redis.
#[derive(Debug, Clone)]
pub struct Options {
    /// The prefix of every key and channel, so that several installations can share a Redis: `ws:`.
    pub prefix: String,
    /// The maximum number of connections: 16. Each subscriber of wake-ups has one more.
    pub max_connections: usize,
    /// The maximum wait for a connection, and then for a response: 1 second, which is also the largest allowed value.
    pub timeout: Duration,
}

impl Options {
    /// The largest [`Options::timeout`]. A larger value is reduced to this.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(1);
}

impl Default for Options {
    fn default() -> Self {
        Self { prefix: "ws:".to_owned(), max_connections: 16, timeout: Self::MAX_TIMEOUT }
    }
}

/// Why these settings allow no connection. The text contains no part of the URL, which may contain a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL is invalid, or is a `rediss://` URL without the feature `tls`.
    #[error("the Redis URL cannot be used")]
    Url(#[source] RedisError),
    /// The pool cannot be created.
    #[error("the pool of Redis connections cannot be made")]
    Pool(#[source] deadpool_redis::BuildError),
}

/// A Redis, and how to use it. Cloning is cheap; the clones share one pool.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    /// For subscribers, each of which needs its own connection.
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
    /// Takes a URL such as `redis://:password@host:6379/0`. It connects at the first command, so the server can start while
    /// Redis is unavailable.
    ///
    /// # Errors
    /// [`ConfigError`] when the URL is invalid or needs a feature that was not compiled in.
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

    /// Checks that Redis responds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not respond in time; [`StoreError::Backend`] when it refuses, for example
    /// because of a wrong password.
    pub async fn ping(&self) -> StoreResult<()> {
        self.query::<String>(&cmd("PING")).await.map(drop)
    }

    /// The name of a key or channel, with the prefix.
    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.inner.prefix)
    }

    /// The maximum duration of one wait.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// Runs one command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> StoreResult<T> {
        let mut connection = self.connection().await?;
        let outcome = tokio::time::timeout(self.inner.timeout, command.query_async(&mut connection)).await;
        self.settle(connection, outcome)
    }

    /// Runs one script by its SHA-1, and sends its text if Redis does not know it.
    pub(crate) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> StoreResult<T> {
        let mut connection = self.connection().await?;
        let outcome = tokio::time::timeout(self.inner.timeout, script.invoke_async(&mut connection)).await;
        self.settle(connection, outcome)
    }

    /// A separate connection for a subscriber.
    pub(crate) async fn subscriber(&self) -> StoreResult<PubSub> {
        let connecting = self.inner.client.get_async_pubsub();
        match tokio::time::timeout(self.inner.timeout, connecting).await {
            Ok(outcome) => outcome.map_err(store_error),
            Err(_) => Err(self.timed_out()),
        }
    }

    async fn connection(&self) -> StoreResult<Connection> {
        // The pool limits each of its steps. Several dead connections in a row take several steps, so the total is limited too.
        match tokio::time::timeout(self.inner.timeout, self.inner.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(store_error(error)),
            Ok(Err(error)) => Err(StoreError::Unavailable(Box::new(error))),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Converts a result, and closes the connection if it may be broken.
    fn settle<T>(
        &self,
        connection: Connection,
        outcome: Result<RedisResult<T>, tokio::time::error::Elapsed>,
    ) -> StoreResult<T> {
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

/// [`StoreError::Unavailable`] for errors that may end by themselves, [`StoreError::Backend`] for the others.
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
        // Out of memory, a disk that fails, too few replicas, a script that runs too long, too many clients.
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
