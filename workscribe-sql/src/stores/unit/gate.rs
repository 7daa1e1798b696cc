//! Queues in the process for rows that many transactions lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::types::Uuid;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// After this wait a unit waits for the row's own lock. It limits the delay when two transactions wait for each other here, where
/// the database cannot see the deadlock.
const PATIENCE: Duration = Duration::from_secs(1);

/// Queues for rows that many units write.
///
/// Thirty transactions that wait for one row's lock in Postgres wake each other up at every commit, which costs more than
/// their work. Here they wait in the process in the order of arrival, and one at a time asks for the lock. This only saves
/// time: the row's lock excludes other writers, also those of other processes.
#[derive(Default)]
pub(crate) struct Gates {
    locks: Mutex<HashMap<Uuid, Weak<Lock<()>>>>,
}

/// A unit's turn at a gate, until it is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Gates {
    /// Waits for the turn at the row with this id; `None` when the wait takes too long.
    pub(crate) async fn turn(&self, id: Uuid) -> Option<Turn> {
        tokio::time::timeout(PATIENCE, self.lock(id).lock_owned()).await.ok()
    }

    fn lock(&self, id: Uuid) -> Arc<Lock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&id).and_then(Weak::upgrade) {
            return lock;
        }
        // Gates that no unit uses are removed before the map grows.
        if locks.len() == locks.capacity() {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::default();
        locks.insert(id, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_passes_each_gate_and_nobody_waits_for_ever() {
        let gates = Gates::default();
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = gates.turn(a).await;
        assert!(first.is_some());
        assert!(gates.turn(b).await.is_some(), "another gate");
        assert!(gates.turn(a).await.is_none(), "it is taken, and patience ends");
        let (waited, ()) = tokio::join!(gates.turn(a), async { drop(first) });
        assert!(waited.is_some(), "whose turn it was has gone");
    }

    #[tokio::test]
    async fn gates_at_which_nobody_is_are_forgotten() {
        let gates = Gates::default();
        for n in 0..10_000 {
            gates.turn(Uuid::from_u128(n)).await;
        }
        assert!(gates.locks.lock().unwrap().len() < 100);
    }
}
