//! How many requests a user, and an organization, may make, and how many of a user's are worked on at a time.
//!
//! Counted within this process, so that it costs no round trip: of several servers each has the limit for itself. They are far above
//! what people and well-behaved programs need, and keep one of them from taking the server from all others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use poem::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use workscribe_core::id::{OrgId, UserId};
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::RateRule;
use workscribe_core::{Code, Error, WorkScribe};

use crate::caller::Counted;

/// How many requests may be made with access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// By one user: 50 a second, which may come as 500 at once.
    pub user: RateRule,
    /// In one organization: 500 a second, which may come as 5,000 at once.
    pub organization: RateRule,
    /// How many of one user's are worked on at a time: 6, as many connections as browsers open to a server. Others wait for their turn.
    pub at_once: usize,
}

impl RequestLimits {
    /// So many a second, or those of ten seconds at once, by a user and in an organization.
    #[must_use]
    pub fn per_second(user: u32, organization: u32) -> Self {
        let rule = |name, limit: u32| RateRule {
            name,
            limit: limit.saturating_mul(10),
            window: Duration::from_secs(10),
        };
        Self { user: rule("user", user), organization: rule("organization", organization), at_once: 6 }
    }
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self::per_second(50, 500)
    }
}

/// So many of a user's requests wait for their turn, each for so long at the most.
const LONGEST_LINE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is refused for now (429, 503) is answered after this pause, so that a program that asks again at once is slowed down by itself.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);

/// How often the log names one who is above the limit.
const TOLD: RateRule = RateRule { name: "told", limit: 1, window: Duration::from_secs(60) };

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: RequestLimits,
    counts: LocalRateLimiter,
    told: LocalRateLimiter,
    turns: Mutex<HashMap<UserId, Arc<Line>>>,
}

/// The requests of one user.
#[derive(Debug)]
struct Line {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Meter {
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            counts: LocalRateLimiter::default(),
            told: LocalRateLimiter::default(),
            turns: Mutex::default(),
        }
    }

    fn line(&self, user: UserId) -> Arc<Line> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = turns.get(&user) {
            return Arc::clone(line);
        }
        // Those of whom nothing is worked on go when the map would grow.
        if turns.len() == turns.capacity() {
            turns.retain(|_, line| {
                Arc::strong_count(line) > 1 || line.places.available_permits() < self.limits.at_once
            });
        }
        let places = Arc::new(Semaphore::new(self.limits.at_once));
        let line = Arc::new(Line { places, waiting: AtomicUsize::new(0) });
        turns.insert(user, Arc::clone(&line));
        line
    }
}

/// Counts who waits, also when they give up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
    pub(crate) fn user(&self, app: &WorkScribe, user: UserId) -> Result<(), Error> {
        self.count(app, |limits| &limits.user, user)
    }

    /// Waits until it is worked on, among others of the same user. It has its turn until what is answered is dropped; a server without
    /// limits has no turns.
    ///
    /// # Errors
    /// `OVERLOADED` when too many wait, or for too long.
    pub(crate) async fn turn(&self, user: UserId) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Some(meter) = &self.meter else { return Ok(None) };
        let line = meter.line(user);
        if let Ok(turn) = Arc::clone(&line.places).try_acquire_owned() {
            return Ok(Some(turn));
        }
        let waiting = line.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&line.waiting);
        let turn = async {
            match waiting < LONGEST_LINE {
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

    /// Counts it for an organization.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn organization(&self, app: &WorkScribe, org: OrgId) -> Result<(), Error> {
        self.count(app, |limits| &limits.organization, org)
    }

    fn count(
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
        }
        noted
    }
}
