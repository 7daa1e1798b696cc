//! Answers kept for repeated requests.

use async_trait::async_trait;
use workscribe_core::clock::Timestamp;
use workscribe_core::idempotency::{Claim, IdempotencyKey, IdempotencyStore, StoredAnswer};
use workscribe_core::sweep::Portion;
use workscribe_core::{Constraint, StoreError};

use super::{MemoryUnit, conflict, sweep_portion};

#[derive(Clone)]
pub(super) struct Row {
    fingerprint: [u8; 32],
    claimed_at: Timestamp,
    expires_at: Timestamp,
    answer: Option<StoredAnswer>,
}

fn name(key: &IdempotencyKey) -> (String, String) {
    (key.scope.clone(), key.key.clone())
}

#[async_trait]
impl IdempotencyStore for MemoryUnit {
    async fn claim(
        &mut self,
        key: &IdempotencyKey,
        now: Timestamp,
        stale_before: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, StoreError> {
        self.change(|tables| {
            let is_free =
                |row: &Row| row.expires_at <= now || (row.answer.is_none() && row.claimed_at < stale_before);
            if let Some(row) = tables.idempotency.get(&name(key)).filter(|row| !is_free(row)) {
                return Ok(Claim::Taken { fingerprint: row.fingerprint, answer: row.answer.clone() });
            }
            let row = Row { fingerprint: key.fingerprint, claimed_at: now, expires_at, answer: None };
            tables.idempotency.insert(name(key), row);
            Ok(Claim::Fresh)
        })
        .await
    }

    async fn finish(&mut self, key: &IdempotencyKey, answer: &StoredAnswer) -> Result<(), StoreError> {
        self.change(|tables| {
            let row = tables.idempotency.get_mut(&name(key)).filter(|row| row.answer.is_none());
            row.ok_or_else(|| conflict(Constraint::IdempotencyClaim))?.answer = Some(answer.clone());
            Ok(())
        })
        .await
    }

    async fn release(&mut self, key: &IdempotencyKey) -> Result<(), StoreError> {
        self.change(|tables| {
            let key = name(key);
            if tables.idempotency.get(&key).is_some_and(|row| row.answer.is_none()) {
                tables.idempotency.remove(&key);
            }
            Ok(())
        })
        .await
    }

    async fn sweep(&mut self, now: Timestamp, portion: Portion) -> Result<u64, StoreError> {
        let bytes = |row: &Row| row.answer.as_ref().map_or(0, |answer| answer.body.to_string().len());
        let is_old = |row: &Row| row.expires_at <= now;
        self.change(|tables| Ok(sweep_portion(&mut tables.idempotency, portion, is_old, bytes))).await
    }
}
