//! One rate limit for all servers. While Redis is unavailable, each server applies the full limit by itself.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use deadpool_redis::redis::Script;
use workscribe_core::clock::Timestamp;
use workscribe_core::local::{LocalRateLimiter, gcra};
use workscribe_core::ports::{RateDecision, RateLimiter, RateRule};
use workscribe_core::{StoreError, StoreResult};

use crate::client::Redis;

static GCRA: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/gcra.lua")));

/// Counts uses in Redis, by the rule of [`gcra`] with the same whole microseconds, in one script per use.
///
/// When Redis does not respond or refuses, the local limiter counts the use. For the next second nothing is sent to Redis, and after
/// that one use tries again, so that in an outage only one use per second waits for the timeouts.
///
/// Windows are limited to 100 years, so that sums stay exact in the numbers of Redis' scripts, which are doubles.
#[derive(Debug)]
pub struct RedisRateLimiter {
    redis: Redis,
    fallback: LocalRateLimiter,
    breaker: Breaker,
}

impl RedisRateLimiter {
    const MAX_WINDOW: Duration = Duration::from_secs(100 * 365 * 86_400);

    /// A limiter in Redis, with another one for outages.
    #[must_use]
    pub fn new(redis: Redis, fallback: LocalRateLimiter) -> Self {
        Self { redis, fallback, breaker: Breaker::default() }
    }

    async fn arrival(&self, rule: &RateRule, key: &str, now: i64) -> StoreResult<i64> {
        let window = rule.window.as_micros();
        let step = window / u128::from(rule.limit.max(1));
        let mut script = GCRA.key(self.redis.key(&format!("rate:{}:{key}", rule.name)));
        script.arg(now).arg(step.to_string()).arg(window.to_string());
        let arrival: String = self.redis.script(&script).await?;
        arrival.parse().map_err(|_| StoreError::Corrupt {
            table: "rate",
            problem: "the arrival time is not a number".to_owned(),
        })
    }
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    async fn hit(&self, rule: &RateRule, key: &str, now: Timestamp) -> RateDecision {
        let rule = RateRule { window: rule.window.min(Self::MAX_WINDOW), ..*rule };
        if self.breaker.lets_through() {
            let micros = now.timestamp_micros();
            match self.arrival(&rule, key, micros).await {
                Ok(arrival) => {
                    if self.breaker.close() {
                        tracing::info!("rate limits are counted in Redis again");
                    }
                    return gcra(&rule, Some(arrival), micros).0;
                }
                Err(error) => {
                    if self.breaker.open() {
                        let error: &dyn std::error::Error = &error;
                        let cause = error.source().map(ToString::to_string);
                        tracing::warn!(%error, cause, "rate limits are counted by each server alone until Redis is back");
                    }
                }
            }
        }
        self.fallback.hit(&rule, key, now).await
    }
}

/// Whether to use Redis.
#[derive(Debug, Default)]
struct Breaker(Mutex<Option<Instant>>);

impl Breaker {
    /// How long Redis is not used after a failure.
    const PAUSE: Duration = Duration::from_secs(1);

    /// Whether to use Redis. During an outage it returns `true` to one caller in each pause.
    fn lets_through(&self) -> bool {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *until {
            None => true,
            Some(at) if Instant::now() < at => false,
            Some(_) => {
                *until = Some(Instant::now() + Self::PAUSE);
                true
            }
        }
    }

    /// Records a failure; returns whether an outage begins with it.
    fn open(&self) -> bool {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.replace(Instant::now() + Self::PAUSE).is_none()
    }

    /// Records a success; returns whether an outage ends with it.
    fn close(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_and_ends_once_and_lets_one_probe_through() {
        let breaker = Breaker::default();
        assert!(breaker.lets_through() && breaker.lets_through());
        assert!(breaker.open());
        assert!(!breaker.open());
        assert!(!breaker.lets_through());
        *breaker.0.lock().unwrap() = Some(Instant::now());
        assert!(breaker.lets_through());
        assert!(!breaker.lets_through());
        assert!(breaker.close());
        assert!(!breaker.close());
        assert!(breaker.lets_through());
    }
}
