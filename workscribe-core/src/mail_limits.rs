//! How much mail one may cause, so that nobody is flooded in another's name.

use std::time::Duration;

use crate::app::WorkScribe;
use crate::error::{Code, Error};
use crate::identity::{Email, TokenHash};
use crate::ports::{RateDecision, RateRule};

/// How much mail goes, by whom and to whom. Counted by the limiter of [`crate::ports::RateLimiter`]; addresses are counted by their
/// digest, so that none is kept there.
#[derive(Debug, Clone, Copy)]
pub struct MailLimits {
    /// Mails of one invitation, sent again: 3 an hour.
    pub invitation: RateRule,
    /// Invitations of one organization to one address: 3 an hour.
    pub recipient_in_organization: RateRule,
    /// Invitations to one address, from all organizations: 10 a day.
    pub recipient: RateRule,
    /// Invitations of one organization: 500 a day.
    pub organization: RateRule,
    /// Mails to one address that it has an account already, under `verify_first`: 3 a day. What is above is left out silently, since
    /// a refusal would tell that there is an account.
    pub already_registered: RateRule,
}

impl Default for MailLimits {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3_600);
        const DAY: Duration = Duration::from_secs(86_400);
        const fn rule(name: &'static str, limit: u32, window: Duration) -> RateRule {
            RateRule { name, limit, window }
        }
        Self {
            invitation: rule("invitation", 3, HOUR),
            recipient_in_organization: rule("invite-recipient-organization", 3, HOUR),
            recipient: rule("invite-recipient", 10, DAY),
            organization: rule("invite-organization", 500, DAY),
            already_registered: rule("already-registered", 3, DAY),
        }
    }
}

/// What counts an address.
pub(crate) fn key_of(email: &Email) -> String {
    TokenHash::of(email.as_str()).to_hex()
}

/// Counts one use, and answers the decision.
pub(crate) async fn hit(app: &WorkScribe, rule: &RateRule, key: &str) -> RateDecision {
    app.limiter().hit(rule, key, app.now()).await
}

/// Counts one use, and refuses what is too much with a sentence.
///
/// # Errors
/// `RATE_LIMITED`.
pub(crate) async fn count(
    app: &WorkScribe,
    rule: &RateRule,
    key: &str,
    refusal: &'static str,
) -> Result<(), Error> {
    let decision = hit(app, rule, key).await;
    if decision.allowed {
        return Ok(());
    }
    Err(Error::new(Code::RateLimited, refusal)
        .with_param("limit", rule.limit)
        .with_param("policy", rule.name)
        .with_retry_after(decision.retry_after))
}
