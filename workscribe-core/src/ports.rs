//! The interfaces to the outside besides the storage. In-process defaults are in [`crate::local`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{JobId, SessionId, UserId};

/// A text that must not be logged: a password, a token, a key. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Check where it goes.
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

/// The result of a password check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is wrong.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, and the stored hash has an older scheme or cost: hash the password again.
    RightButOutdated,
}

/// Hashes passwords. It is slow on purpose and must not block the async threads.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// A new hash, which contains its scheme and cost.
    ///
    /// # Errors
    /// `OVERLOADED` when too many calls wait.
    async fn hash(&self, password: &Secret) -> Result<String>;

    /// Checks a password. `None`, for a user without a hash, takes as long and gives [`Verdict::Wrong`].
    ///
    /// # Errors
    /// `OVERLOADED` when too many calls wait.
    async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<Verdict>;
}

/// The content of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessClaims {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// When the token expires.
    pub expires_at: Timestamp,
}

/// Issues and reads access tokens.
pub trait TokenIssuer: Send + Sync {
    /// A signed token with the given `jti`.
    ///
    /// # Errors
    /// When the key cannot sign.
    fn issue(&self, claims: &AccessClaims, jti: uuid::Uuid) -> Result<String>;

    /// Reads a token; `None` if this issuer did not make it, it is of another kind, or it has expired.
    fn verify(&self, token: &str, now: Timestamp) -> Option<AccessClaims>;

    /// The public keys as a JSON Web Key Set (RFC 7517); empty when the keys are symmetric.
    fn jwks(&self) -> serde_json::Value;
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRule {
    /// The name in the `RateLimit` headers and in the keys.
    pub name: &'static str,
    /// How many uses are allowed at once.
    pub limit: u32,
    /// The time in which all these uses become free again.
    pub window: Duration,
}

/// The decision of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether this use is allowed.
    pub allowed: bool,
    /// How many more uses are allowed at once.
    pub remaining: u32,
    /// The time until all uses are free again.
    pub reset_after: Duration,
    /// The time until the next use is allowed; zero when this one is.
    pub retry_after: Duration,
}

/// Limits how often something is done. It never fails: without its store it counts in local memory.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one use of `key` under a rule.
    async fn hit(&self, rule: &RateRule, key: &str, now: Timestamp) -> RateDecision;
}

/// Tells workers that there are jobs. It is a hint: workers poll as well.
#[async_trait]
pub trait Wakeup: Send + Sync {
    /// Wakes the workers. It must not fail or block for long.
    async fn notify(&self);
    /// Waits for the next call of [`Wakeup::notify`] from any process that shares the medium.
    async fn wait(&self);
}

/// A complete mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The id of its job: the provider's idempotency key.
    pub id: JobId,
    /// The recipient's address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The link for the reader, for transports that show only the link.
    pub link: Option<String>,
}

/// Why a mail was not sent. The reason is stored and logged: do not put an address, a token or text of the provider in it.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A retry may succeed: the provider is busy, faulty or unreachable, or the operator must correct something, such as a wrong
    /// key or an unverified domain.
    #[error("the mail could not be sent now: {reason}")]
    Temporary {
        /// What is wrong.
        reason: String,
        /// The delay that the provider asks for, if any.
        retry_after: Option<Duration>,
    },
    /// No retry can succeed: the provider refuses this mail for any recipient.
    #[error("the mail was refused: {reason}")]
    Permanent {
        /// What is wrong.
        reason: String,
    },
    /// No retry can succeed: the address accepts no mail, since there is no such mailbox or domain. The address is marked
    /// ([`Identity::mail_bounced`](crate::identity::Identity::mail_bounced)). Use it only when this is certain; when in doubt, use
    /// [`MailError::Permanent`].
    #[error("the address was refused: {reason}")]
    Address {
        /// What is wrong.
        reason: String,
    },
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Gives one mail to the transport. It is called at least once for each mail; [`Mail::id`] identifies repeats.
    ///
    /// # Errors
    /// [`MailError`], which says whether a retry makes sense.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}
