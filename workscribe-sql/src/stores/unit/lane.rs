//! Connections that one read hands to the next.

use std::mem::take;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Pool;

use super::held::Held;
use super::{Conn, Db};

/// A connection counts as good for this long after its last use, as in the pool.
const FRESH: Duration = Duration::from_secs(1);

/// Connections that reads have just used, for the reads that follow.
///
/// sqlx tests every connection that returns to its pool, in a round trip that costs as much as the read itself. Only a connection
/// whose statement was interrupted needs the test. So a read's connection goes here to the next read, without the pool, unless
/// somebody waits at the pool. At most half of a pool is kept here, so that its other users have enough, and nothing of an
/// embedder's own pool.
pub(crate) struct Lane {
    kept: Mutex<Vec<(Held, Instant)>>,
    capacity: usize,
    waiting: AtomicUsize,
}

impl Lane {
    /// Keeps up to `capacity` connections; none if it is 0.
    pub(crate) fn new(capacity: u32) -> Arc<Self> {
        let capacity = usize::try_from(capacity).unwrap_or(0);
        Arc::new(Self { kept: Mutex::default(), capacity, waiting: AtomicUsize::new(0) })
    }

    /// Returns all connections to the pool, and keeps none from then on.
    pub(crate) fn close(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        drop(take(&mut *self.lock()));
    }

    /// A connection for a read.
    pub(crate) async fn reader(self: &Arc<Self>, pool: &Pool<Db>) -> Result<Reader, sqlx::Error> {
        let connection = match self.next() {
            Some(connection) => connection,
            None => self.wait(Held::acquire(pool)).await?,
        };
        Ok(Reader { held: Some(connection), lane: Arc::clone(self), ended_well: true })
    }

    /// Waits for the pool. Meanwhile connections that are returned go to the pool.
    pub(crate) async fn wait<T>(&self, at_pool: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(&self.waiting);
        // The pool may need just one more connection.
        drop(self.next());
        at_pool.await
    }

    /// The connection that was used last, if it is fresh. The others go back to the pool, which tests them.
    fn next(&self) -> Option<Held> {
        if self.capacity == 0 {
            return None;
        }
        let mut kept = self.lock();
        match kept.pop() {
            Some((connection, since)) if since.elapsed() < FRESH => Some(connection),
            Some(stale) => {
                // The others were used earlier.
                let others = take(&mut *kept);
                drop(kept);
                drop((stale, others));
                None
            }
            None => None,
        }
    }

    fn keep(&self, connection: Held) {
        if self.capacity > 0 && self.waiting.load(Ordering::Relaxed) == 0 {
            let mut kept = self.lock();
            if kept.len() < self.capacity {
                kept.push((connection, Instant::now()));
                return;
            }
        }
        drop(connection);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Held, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the kept connections. Returning them to the pool needs a runtime, which may have ended already.
impl Drop for Lane {
    fn drop(&mut self) {
        for (connection, _) in take(&mut *self.lock()) {
            connection.close();
        }
    }
}

/// Counts a waiter at the pool, until it has a connection or gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that reads. It goes to the next reader if its last statement succeeded or none was run; otherwise to the pool.
pub(crate) struct Reader {
    held: Option<Held>,
    lane: Arc<Lane>,
    ended_well: bool,
}

impl Reader {
    /// The connection, for a statement whose end is reported to [`Reader::ended`].
    pub(crate) const fn held(&mut self) -> Option<&mut Held> {
        self.ended_well = false;
        self.held.as_mut()
    }

    /// The connection, for statements whose ends are not reported.
    pub(crate) fn lend(&mut self) -> Option<&mut Conn> {
        self.held().map(Held::lend)
    }

    /// Reports that the statement has ended.
    pub(crate) fn ended(&mut self, well: bool) {
        self.ended_well = well;
        if let Some(held) = &mut self.held {
            held.ended();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        match self.held.take() {
            Some(held) if held.runs() => drop(held.break_off()),
            Some(held) if self.ended_well => self.lane.keep(held),
            // Dropped, it returns to the pool.
            _ => {}
        }
    }
}
