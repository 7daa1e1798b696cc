//! The limiter of the process keeps the rules. Those of storages are kept by `workscribe-sql/tests/conformance.rs`.

use std::sync::Arc;

use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::RateLimiter;

async fn limiter() -> (Arc<dyn RateLimiter>, impl Sized) {
    (Arc::new(LocalRateLimiter::default()), ())
}

workscribe_testkit::rate_limiter_conformance!(local_rate_limiter, limiter);
