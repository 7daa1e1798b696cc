//! Answers kept under a client's `Idempotency-Key`, so that a request sent twice is done once
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A key is claimed in a transaction of its own before the work starts, so that a second request sees it
//! at once; the answer is written in the transaction of the work, so that neither is there without the other.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::id::OrgId;
use crate::portion::Portion;
use crate::store_error::StoreError;

/// How long an answer is kept.
pub const KEEP_FOR: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// After this time a claim without an answer is taken to be of a dead process.
pub const CLAIM_FOR: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// Whose key it is, and of which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The organization, where there is one.
    pub org: Option<OrgId>,
    /// The caller and, where there is one, the organization.
    pub scope: String,
    /// The client's key: 1–255 characters.
    pub key: String,
    /// A digest of method, path and body: the same key with another request is refused.
    pub fingerprint: [u8; 32],
}

/// An answer as it was first given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body, with the headers that belong to it.
    pub body: serde_json::Value,
}

/// What a store finds under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key is now this request's.
    Fresh,
    /// It is another request's; here are its fingerprint and, once it has ended, its answer.
    Taken {
        /// The digest of that request.
        fingerprint: [u8; 32],
        /// Its answer; `None` while it runs.
        answer: Option<StoredAnswer>,
    },
}

/// Keeps keys and answers.
#[async_trait]
pub trait IdempotencyStore: Send {
    /// Takes the key if it is free, expired, or was claimed before `stale_before` and never answered.
    async fn claim(
        &mut self,
        key: &IdempotencyKey,
        now: Timestamp,
        stale_before: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, StoreError>;
    /// Keeps the answer under a claimed key; [`crate::Constraint::Other`] when the claim is gone or answered, so that of two
    /// that hold a stale claim only one commits.
    async fn finish(&mut self, key: &IdempotencyKey, answer: &StoredAnswer) -> Result<(), StoreError>;
    /// Gives a claimed key back, after a refusal: the client may repeat the call.
    async fn release(&mut self, key: &IdempotencyKey) -> Result<(), StoreError>;
    /// Removes a portion of what has expired, the oldest first; answers how many went.
    async fn sweep(&mut self, now: Timestamp, portion: Portion) -> Result<u64, StoreError>;
}

/// Claims a key: `None` means that the request is to be carried out, an answer that it was before.
///
/// # Errors
/// `IDEMPOTENCY_IN_PROGRESS` while the first request runs, `IDEMPOTENCY_KEY_REUSED` for another request.
pub async fn claim(
    store: &mut dyn IdempotencyStore,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Result<Option<StoredAnswer>, Error> {
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
