//! Queues in the process for rows that many transactions lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::types::Uuid;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

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
    turns: Mutex<HashMap<Uuid, Weak<Turn<()>>>>,
}

/// A unit's turn at a gate, until it is dropped.
pub(crate) type Pass = OwnedMutexGuard<()>;

impl Gates {
    /// Waits for the turn at the row with this id; `None` when the wait takes too long.
    pub(crate) async fn pass(&self, id: Uuid) -> Option<Pass> {
        tokio::time::timeout(PATIENCE, self.turn(id).lock_owned()).await.ok()
    }

    fn turn(&self, id: Uuid) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(&id).and_then(Weak::upgrade) {
            return turn;
        }
        // Gates that no unit uses are removed before the map grows.
        if turns.len() == turns.capacity() {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::default();
        turns.insert(id, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_passes_each_gate_and_nobody_waits_for_ever() {
        let gates = Gates::default();
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = gates.pass(a).await;
        assert!(first.is_some());
        assert!(gates.pass(b).await.is_some(), "another gate");
        assert!(gates.pass(a).await.is_none(), "it is taken, and patience ends");
        let (waited, ()) = tokio::join!(gates.pass(a), async { drop(first) });
        assert!(waited.is_some(), "whose turn it was has gone");
    }

    #[tokio::test]
    async fn gates_at_which_nobody_is_are_forgotten() {
        let gates = Gates::default();
        for n in 0..10_000 {
            gates.pass(Uuid::from_u128(n)).await;
        }
        assert!(gates.turns.lock().unwrap().len() < 100);
    }
}
