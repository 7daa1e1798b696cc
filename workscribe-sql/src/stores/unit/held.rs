//! A connection of a pool while a unit has it: what is done when a statement is broken off, and when a transaction ends badly.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool, SqlStr};
use sqlx_core::transaction::TransactionManager as _;

use super::{Conn, Db, dialect};
use crate::error::Meaning;

type Manager = <Db as Database>::TransactionManager;

/// A connection, and what breaks its statement off.
pub(crate) struct Held {
    connection: PoolConnection<Db>,
    interrupt: dialect::Interrupt,
    /// Whether a statement has begun of whose end nothing was heard.
    runs: bool,
}

impl Held {
    /// Waits for a connection.
    pub(crate) async fn acquire(pool: &Pool<Db>) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let interrupt = dialect::Interrupt::of(&mut connection).await?;
        Ok(Self { connection, interrupt, runs: false })
    }

    /// The connection, for a statement that may take so long, and whose end is told by [`Held::ended`].
    pub(crate) fn begins(&mut self, limit: Option<Duration>) -> &mut Conn {
        self.runs = true;
        self.interrupt.begins(limit);
        &mut self.connection
    }

    /// The statement has ended, well or not.
    pub(crate) fn ended(&mut self) {
        self.runs = false;
        self.interrupt.ended();
    }

    pub(crate) const fn runs(&self) -> bool {
        self.runs
    }

    /// The connection, for statements of which nothing will be heard.
    pub(crate) fn lend(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// Breaks the statement off that runs; `None` when the connection is thrown away with it.
    pub(crate) fn break_off(self) -> Option<Self> {
        if self.interrupt.break_off() {
            return Some(self);
        }
        self.close();
        None
    }

    /// Closes the connection, past the pool.
    pub(crate) fn close(self) {
        drop(self.connection.detach());
    }
}

/// A connection with a transaction of ours open on it. Dropped, it is rolled back.
pub(crate) struct Own {
    held: Option<Held>,
    failed: bool,
}

impl Own {
    /// Opens a transaction. A connection that broke while it was idle shows itself here, where nothing is lost by taking another.
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
        // Should it be broken off, this rolls back what may have begun.
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

    /// A statement has failed: the database may have ended the transaction by itself.
    pub(crate) const fn failed(&mut self) {
        self.failed = true;
    }

    /// Makes everything durable.
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
            // What has become of it is not known, and the connection is of no more use.
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
            // Without a runtime the connection is closed with all others.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(roll_back(held))),
                Err(_) => held.close(),
            }
        } else {
            // It goes ahead of the next statement.
            Manager::start_rollback(held.lend());
        }
    }
}

/// Rolls a transaction back in which something failed, and closes a connection on which that fails too: a transaction that one side
/// takes for open and the other for ended would be every later one's fault.
async fn roll_back(mut held: Held) {
    let is_over = Manager::rollback(held.lend()).await.is_ok()
        || dialect::begin_anew(held.lend()).await.is_ok() && Manager::rollback(held.lend()).await.is_ok();
    // What breaks a statement off is not to break off the next one's.
    held.ended();
    if !is_over {
        tracing::warn!("a connection was closed, because its transaction could not be rolled back");
        held.connection.close_on_drop();
    }
}

/// Ends with an error what takes longer than the database would let it: the database itself may hang.
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

/// The database ends a statement first, if it can, and says so.
const GRACE: Duration = Duration::from_secs(1);
