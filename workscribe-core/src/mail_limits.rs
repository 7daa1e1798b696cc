//! How many mails a person may cause, so that nobody can flood another person's mailbox.

use crate::app::WorkScribe;
use crate::error::{Code, Error, Result};
use crate::identity::{Email, TokenHash};
use crate::limits::Limit;
use crate::ports::RateDecision;

/// The limiter's key of an address: a hash, so that the limiter stores no address.
pub(crate) fn key_of(email: &Email) -> String {
    TokenHash::of(email.as_str()).to_hex()
}

/// Counts one use and returns the decision.
pub(crate) async fn hit(app: &WorkScribe, limit: Limit, key: &str) -> RateDecision {
    app.limiter().hit(&app.limits().rule(limit), key, app.now()).await
}

/// Counts one use, and refuses with the given sentence when there are too many.
///
/// # Errors
/// `RATE_LIMITED`.
pub(crate) async fn count(app: &WorkScribe, limit: Limit, key: &str, refusal: &'static str) -> Result<()> {
    let decision = hit(app, limit, key).await;
    if decision.allowed {
        return Ok(());
    }
    Err(Error::new(Code::RateLimited, refusal)
        .with_param("limit", app.limits().of(limit))
        .with_param("policy", limit.name())
        .with_retry_after(decision.retry_after))
}
