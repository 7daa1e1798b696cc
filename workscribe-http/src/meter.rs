//! How many requests a user, and an organization, may make.
//!
//! Counted within this process, so that it costs no round trip: of several servers each has the limit for itself. They are far above
//! what people and well-behaved programs need, and keep one of them from taking the server from all others.

use std::sync::Arc;
use std::time::Duration;

use poem::Request;
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::RateRule;
use workscribe_core::{Error, WorkScribe};

use crate::caller::Counted;

/// How many requests may be made with access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// By one user: 3,000 a minute.
    pub user: RateRule,
    /// In one organization: 30,000 a minute.
    pub organization: RateRule,
}

impl Default for RequestLimits {
    fn default() -> Self {
        let window = Duration::from_secs(60);
        Self {
            user: RateRule { name: "user", limit: 3_000, window },
            organization: RateRule { name: "organization", limit: 30_000, window },
        }
    }
}

/// Who is above the limit is answered after this pause, so that a program that asks again at once is slowed down by itself.
const PAUSE: Duration = Duration::from_millis(250);

/// How often the log names one who is above the limit.
const TOLD: RateRule = RateRule { name: "told", limit: 1, window: Duration::from_secs(60) };

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: RequestLimits,
    counts: LocalRateLimiter,
    told: LocalRateLimiter,
}

impl Meter {
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self { limits, counts: LocalRateLimiter::default(), told: LocalRateLimiter::default() }
    }
}

/// What counts one request; of a server without limits, nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metering {
    meter: Option<Arc<Meter>>,
    counted: Counted,
}

impl Metering {
    /// Of a request.
    pub(crate) fn of(request: &Request) -> Self {
        let meter = request.data::<Arc<Meter>>().cloned();
        Self { meter, counted: request.data::<Counted>().cloned().unwrap_or_default() }
    }

    /// Counts it for a user.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) async fn user(&self, app: &WorkScribe, user: UserId) -> Result<(), Error> {
        self.count(app, |limits| &limits.user, user).await
    }

    /// Counts it for an organization.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) async fn organization(&self, app: &WorkScribe, org: OrgId) -> Result<(), Error> {
        self.count(app, |limits| &limits.organization, org).await
    }

    async fn count(
        &self,
        app: &WorkScribe,
        rule: impl Fn(&RequestLimits) -> &RateRule,
        key: impl ToString,
    ) -> Result<(), Error> {
        let Some(meter) = &self.meter else { return Ok(()) };
        let rule = rule(&meter.limits);
        let key = key.to_string();
        let noted = self.counted.note(rule, meter.counts.count(rule, &key, app.now()));
        if noted.is_err() {
            if meter.told.count(&TOLD, &key, app.now()).allowed {
                tracing::warn!(
                    limit = rule.limit,
                    of = rule.name,
                    id = key,
                    "requests are refused: too many"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
        noted
    }
}
