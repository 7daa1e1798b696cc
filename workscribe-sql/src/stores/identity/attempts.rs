//! Failed logins, and the networks of successful logins.

use async_trait::async_trait;
use sqlx::{query, query_as};
use workscribe_core::StoreResult;
use workscribe_core::clock::Timestamp;
use workscribe_core::identity::{AttemptStore, LoginPlace, TokenHash};

use super::bind::BindAll as _;
use super::{Ts, Unit};

#[async_trait]
impl AttemptStore for Unit {
    async fn blocked_until(
        &mut self,
        place: &LoginPlace,
        now: Timestamp,
        known_since: Timestamp,
    ) -> StoreResult<Option<Timestamp>> {
        let find = query_as::<_, (Ts,)>(
            "SELECT blocked_until FROM ws_login_attempts
              WHERE account IN ($1, $2) AND blocked_until > $3
                AND (account = $1 OR NOT EXISTS (SELECT 1 FROM ws_login_networks
                                                  WHERE place = $1 AND logged_in_at >= $4))
              ORDER BY blocked_until DESC LIMIT 1",
        )
        .bind_all((&place.network.0[..], &place.account.0[..], now, known_since));
        Ok(self.optional("ws_login_attempts: blocked until", find).await?.map(|(until,)| until.0))
    }

    async fn record_failure(
        &mut self,
        account: &TokenHash,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> StoreResult<u32> {
        let upsert = query_as::<_, (i64,)>(
            "INSERT INTO ws_login_attempts (account, failures, last_failed_at) VALUES ($1, 1, $2)
             ON CONFLICT (account) DO UPDATE
                SET failures = CASE WHEN ws_login_attempts.last_failed_at < $3 THEN 1
                                    ELSE ws_login_attempts.failures + 1 END,
                    last_failed_at = $2
             RETURNING failures",
        )
        .bind_all((&account.0[..], now, forget_before));
        let (failures,) = self.one("ws_login_attempts: record failure", upsert).await?;
        Ok(u32::try_from(failures).unwrap_or(u32::MAX))
    }

    async fn block(&mut self, account: &TokenHash, until: Timestamp) -> StoreResult<()> {
        // Failures at the same time may block in another order than they were counted in: the longest block stays.
        let upsert = query(
            "INSERT INTO ws_login_attempts (account, failures, last_failed_at, blocked_until) VALUES ($1, 0, $2, $2)
             ON CONFLICT (account) DO UPDATE
                SET blocked_until = $2
              WHERE ws_login_attempts.blocked_until IS NULL OR ws_login_attempts.blocked_until < $2",
        )
        .bind_all((&account.0[..], until));
        self.execute("ws_login_attempts: block", upsert).await?;
        Ok(())
    }

    async fn succeeded(&mut self, place: &LoginPlace, now: Timestamp) -> StoreResult<()> {
        let delete = query("DELETE FROM ws_login_attempts WHERE account = $1").bind(&place.network.0[..]);
        self.execute("ws_login_attempts: clear", delete).await?;
        let upsert = query(
            "INSERT INTO ws_login_networks (place, logged_in_at) VALUES ($1, $2)
             ON CONFLICT (place) DO UPDATE SET logged_in_at = $2",
        )
        .bind_all((&place.network.0[..], now));
        self.execute("ws_login_networks: note", upsert).await?;
        Ok(())
    }

    async fn clear(&mut self, place: &LoginPlace) -> StoreResult<()> {
        let (first, last) = place.all_of_account();
        let delete = query("DELETE FROM ws_login_attempts WHERE account >= $1 AND account <= $2")
            .bind_all((first.0.to_vec(), last.0.to_vec()));
        self.execute("ws_login_attempts: clear account", delete).await?;
        Ok(())
    }

    async fn sweep_networks(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64> {
        let delete = query(
            "DELETE FROM ws_login_networks
              WHERE place IN (SELECT place FROM ws_login_networks WHERE logged_in_at < $1
                               ORDER BY logged_in_at LIMIT $2)
                AND logged_in_at < $1",
        )
        .bind_all((before, limit));
        self.execute("ws_login_networks: sweep", delete).await
    }

    async fn sweep(&mut self, forget_before: Timestamp, limit: u32) -> StoreResult<u64> {
        let delete = query(concat!(
            "DELETE FROM ws_login_attempts WHERE last_failed_at < $1 AND account ",
            any_of!(
                "(SELECT account FROM ws_login_attempts
                   WHERE last_failed_at < $1 AND (blocked_until IS NULL OR blocked_until < $1)
                   ORDER BY last_failed_at LIMIT $2)"
            )
        ))
        .bind_all((forget_before, limit));
        self.execute("ws_login_attempts: sweep", delete).await
    }
}
