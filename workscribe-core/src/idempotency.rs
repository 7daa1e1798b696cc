//! Answers stored under a client's `Idempotency-Key`, so that a repeated request is carried out only once
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A key is claimed in a separate transaction before the work starts, so that a second request sees it at once. The answer is
//! written in the transaction of the work, so that both are committed or neither is.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::OrgId;
use crate::portion::Portion;
use crate::store_error::StoreResult;

/// How long an answer is stored.
pub const KEEP_FOR: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// A claim without an answer is ignored after this time: its process has probably crashed.
pub const CLAIM_FOR: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// An idempotency key, with its owner and its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The organization, if there is one.
    pub org: Option<OrgId>,
    /// The caller and the organization, if there is one.
    pub scope: String,
    /// The client's key: 1–255 characters.
    pub key: String,
    /// A hash of method, path and body: the same key with another request is refused.
    pub fingerprint: [u8; 32],
}

/// The first answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body, with the headers that belong to it.
    pub body: serde_json::Value,
}

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This request now holds the key.
    Fresh,
    /// Another request holds the key.
    Taken {
        /// The hash of that request.
        fingerprint: [u8; 32],
        /// Its answer; `None` while it runs.
        answer: Option<StoredAnswer>,
    },
}

/// Stores keys and answers.
#[async_trait]
pub trait IdempotencyStore: Send {
    /// Claims the key if it is free, has expired, or was claimed before `stale_before` without an answer.
    async fn claim(
        &mut self,
        key: &IdempotencyKey,
        now: Timestamp,
        stale_before: Timestamp,
        expires_at: Timestamp,
    ) -> StoreResult<Claim>;
    /// Stores the answer under a claimed key. [`crate::Constraint::IdempotencyClaim`] when the key does not exist or has an
    /// answer, so that of two requests with a stale claim only one commits.
    async fn finish(&mut self, key: &IdempotencyKey, answer: &StoredAnswer) -> StoreResult<()>;
    /// Releases a claimed key after a refusal, so that the client may repeat the call.
    async fn release(&mut self, key: &IdempotencyKey) -> StoreResult<()>;
    /// Removes a portion of the expired keys, oldest first, and returns their number.
    async fn sweep(&mut self, now: Timestamp, portion: Portion) -> StoreResult<u64>;
}

/// Claims a key. `None` means that the request must be carried out; an answer means that it was carried out before.
///
/// # Errors
/// `IDEMPOTENCY_IN_PROGRESS` while the first request runs, `IDEMPOTENCY_KEY_REUSED` for another request.
pub async fn claim(
    store: &mut dyn IdempotencyStore,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Result<Option<StoredAnswer>> {
    match store.claim(key, now, now - CLAIM_FOR, now + KEEP_FOR).await? {
        Claim::Fresh => Ok(None),
        Claim::Taken { fingerprint, .. } if fingerprint != key.fingerprint => Err(Error::new(
            Code::IdempotencyKeyReused,
            "This Idempotency-Key was used for another request. Use a new key for a new request.",
        )),
        Claim::Taken { answer: Some(answer), .. } => Ok(Some(answer)),
        Claim::Taken { answer: None, .. } => Err(Error::new(
            Code::IdempotencyInProgress,
            "The first request with this Idempotency-Key has not ended yet. Try again in a moment.",
        )
        .with_retry_after(std::time::Duration::from_secs(1))),
    }
}
