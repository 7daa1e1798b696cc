//! Connections that reads pass on to the reads that follow.

use std::mem::take;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Pool;

use super::held::Held;
use super::{Conn, Db};

/// A connection is trusted for this long after its last use, as in the pool.
const FRESH: Duration = Duration::from_secs(1);

/// Connections that reads have just used, for the reads that follow.
///
/// sqlx tests every connection that is given back to its pool, a round trip that costs as much as the read itself. It is
/// owed to statements that were broken off; one that ended well needs none. So a read's connection goes on to the next
/// read here, past the pool, unless somebody waits at the pool. Only half of a pool can be kept here, so that nobody else who
/// uses it goes short, and none of an embedder's own pool.
pub(crate) struct Lane {
    kept: Mutex<Vec<(Held, Instant)>>,
    capacity: usize,
    waiting: AtomicUsize,
}

impl Lane {
    /// Keeps up to `capacity` connections; none for 0.
    pub(crate) fn new(capacity: u32) -> Arc<Self> {
        let capacity = usize::try_from(capacity).unwrap_or(0);
        Arc::new(Self { kept: Mutex::default(), capacity, waiting: AtomicUsize::new(0) })
    }

    /// Gives everything back to the pool, and keeps nothing from then on.
    pub(crate) fn close(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        drop(take(&mut *self.lock()));
    }

    /// A connection for reading.
    pub(crate) async fn reader(self: &Arc<Self>, pool: &Pool<Db>) -> Result<Reader, sqlx::Error> {
        let connection = match self.next() {
            Some(connection) => connection,
            None => self.wait(Held::acquire(pool)).await?,
        };
        Ok(Reader { held: Some(connection), lane: Arc::clone(self), ended_well: true })
    }

    /// Waits for the pool, and lets it have what is given back meanwhile.
    pub(crate) async fn wait<T>(&self, at_pool: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(&self.waiting);
        // One may be all that the pool lacks.
        drop(self.next());
        at_pool.await
    }

    /// The connection used last, if it is fresh; those that are not go back to the pool, which tests them.
    fn next(&self) -> Option<Held> {
        if self.capacity == 0 {
            return None;
        }
        let mut kept = self.lock();
        match kept.pop() {
            Some((connection, since)) if since.elapsed() < FRESH => Some(connection),
            Some(stale) => {
                // The others were used before it.
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

/// Closes what is kept, past the pool: giving it back takes a runtime, which may have ended before.
impl Drop for Lane {
    fn drop(&mut self) {
        for (connection, _) in take(&mut *self.lock()) {
            connection.close();
        }
    }
}

/// Counts somebody who waits at the pool, also when they give up.
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

/// A connection that reads. It goes to the next reader if its last statement ended well or none was made, else to the pool.
pub(crate) struct Reader {
    held: Option<Held>,
    lane: Arc<Lane>,
    ended_well: bool,
}

impl Reader {
    /// The connection, for a statement whose end is told by [`Reader::ended`].
    pub(crate) const fn held(&mut self) -> Option<&mut Held> {
        self.ended_well = false;
        self.held.as_mut()
    }

    /// The connection, for statements of which nothing will be heard.
    pub(crate) fn lend(&mut self) -> Option<&mut Conn> {
        self.held().map(Held::lend)
    }

    /// The statement has ended.
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
            // To the pool.
            _ => {}
        }
    }
}
