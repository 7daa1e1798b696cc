//! How a worker calls the storage: with a time-out, and with a wait after a failed call.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use workscribe_core::Error;

/// A storage call that takes longer than this fails as unavailable.
pub(crate) const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of a storage call, or `SERVICE_UNAVAILABLE` after [`STORAGE_TIMEOUT`].
pub(crate) async fn with_timeout<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Error::unavailable(format!("no answer within {} s", STORAGE_TIMEOUT.as_secs()));
    timeout(STORAGE_TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))
}

/// The wait after failed storage calls: 1 s, doubling to 10 s.
#[derive(Default)]
pub(crate) struct StorageBackoff {
    failures: u32,
}

impl StorageBackoff {
    /// Counts a failed call and returns how long to wait.
    pub(crate) fn next(&mut self) -> Duration {
        let seconds = 1_u64 << self.failures.min(4);
        self.failures += 1;
        Duration::from_secs(seconds.min(10))
    }

    /// Starts again after a successful call.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the last call failed.
    pub(crate) fn is_active(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_ten_seconds() {
        let mut backoff = StorageBackoff::default();
        let seconds: Vec<_> = (0..6).map(|_| backoff.next().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
        backoff.reset();
        assert_eq!(backoff.next().as_secs(), 1);
    }
}
