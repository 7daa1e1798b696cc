//! Rate limiters. The caller gives the time, and each case has its own keys, so all cases can share one limiter.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::ports::{RateDecision, RateLimiter, RateRule};

/// Ten uses at once, and one more each second.
const RULE: RateRule = RateRule { name: "conformance", limit: 10, window: Duration::from_secs(10) };

async fn hit(limiter: &Arc<dyn RateLimiter>, key: &str, micros: i64) -> RateDecision {
    limiter.hit(&RULE, key, at_micros(micros)).await
}

async fn allowed(limiter: &Arc<dyn RateLimiter>, key: &str, micros: i64, tries: u32) -> u32 {
    let mut allowed = 0;
    for _ in 0..tries {
        allowed += u32::from(hit(limiter, key, micros).await.allowed);
    }
    allowed
}

pub async fn the_limit_is_free_at_once_and_then_refused_with_a_time_to_wait(limiter: Arc<dyn RateLimiter>) {
    let key = token();
    for used in 1..=10_u32 {
        let decision = hit(&limiter, &key, 0).await;
        let expected = RateDecision {
            allowed: true,
            remaining: 10 - used,
            reset_after: Duration::from_secs(used.into()),
            retry_after: Duration::ZERO,
        };
        assert_eq!(decision, expected, "use {used}");
    }
    for _ in 0..3 {
        let refused = hit(&limiter, &key, 0).await;
        let expected = RateDecision {
            allowed: false,
            remaining: 0,
            reset_after: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
        };
        assert_eq!(refused, expected, "refusals do not count");
    }
}

pub async fn after_the_time_to_wait_the_next_may_go_on(limiter: Arc<dyn RateLimiter>) {
    let key = token();
    assert_eq!(allowed(&limiter, &key, 0, 11).await, 10);
    let early = hit(&limiter, &key, 999_999).await;
    assert!(!early.allowed && early.retry_after == Duration::from_micros(1));
    assert_eq!(allowed(&limiter, &key, 1_000_000, 3).await, 1);
    assert_eq!(allowed(&limiter, &key, 4_000_000, 5).await, 3);
}

pub async fn after_the_window_the_whole_limit_is_free_again(limiter: Arc<dyn RateLimiter>) {
    let key = token();
    assert_eq!(allowed(&limiter, &key, 0, 20).await, 10);
    assert_eq!(allowed(&limiter, &key, 10_000_000, 20).await, 10);
    assert_eq!(allowed(&limiter, &key, 1_000_000_000, 20).await, 10, "and no more than that");
}

pub async fn keys_and_rules_are_limited_apart(limiter: Arc<dyn RateLimiter>) {
    let (one, other) = (token(), format!("{} {UNICODE}", token()));
    assert_eq!(allowed(&limiter, &one, 0, 20).await, 10);
    assert_eq!(allowed(&limiter, &other, 0, 20).await, 10);
    let another = RateRule { name: "conformance-2", limit: 1, window: Duration::from_secs(1) };
    assert!(limiter.hit(&another, &one, at(0)).await.allowed);
    assert!(!limiter.hit(&another, &one, at(0)).await.allowed);
}

pub async fn a_clock_that_goes_back_gives_nothing_away(limiter: Arc<dyn RateLimiter>) {
    let key = token();
    assert_eq!(allowed(&limiter, &key, 5_000_000, 20).await, 10);
    assert_eq!(allowed(&limiter, &key, 4_000_000, 5).await, 0);
    assert_eq!(allowed(&limiter, &key, 6_000_000, 5).await, 1);
}

pub async fn of_a_hundred_at_once_the_limit_goes_through(limiter: Arc<dyn RateLimiter>) {
    let key = token();
    let decisions = all_at_once(100, |_| {
        let (limiter, key) = (Arc::clone(&limiter), key.clone());
        async move { hit(&limiter, &key, 0).await }
    })
    .await;
    assert_eq!(decisions.iter().filter(|decision| decision.allowed).count(), 10);
}
