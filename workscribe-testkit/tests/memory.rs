//! The memory storage and the limiter in memory keep the rules.

use std::sync::Arc;

use workscribe_core::Storage;
use workscribe_core::local::LocalRateLimiter;
use workscribe_core::ports::RateLimiter;
use workscribe_testkit::memory::MemoryStorage;

async fn memory() -> (Arc<dyn Storage>, impl Sized) {
    (Arc::new(MemoryStorage::new()), ())
}

async fn limiter() -> (Arc<dyn RateLimiter>, impl Sized) {
    (Arc::new(LocalRateLimiter::default()), ())
}

workscribe_testkit::conformance!(memory_storage, memory);
workscribe_testkit::token_store_conformance!(memory_token_store, memory);
workscribe_testkit::rate_limiter_conformance!(local_rate_limiter, limiter);
