//! Rate limits within one process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::ports::{RateDecision, RateLimiter, RateRule};

/// The generic cell rate algorithm (ITU-T I.371) in microseconds: one number for each key, the "theoretical arrival
/// time" of the next use. It returns the decision, and the number to store if it changed.
///
/// It is implemented here because the Redis adapter's script has the same rule, and one test suite checks both.
#[must_use]
pub fn gcra(rule: &RateRule, stored: Option<i64>, now: i64) -> (RateDecision, Option<i64>) {
    let window = i64::try_from(rule.window.as_micros()).unwrap_or(i64::MAX / 4);
    let step = window / i64::from(rule.limit.max(1));
    let arrival = stored.unwrap_or(now).max(now);
    let next = arrival + step;
    let ahead = next - now;
    let micros = |value: i64| Duration::from_micros(value.max(0).unsigned_abs());
    if ahead > window {
        let decision = RateDecision {
            allowed: false,
            remaining: 0,
            reset_after: micros(arrival - now),
            retry_after: micros(ahead - window),
        };
        return (decision, None);
    }
    let remaining = u32::try_from((window - ahead) / step.max(1)).unwrap_or(u32::MAX);
    (
        RateDecision { allowed: true, remaining, reset_after: micros(ahead), retry_after: Duration::ZERO },
        Some(next),
    )
}

/// Counts in the memory of this process.
#[derive(Debug, Default)]
pub struct LocalRateLimiter {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    arrivals: HashMap<(&'static str, String), i64>,
    /// The number of keys at which keys with a full limit are removed.
    sweep_at: usize,
}

impl LocalRateLimiter {
    /// With fewer keys than this, none are removed.
    const SWEEP_ABOVE: usize = 50_000;

    /// Counts one use of `key` under a rule.
    #[must_use]
    pub fn count(&self, rule: &RateRule, key: &str, now: Timestamp) -> RateDecision {
        let now = now.timestamp_micros();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.arrivals.len() > counts.sweep_at.max(Self::SWEEP_ABOVE) {
            counts.arrivals.retain(|_, arrival| *arrival > now);
            // The next removal is at twice as many keys: otherwise each of many new keys would scan all of them.
            counts.sweep_at = counts.arrivals.len() * 2;
        }
        let key = (rule.name, key.to_owned());
        let (decision, keep) = gcra(rule, counts.arrivals.get(&key).copied(), now);
        if let Some(arrival) = keep {
            counts.arrivals.insert(key, arrival);
        }
        decision
    }
}

#[async_trait]
impl RateLimiter for LocalRateLimiter {
    async fn hit(&self, rule: &RateRule, key: &str, now: Timestamp) -> RateDecision {
        self.count(rule, key, now)
    }
}

/// Limits nothing. For load tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

#[async_trait]
impl RateLimiter for Unlimited {
    async fn hit(&self, rule: &RateRule, _key: &str, _now: Timestamp) -> RateDecision {
        RateDecision {
            allowed: true,
            remaining: rule.limit,
            reset_after: Duration::ZERO,
            retry_after: Duration::ZERO,
        }
    }
}
