//! Failed logins.

use async_trait::async_trait;
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::{AttemptStore, TokenHash};

use super::{MemoryUnit, sweep_some};

#[derive(Clone)]
pub(super) struct Row {
    failures: u32,
    last_failed_at: Timestamp,
    blocked_until: Option<Timestamp>,
}

#[async_trait]
impl AttemptStore for MemoryUnit {
    async fn blocked_until(
        &mut self,
        account: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.view(|tables| {
            tables.attempts.get(account).and_then(|row| row.blocked_until).filter(|until| *until > now)
        })
        .await
    }

    async fn record_failure(
        &mut self,
        account: &TokenHash,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<u32, StoreError> {
        self.change(|tables| {
            let row = tables.attempts.entry(*account).or_insert(Row {
                failures: 0,
                last_failed_at: now,
                blocked_until: None,
            });
            if row.last_failed_at < forget_before {
                row.failures = 0;
            }
            row.failures += 1;
            row.last_failed_at = now;
            Ok(row.failures)
        })
        .await
    }

    async fn block(&mut self, account: &TokenHash, until: Timestamp) -> Result<(), StoreError> {
        self.change(|tables| {
            if let Some(row) = tables.attempts.get_mut(account) {
                row.blocked_until = Some(until);
            }
            Ok(())
        })
        .await
    }

    async fn clear(&mut self, account: &TokenHash) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.attempts.remove(account);
            Ok(())
        })
        .await
    }

    async fn sweep(&mut self, forget_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.change(|tables| {
            Ok(sweep_some(&mut tables.attempts, limit, |row| row.last_failed_at < forget_before))
        })
        .await
    }
}
