use std::time::Duration;

use chrono::TimeDelta;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::{Code, Error};

use super::email::Email;
use super::secrets::TokenHash;

/// The delay after failed logins: none for the first few, then one that doubles. Never a lock for good, so that
/// nobody can be shut out of their account by another's failures (ASVS 5.0, 6.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginDelay {
    /// The failure that brings the first delay: the 5th.
    pub after: u32,
    /// The first delay: 15 seconds.
    pub first: TimeDelta,
    /// The longest delay: 15 minutes.
    pub longest: TimeDelta,
    /// Failures are forgotten after this time without another: one day.
    pub forget_after: TimeDelta,
}

impl Default for LoginDelay {
    fn default() -> Self {
        Self {
            after: 5,
            first: TimeDelta::seconds(15),
            longest: TimeDelta::minutes(15),
            forget_after: TimeDelta::days(1),
        }
    }
}

impl LoginDelay {
    /// How long to wait after this many failures in a row.
    #[must_use]
    pub fn after_failures(&self, failures: u32) -> Option<TimeDelta> {
        let doublings = failures.checked_sub(self.after)?;
        let factor = 1_i32.checked_shl(doublings.min(20)).unwrap_or(i32::MAX);
        Some(self.first.checked_mul(factor).map_or(self.longest, |delay| delay.min(self.longest)))
    }
}

/// What names an account among the failures: a digest, so that addresses somebody tried are not stored.
pub(crate) fn account(email: &Email) -> TokenHash {
    TokenHash::of(email.as_str())
}

/// Refuses while logins for this account wait.
pub(crate) async fn check(app: &WorkScribe, email: &Email) -> Result<(), Error> {
    let now = app.now();
    match app.read().await?.attempts().blocked_until(&account(email), now).await? {
        Some(until) => Err(refusal(until, now)),
        None => Ok(()),
    }
}

/// Counts a failure, in a transaction of its own, so that it survives whatever becomes of the request.
pub(crate) async fn failed(app: &WorkScribe, email: &Email) -> Result<(), Error> {
    let (now, rule, account) = (app.now(), app.settings().login_delay, account(email));
    let mut uow = app.begin().await?;
    let failures = uow.attempts().record_failure(&account, now, now - rule.forget_after).await?;
    if let Some(delay) = rule.after_failures(failures) {
        uow.attempts().block(&account, now + delay).await?;
    }
    app.commit(uow).await
}

fn refusal(until: Timestamp, now: Timestamp) -> Error {
    let wait = (until - now).to_std().unwrap_or(Duration::ZERO);
    Error::new(
        Code::RateLimited,
        "Too many failed logins for this account. Wait a while, or reset the password.",
    )
    .with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_begins_with_the_fifth_failure_doubles_and_ends_at_15_minutes() {
        let seconds =
            |failures| LoginDelay::default().after_failures(failures).map(|delay| delay.num_seconds());
        assert_eq!(
            [4, 5, 6, 7, 10, 11, 1_000_000].map(seconds),
            [None, Some(15), Some(30), Some(60), Some(480), Some(900), Some(900)]
        );
    }
}
