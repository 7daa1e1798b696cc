//! Failed logins.

use async_trait::async_trait;
use workscribe_core::StoreError;
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::{AttemptStore, LoginPlace, TokenHash};

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
        place: &LoginPlace,
        now: Timestamp,
        known_since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.view(|tables| {
            let until = |key: &TokenHash| {
                tables.attempts.get(key).and_then(|row| row.blocked_until).filter(|until| *until > now)
            };
            let known = tables.login_networks.get(&place.network).is_some_and(|at| *at >= known_since);
            let account = if known { None } else { until(&place.account) };
            until(&place.network).max(account)
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
            let fresh = Row { failures: 0, last_failed_at: until, blocked_until: None };
            let row = tables.attempts.entry(*account).or_insert(fresh);
            row.blocked_until = row.blocked_until.max(Some(until));
            Ok(())
        })
        .await
    }

    async fn succeeded(&mut self, place: &LoginPlace, now: Timestamp) -> Result<(), StoreError> {
        self.change(|tables| {
            tables.attempts.remove(&place.network);
            tables.login_networks.insert(place.network, now);
            Ok(())
        })
        .await
    }

    async fn clear(&mut self, place: &LoginPlace) -> Result<(), StoreError> {
        let (first, last) = place.all_of_account();
        self.change(|tables| {
            tables.attempts.retain(|key, _| *key < first || *key > last);
            Ok(())
        })
        .await
    }

    async fn sweep_networks(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.change(|tables| {
            let old = tables.login_networks.iter().filter(|(_, at)| **at < before);
            let mut old: Vec<_> = old.map(|(place, at)| (*at, *place)).collect();
            old.sort_unstable();
            old.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            for (_, place) in &old {
                tables.login_networks.remove(place);
            }
            Ok(old.len() as u64)
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
