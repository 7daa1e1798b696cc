//! A pool's connection while a unit uses it: how a running statement is interrupted, and how a failed transaction ends.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool, SqlStr};
use sqlx_core::transaction::TransactionManager as _;

use super::{Conn, Db, dialect};
use crate::error::Meaning;

type Manager = <Db as Database>::TransactionManager;

/// A connection, and the means to interrupt its statement.
pub(crate) struct Held {
    connection: PoolConnection<Db>,
    interrupt: dialect::Interrupt,
    /// Whether a statement has begun and its end is not known.
    runs: bool,
}

impl Held {
    /// Waits for a connection.
    pub(crate) async fn acquire(pool: &Pool<Db>) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let interrupt = dialect::Interrupt::of(&mut connection).await?;
        Ok(Self { connection, interrupt, runs: false })
    }

    /// The connection, for a statement with this time limit. The caller reports its end with [`Held::ended`].
    pub(crate) fn begins(&mut self, limit: Option<Duration>) -> &mut Conn {
        self.runs = true;
        self.interrupt.begins(limit);
        &mut self.connection
    }

    /// Reports that the statement has ended, with or without success.
    pub(crate) fn ended(&mut self) {
        self.runs = false;
        self.interrupt.ended();
    }

    pub(crate) const fn runs(&self) -> bool {
        self.runs
    }

    /// The connection, for statements whose ends are not reported.
    pub(crate) fn lend(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// Interrupts the running statement; `None` when the connection is closed with it.
    pub(crate) fn break_off(self) -> Option<Self> {
        if self.interrupt.break_off() {
            return Some(self);
        }
        self.close();
        None
    }

    /// Closes the connection instead of returning it to the pool.
    pub(crate) fn close(self) {
        drop(self.connection.detach());
    }
}

/// A connection with a transaction of ours open on it. Dropping it rolls the transaction back.
pub(crate) struct Own {
    held: Option<Held>,
    failed: bool,
}

impl Own {
    /// Opens a transaction. A connection that broke while it was idle fails here, where another one can replace it without loss.
    pub(crate) async fn begin(
        pool: &Pool<Db>,
        begin: &SqlStr,
        limit: Option<Duration>,
    ) -> Result<Self, sqlx::Error> {
        match Self::try_to_begin(pool, begin, limit).await {
            Err(sqlx::Error::Io(_)) => {}
            Err(sqlx::Error::Database(error))
                if dialect::classify(error.as_ref()) == Meaning::Unavailable => {}
            begun => return begun,
        }
        Self::try_to_begin(pool, begin, limit).await
    }

    async fn try_to_begin(
        pool: &Pool<Db>,
        begin: &SqlStr,
        limit: Option<Duration>,
    ) -> Result<Self, sqlx::Error> {
        let held = Held::acquire(pool).await?;
        // If this future is dropped, this rolls back a transaction that may have begun.
        let mut own = Self { held: Some(held), failed: false };
        if let Some(held) = &mut own.held {
            within(limit, Manager::begin(held.begins(limit), Some(begin.clone()))).await?;
            held.ended();
        }
        Ok(own)
    }

    pub(crate) const fn held(&mut self) -> Option<&mut Held> {
        self.held.as_mut()
    }

    /// Notes that a statement failed: the database may have ended the transaction.
    pub(crate) const fn failed(&mut self) {
        self.failed = true;
    }

    /// Commits the transaction.
    pub(crate) async fn commit(mut self, limit: Option<Duration>) -> Result<(), sqlx::Error> {
        let Some(held) = &mut self.held else { return Err(sqlx::Error::PoolClosed) };
        let committed = within(limit, Manager::commit(held.begins(limit))).await;
        match &committed {
            Ok(()) => {
                held.ended();
                self.held = None;
            }
            Err(sqlx::Error::Database(_)) => {
                held.ended();
                self.failed = true;
            }
            // The result is not known, and the connection cannot be used again.
            Err(_) => {}
        }
        committed
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        if held.runs() {
            let Some(kept) = held.break_off() else { return };
            held = kept;
            self.failed = true;
        }
        if self.failed {
            // Without a runtime there is no task for the rollback, so the connection is closed.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(roll_back(held))),
                Err(_) => held.close(),
            }
        } else {
            // sqlx sends it before the next statement.
            Manager::start_rollback(held.lend());
        }
    }
}

/// Rolls back a transaction in which a statement failed. When the rollback fails too, it closes the connection: if one side took
/// the transaction for open and the other for ended, every later transaction would fail.
async fn roll_back(mut held: Held) {
    let is_over = Manager::rollback(held.lend()).await.is_ok()
        || dialect::begin_anew(held.lend()).await.is_ok() && Manager::rollback(held.lend()).await.is_ok();
    // The interrupt must not stop the next statement.
    held.ended();
    if !is_over {
        tracing::warn!("a connection was closed, because its transaction could not be rolled back");
        held.connection.close_on_drop();
    }
}

/// Fails with an error after the time limit of the database, because the database itself may hang.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match limit {
        Some(limit) => match tokio::time::timeout(limit + GRACE, statement).await {
            Ok(done) => done,
            Err(elapsed) => Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed))),
        },
        None => statement.await,
    }
}

/// The database stops a statement first, if it can, and reports it.
const GRACE: Duration = Duration::from_secs(1);
