//! The delay after failed logins: counts failures, and refuses logins during the delay.

use std::time::Duration;

use crate::app::WorkScribe;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};

use super::delay::LoginPlace;

/// Refuses during the delay.
pub(crate) async fn check(app: &WorkScribe, place: &LoginPlace) -> Result<()> {
    let (now, rule) = (app.now(), app.settings().login_delay);
    match app.read().await?.attempts().blocked_until(place, now, now - rule.known_for).await? {
        Some(until) => Err(refusal(until, now)),
        None => Ok(()),
    }
}

/// Counts a failure in a separate transaction, so that it is stored however the request ends.
pub(crate) async fn failed(app: &WorkScribe, place: &LoginPlace) -> Result<()> {
    let (now, rule) = (app.now(), app.settings().login_delay);
    let mut uow = app.begin().await?;
    let here = uow.attempts().record_failure(&place.network, now, now - rule.forget_after).await?;
    if let Some(delay) = rule.after_failures(here) {
        uow.attempts().block(&place.network, now + delay).await?;
    }
    // The account's row comes last: failures from all networks write to it.
    let anywhere = uow.attempts().record_failure(&place.account, now, now - rule.forget_after).await?;
    if let Some(delay) = rule.after_failures_anywhere(anywhere) {
        uow.attempts().block(&place.account, now + delay).await?;
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
