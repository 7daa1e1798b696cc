//! The testkit's suites, against the Redis that `WORKSCRIBE_TEST_REDIS_URL` names.

#[cfg(test)]
#[expect(dead_code, reason = "the other tests use the rest of it")]
mod support;

use std::sync::Arc;

use support::Keys;
use workscribe_core::Storage;
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::RateLimiter;
use workscribe_redis::RedisRateLimiter;

async fn token_store() -> (Arc<dyn Storage>, Keys) {
    let keys = Keys::new();
    (support::storage(keys.redis()).await, keys)
}

async fn rate_limiter() -> (Arc<dyn RateLimiter>, Keys) {
    let keys = Keys::new();
    (Arc::new(RedisRateLimiter::new(keys.redis(), LocalRateLimiter::default())), keys)
}

workscribe_testkit::token_store_conformance!(tokens_keep_the_rules, token_store);
workscribe_testkit::rate_limiter_conformance!(limits_keep_the_rules, rate_limiter);
