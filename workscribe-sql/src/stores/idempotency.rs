//! Idempotency keys, and the responses that are stored for them.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{FromRow, query, query_as};
use workscribe_core::clock::Timestamp;
use workscribe_core::idempotency::{Claim, IdempotencyKey, IdempotencyStore, StoredAnswer};
use workscribe_core::sweep::Portion;
use workscribe_core::{Constraint, StoreError, StoreResult};

use super::bind::BindAll as _;
use super::{Unit, corrupt, hash_bytes};

const TABLE: &str = "ws_idempotency_keys";

#[derive(FromRow)]
struct TakenRow {
    fingerprint: Vec<u8>,
    status: Option<i64>,
    body: Option<Json<Value>>,
}

impl TryFrom<TakenRow> for Claim {
    type Error = StoreError;

    fn try_from(row: TakenRow) -> StoreResult<Self> {
        let answer = match (row.status, row.body) {
            (Some(status), Some(Json(body))) => {
                let status =
                    u16::try_from(status).map_err(|_| corrupt(TABLE, format!("status is {status}")))?;
                Some(StoredAnswer { status, body: read(body)? })
            }
            _ => None,
        };
        Ok(Self::Taken { fingerprint: hash_bytes(TABLE, "fingerprint", row.fingerprint)?, answer })
    }
}

/// A response is stored as JSON in a string, because `jsonb` refuses the U+0000 that a document in it may contain.
fn written(body: &Value) -> Json<String> {
    Json(body.to_string())
}

fn read(stored: Value) -> StoreResult<Value> {
    match stored {
        Value::String(body) => serde_json::from_str(&body).map_err(|error| corrupt(TABLE, error.to_string())),
        // An earlier version stored the body as JSON itself.
        body => Ok(body),
    }
}

#[async_trait]
impl IdempotencyStore for Unit {
    async fn claim(
        &mut self,
        key: &IdempotencyKey,
        now: Timestamp,
        stale_before: Timestamp,
        expires_at: Timestamp,
    ) -> StoreResult<Claim> {
        // The row may be removed between the two statements, when its claim is released or swept; then the key is free.
        for _ in 0..3 {
            let claim = query_as::<_, (i64,)>(
                "INSERT INTO ws_idempotency_keys (scope, key, fingerprint, claimed_at, expires_at, org_id)
                 VALUES ($1, $2, $3, $4, $6, $7)
                 ON CONFLICT (scope, key) DO UPDATE
                    SET fingerprint = $3, claimed_at = $4, expires_at = $6, status = NULL, body = NULL
                  WHERE ws_idempotency_keys.expires_at <= $4
                     OR (ws_idempotency_keys.status IS NULL AND ws_idempotency_keys.claimed_at < $5)
                 RETURNING CAST(1 AS bigint)",
            )
            .bind_all((
                &key.scope,
                &key.key,
                &key.fingerprint[..],
                now,
                stale_before,
                expires_at,
                key.org,
            ));
            if self.optional("ws_idempotency_keys: claim", claim).await?.is_some() {
                return Ok(Claim::Fresh);
            }
            let find = query_as::<_, TakenRow>(
                "SELECT fingerprint, status, body FROM ws_idempotency_keys WHERE scope = $1 AND key = $2",
            )
            .bind_all((&key.scope, &key.key));
            if let Some(taken) = self.optional("ws_idempotency_keys: find", find).await? {
                return taken.try_into();
            }
        }
        Err(StoreError::Unavailable("the key is claimed and released again and again".into()))
    }

    async fn finish(&mut self, key: &IdempotencyKey, answer: &StoredAnswer) -> StoreResult<()> {
        // Another request may have taken over a stale claim and stored its response. This error rolls this request's work back, so
        // that only one of the two is done.
        let update = query(
            "UPDATE ws_idempotency_keys SET status = $4, body = $5
              WHERE scope = $1 AND key = $2 AND fingerprint = $3 AND status IS NULL",
        )
        .bind_all((&key.scope, &key.key, &key.fingerprint[..], answer.status, written(&answer.body)));
        match self.execute("ws_idempotency_keys: finish", update).await? {
            0 => Err(StoreError::conflict(Constraint::IdempotencyClaim, "ws_idempotency_keys: finish")),
            _ => Ok(()),
        }
    }

    async fn release(&mut self, key: &IdempotencyKey) -> StoreResult<()> {
        let delete = query(
            "DELETE FROM ws_idempotency_keys
              WHERE scope = $1 AND key = $2 AND fingerprint = $3 AND status IS NULL",
        )
        .bind_all((&key.scope, &key.key, &key.fingerprint[..]));
        self.execute("ws_idempotency_keys: release", delete).await?;
        Ok(())
    }

    async fn sweep(&mut self, now: Timestamp, portion: Portion) -> StoreResult<u64> {
        let delete = query(concat!(
            "DELETE FROM ws_idempotency_keys WHERE (scope, key) IN (",
            first_bytes!(
                "scope, key",
                "expires_at, scope, key",
                "$3",
                concat!(
                    "SELECT scope, key, expires_at, ",
                    bytes_of!("body"),
                    " AS bytes FROM ws_idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2"
                )
            ),
            ") AND expires_at <= $1"
        ))
        .bind_all((now, portion.rows, portion.bytes));
        self.execute("ws_idempotency_keys: sweep", delete).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_an_earlier_version_is_still_read() {
        let answers = [Value::Null, serde_json::json!({ "name": "Ada" }), serde_json::json!("\0")];
        for answer in &answers {
            let Json(stored) = written(answer);
            assert_eq!(read(Value::String(stored)).unwrap(), *answer);
        }
        assert_eq!(read(answers[1].clone()).unwrap(), answers[1]);
        assert!(read(Value::String("{".into())).is_err());
    }
}
