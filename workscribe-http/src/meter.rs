//! Limits the rate of requests of a user and of an organization, and how many requests of a user run at a time.
//!
//! Each process counts its own requests, which costs no round trip: with several servers, each applies the limits separately. The
//! limits are far above what people and well-behaved programs need. They keep one client from using up the whole server.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use poem::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::limits::{Limit, Limits};
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::RateRule;
use workscribe_core::{Code, Error, WorkScribe};

use crate::caller::Counted;

/// The limits of requests with access tokens.
#[derive(Debug, Clone, Copy)]
struct Rules {
    user: RateRule,
    organization: RateRule,
    /// How many requests of one user run at a time, and how many wait for their turn.
    at_once: usize,
    waiting: usize,
}

impl Rules {
    fn of(limits: &Limits) -> Self {
        // The requests of ten seconds may come in one burst.
        let rule = |limit| {
            let RateRule { name, limit, window } = limits.rule(limit);
            RateRule { name, limit: limit.saturating_mul(10), window: window * 10 }
        };
        Self {
            user: rule(Limit::RequestsPerUser),
            organization: rule(Limit::RequestsPerOrganization),
            at_once: limits.count_of(Limit::RequestsAtOncePerUser).min(Semaphore::MAX_PERMITS),
            waiting: limits.count_of(Limit::RequestsWaitingPerUser),
        }
    }
}

/// The maximum time that a user's request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// A refusal that asks to try again (429, 503) is sent after this pause, so that a program that retries at once is slowed down.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);

/// How often the log names a user or an organization above its limit.
const TOLD: RateRule = RateRule { name: "told", limit: 1, window: Duration::from_secs(60) };

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Meter {
    rules: Rules,
    counts: LocalRateLimiter,
    told: LocalRateLimiter,
    turns: Mutex<HashMap<UserId, Arc<Line>>>,
}

/// The running and waiting requests of one user.
#[derive(Debug)]
struct Line {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Meter {
    /// A meter with the limits of an application; `None` when they are lifted.
    pub(crate) fn of(limits: &Limits) -> Option<Self> {
        let meter = Self {
            rules: Rules::of(limits),
            counts: LocalRateLimiter::default(),
            told: LocalRateLimiter::default(),
            turns: Mutex::default(),
        };
        (!limits.is_lifted(Limit::RequestsPerUser)).then_some(meter)
    }

    fn line(&self, user: UserId) -> Arc<Line> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = turns.get(&user) {
            return Arc::clone(line);
        }
        // When the map would grow, users without requests are removed.
        if turns.len() == turns.capacity() {
            turns.retain(|_, line| {
                Arc::strong_count(line) > 1 || line.places.available_permits() < self.rules.at_once
            });
        }
        let places = Arc::new(Semaphore::new(self.rules.at_once));
        let line = Arc::new(Line { places, waiting: AtomicUsize::new(0) });
        turns.insert(user, Arc::clone(&line));
        line
    }
}

/// Counts a waiting request, and removes it from the count also when it gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The counter of one request; it counts nothing on a server without limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metering {
    meter: Option<Arc<Meter>>,
    counted: Counted,
}

impl Metering {
    /// The counter of a request.
    pub(crate) fn of(request: &Request) -> Self {
        let meter = request.data::<Arc<Meter>>().cloned();
        Self { meter, counted: request.data::<Counted>().cloned().unwrap_or_default() }
    }

    /// Counts the request for a user.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn user(&self, app: &WorkScribe, user: UserId) -> Result<(), Error> {
        self.count(app, |rules| &rules.user, user)
    }

    /// Waits until the request may run, among those of the same user. The turn lasts until the returned permit is dropped. A server
    /// without limits has no turns.
    ///
    /// # Errors
    /// `OVERLOADED` when too many requests wait, or when this one waits too long.
    pub(crate) async fn turn(&self, user: UserId) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Some(meter) = &self.meter else { return Ok(None) };
        let line = meter.line(user);
        if let Ok(turn) = Arc::clone(&line.places).try_acquire_owned() {
            return Ok(Some(turn));
        }
        let waiting = line.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&line.waiting);
        let turn = async {
            match waiting < meter.rules.waiting {
                true => {
                    tokio::time::timeout(PATIENCE, Arc::clone(&line.places).acquire_owned()).await.ok()?.ok()
                }
                false => None,
            }
        };
        let turn = turn.await.ok_or_else(|| {
            Error::new(Code::Overloaded, "Too many of your requests are waiting. Send fewer at a time.")
                .with_retry_after(Duration::from_secs(1))
        })?;
        Ok(Some(turn))
    }

    /// Counts the request for an organization.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn organization(&self, app: &WorkScribe, org: OrgId) -> Result<(), Error> {
        self.count(app, |rules| &rules.organization, org)
    }

    fn count(
        &self,
        app: &WorkScribe,
        rule: impl Fn(&Rules) -> &RateRule,
        key: impl ToString,
    ) -> Result<(), Error> {
        let Some(meter) = &self.meter else { return Ok(()) };
        let rule = rule(&meter.rules);
        let key = key.to_string();
        let noted = self.counted.note(rule, meter.counts.count(rule, &key, app.now()));
        if noted.is_err() && meter.told.count(&TOLD, &key, app.now()).allowed {
            tracing::warn!(limit = rule.limit, of = rule.name, id = key, "requests are refused: too many");
        }
        noted
    }
}
