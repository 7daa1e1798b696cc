//! How much mail one may cause, so that nobody is flooded in another's name.

use crate::app::WorkScribe;
use crate::error::{Code, Error};
use crate::identity::{Email, TokenHash};
use crate::limits::Limit;
use crate::ports::RateDecision;

/// What counts an address: its digest, so that none is kept by the limiter.
pub(crate) fn key_of(email: &Email) -> String {
    TokenHash::of(email.as_str()).to_hex()
}

/// Counts one use, and answers the decision.
pub(crate) async fn hit(app: &WorkScribe, limit: Limit, key: &str) -> RateDecision {
    app.limiter().hit(&app.limits().rule(limit), key, app.now()).await
}

/// Counts one use, and refuses what is too much with a sentence.
///
/// # Errors
/// `RATE_LIMITED`.
pub(crate) async fn count(
    app: &WorkScribe,
    limit: Limit,
    key: &str,
    refusal: &'static str,
) -> Result<(), Error> {
    let decision = hit(app, limit, key).await;
    if decision.allowed {
        return Ok(());
    }
    Err(Error::new(Code::RateLimited, refusal)
        .with_param("limit", app.limits().of(limit))
        .with_param("policy", limit.name())
        .with_retry_after(decision.retry_after))
}
