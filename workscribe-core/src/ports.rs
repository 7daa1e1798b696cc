//! What WorkScribe asks of the world besides a database. In-process defaults are in [`crate::local`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{JobId, SessionId, UserId};

/// A text that must not reach a log: a password, a token, a key. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Look twice at where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a password check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does not fit.
    Wrong,
    /// It fits.
    Right,
    /// It fits, and the stored hash is of an older scheme or cost: hash the password again.
    RightButOutdated,
}

/// Hashes passwords. Slow on purpose; must not block the async threads.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// A new hash, with its scheme and cost in it.
    ///
    /// # Errors
    /// `OVERLOADED` when too many are waiting.
    async fn hash(&self, password: &Secret) -> Result<String, Error>;

    /// Checks a password; `None` for a user without a hash takes as long and is [`Verdict::Wrong`].
    ///
    /// # Errors
    /// `OVERLOADED` when too many are waiting.
    async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<Verdict, Error>;
}

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessClaims {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes and reads access tokens.
pub trait TokenIssuer: Send + Sync {
    /// A signed token with a `jti` of its own.
    ///
    /// # Errors
    /// When the key cannot sign.
    fn issue(&self, claims: &AccessClaims, jti: uuid::Uuid) -> Result<String, Error>;

    /// Reads a token; `None` if it was not made here, is of another kind, or has ended.
    fn verify(&self, token: &str, now: Timestamp) -> Option<AccessClaims>;

    /// The public keys as a JSON Web Key Set (RFC 7517); empty when the keys are symmetric.
    fn jwks(&self) -> serde_json::Value;
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRule {
    /// The name in the `RateLimit` headers and in keys.
    pub name: &'static str,
    /// This many at once …
    pub limit: u32,
    /// … and again over this time.
    pub window: Duration,
}

/// The answer of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether this one may go on.
    pub allowed: bool,
    /// How many more may follow at once.
    pub remaining: u32,
    /// Until the whole limit is free again.
    pub reset_after: Duration,
    /// Until the next one may go on; zero when this one may.
    pub retry_after: Duration,
}

/// Limits how often something is done. Never fails: with its store gone it falls back to local memory.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one use of `key` under a rule.
    async fn hit(&self, rule: &RateRule, key: &str, now: Timestamp) -> RateDecision;
}

/// Tells workers that there is work. A hint: workers poll as well.
#[async_trait]
pub trait Wakeup: Send + Sync {
    /// Wakes the workers. Must not fail or block for long.
    async fn notify(&self);
    /// Waits for the next call of [`Wakeup::notify`], from any process that shares the medium.
    async fn wait(&self);
}

/// A mail, ready to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The job it comes from: the provider's idempotency key.
    pub id: JobId,
    /// To whom.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The link the reader is to follow, for transports that only show it.
    pub link: Option<String>,
}

/// Why a mail did not go. A reason is stored and logged: put no address, no token and none of the provider's text in it.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It may go later: the provider is busy, broken or out of reach, or the operator has something to mend, such as a wrong key
    /// or a domain that is not verified.
    #[error("the mail could not be sent now: {reason}")]
    Temporary {
        /// What was the matter.
        reason: String,
        /// The provider's wish, if it had one.
        retry_after: Option<Duration>,
    },
    /// It will never go: the provider refuses this mail, whoever it is for.
    #[error("the mail was refused: {reason}")]
    Permanent {
        /// What was the matter.
        reason: String,
    },
    /// It will never go, since the address takes no mail: there is no such mailbox or domain. The address is marked
    /// ([`Identity::mail_bounced`](crate::identity::Identity::mail_bounced)). Only where this is told for certain; when in doubt,
    /// it is [`MailError::Permanent`].
    #[error("the address was refused: {reason}")]
    Address {
        /// What was the matter.
        reason: String,
    },
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands one mail to the transport. Called at least once for each mail; [`Mail::id`] tells repeats.
    ///
    /// # Errors
    /// [`MailError`], which says whether another try makes sense.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}
